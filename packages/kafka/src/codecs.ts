import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { KafkaFailure } from './kafka-failure.ts';
import { unreadable } from './wire-reader.ts';

/** The largest that records may be when they are unpacked, in bytes: a few that are sent may be made to fill the memory. */
const maxOutputLength = 256 * 1024 * 1024;

const unpackGzip = promisify(gunzip);

/** Unpacks what is compressed with the codec of this number in the attributes of a batch. @throws {KafkaFailure} */
export async function decompress(codec: number, bytes: Buffer): Promise<Buffer> {
  if (codec !== 1) throw new KafkaFailure('codec', 'the codec of the compression is not there');
  try {
    return await unpackGzip(bytes, { maxOutputLength });
  } catch {
    throw unreadable('records cannot be unpacked');
  }
}
