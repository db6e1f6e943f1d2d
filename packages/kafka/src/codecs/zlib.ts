import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { KafkaFailure } from '../kafka-failure.ts';
import { type Codec, mostBytes } from './codec.ts';

const maxOutputLength = mostBytes;

type Pack = (plain: Buffer) => Promise<Buffer>;
type Unpack = (compressed: Buffer, options: { readonly maxOutputLength: number }) => Promise<Buffer>;

/** What Node.js has from 22.15 and 23.8 on. */
type Zstd = { readonly zstdCompress?: typeof zlib.gzip; readonly zstdDecompress?: typeof zlib.gunzip };

/** gzip, as every Node.js has it. */
export function loadGzip(): Codec {
  return codecOf(promisify(zlib.gzip) as Pack, promisify(zlib.gunzip) as Unpack);
}

/** zstd of Node.js. @throws {KafkaFailure} `refused` if this one has none. */
export function loadZstd(): Codec {
  const { zstdCompress, zstdDecompress } = zlib as Zstd;
  if (zstdCompress === undefined || zstdDecompress === undefined) {
    const meaning = `compression with zstd needs Node.js 22.15, 23.8 or later, and this is ${process.version}`;
    throw new KafkaFailure('refused', meaning);
  }
  return codecOf(promisify(zstdCompress) as Pack, promisify(zstdDecompress) as Unpack);
}

function codecOf(compress: Pack, decompress: Unpack): Codec {
  return { compress, decompress: (compressed) => decompress(compressed, { maxOutputLength }) };
}
