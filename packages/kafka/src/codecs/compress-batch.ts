import { at, headBytes, seal } from '../record-batch.ts';
import type { Compression } from './codec.ts';
import { compressions, loadCodec } from './load-codec.ts';

/**
 * A record batch of which nothing was compressed, with its records compressed: for `none` the same bytes, in the same place.
 *
 * @throws {KafkaFailure} if there is no such codec here.
 */
export async function compressBatch(batch: Buffer, compression: Compression): Promise<Buffer> {
  const codec = await loadCodec(compression);
  if (codec === undefined) return batch;
  const compressed = Buffer.concat([batch.subarray(0, headBytes), await codec.compress(batch.subarray(headBytes))]);
  compressed.writeInt16BE(batch.readInt16BE(at.attributes) | compressions.indexOf(compression), at.attributes);
  return seal(compressed);
}
