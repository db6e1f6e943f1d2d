import { KafkaFailure } from '../kafka-failure.ts';

/** How records are compressed. */
export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

/** Compresses the records of a batch. */
export interface Codec {
  /** The whole of it at once. */
  compress(plain: Buffer): Promise<Buffer>;
  /** @throws if `compressed` is not what the codec writes, or would be more than `mostBytes` without it. */
  decompress(compressed: Buffer): Promise<Buffer>;
}

/**
 * The most bytes that the records of a batch may be, and the most records that a compressed one may have: it is easy to make
 * a few bytes that fill the memory of whoever unpacks them. Brokers take batches of a megabyte, by default.
 */
export const mostBytes = 256 * 1024 * 1024;
export const mostRecords = 1_000_000;

/** @throws {KafkaFailure} `codec`, with the line that installs `name`, if that is why `error` was thrown. */
export function refuseMissing(compression: Compression, name: string, error: unknown): never {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ERR_MODULE_NOT_FOUND') throw error;
  const meaning = `compression with ${compression} needs a package that is not here. Run: npm install ${name}`;
  throw new KafkaFailure('codec', meaning, error);
}
