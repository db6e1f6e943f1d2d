import { unreadable } from '../wire-reader.ts';
import type { Codec, Compression } from './codec.ts';
import { lz4 } from './lz4.ts';
import { loadSnappy } from './snappy.ts';
import { loadGzip, loadZstd } from './zlib.ts';

/** By their numbers in the attributes of a batch. */
export const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const satisfies readonly Compression[];

const loaders: Readonly<Record<Compression, () => Codec | undefined | Promise<Codec>>> = {
  none: () => undefined,
  gzip: loadGzip,
  snappy: loadSnappy,
  lz4: () => lz4,
  zstd: loadZstd,
};

const loaded = new Map<Compression, Codec | undefined>();

/**
 * The codec of `compression`, of which nothing is loaded before; `undefined` for none.
 *
 * @throws {KafkaFailure} `codec` with an install line if its package is not here; `refused` if this Node.js has it not.
 */
export async function loadCodec(compression: Compression): Promise<Codec | undefined> {
  if (!loaded.has(compression)) loaded.set(compression, await loaders[compression]());
  return loaded.get(compression);
}

/**
 * Unpacks what is compressed with the codec of this number.
 *
 * @throws {KafkaFailure} as {@link loadCodec}; `unreadable` if it is not what the codec writes, or too large.
 */
export async function decompress(number: number, compressed: Buffer): Promise<Buffer> {
  const compression = compressions[number];
  if (compression === undefined) throw unreadable(`records are compressed with the unknown codec ${number}`);
  const codec = await loadCodec(compression);
  if (codec === undefined) return compressed;
  try {
    return await codec.decompress(compressed);
  } catch (error) {
    throw unreadable(`records cannot be unpacked with ${compression}`, error);
  }
}
