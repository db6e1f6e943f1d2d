/**
 * The hash by which the Java client, and whoever follows it, chooses the partition of a key: murmur2 in 32 bits, as
 * `org.apache.kafka.common.utils.Utils.murmur2` of Apache Kafka computes it.
 *
 * @param length of how many of the `bytes`. @returns a signed integer of 32 bits.
 */
export function murmur2(bytes: Uint8Array, length = bytes.length): number {
  let hash = seed ^ length;
  const whole = length & ~3;
  for (let at = 0; at < whole; at += 4) {
    let word = byteOf(bytes, at) | (byteOf(bytes, at + 1) << 8) | (byteOf(bytes, at + 2) << 16);
    word = Math.imul(word | (byteOf(bytes, at + 3) << 24), multiplier);
    word = Math.imul(word ^ (word >>> rotation), multiplier);
    hash = Math.imul(hash, multiplier) ^ word;
  }
  if (length > whole) {
    for (let at = length - 1; at >= whole; at--) hash ^= byteOf(bytes, at) << (8 * (at - whole));
    hash = Math.imul(hash, multiplier);
  }
  hash = Math.imul(hash ^ (hash >>> 13), multiplier);
  return hash ^ (hash >>> 15);
}

/** The partition of `key` among `count`, the same that the Java client chooses. */
export function partitionOf(key: Uint8Array | string, count: number): number {
  // Without the sign, which is not the absolute value.
  return ((typeof key === 'string' ? murmur2OfText(key) : murmur2(key)) & 0x7fffffff) % count;
}

/** Where texts are written to be read. */
const scratch = Buffer.alloc(1024);

function murmur2OfText(text: string): number {
  const mostBytes = 3 * text.length;
  return mostBytes > scratch.length ? murmur2(Buffer.from(text)) : murmur2(scratch, scratch.write(text));
}

const seed = 0x9747b28c;
const multiplier = 0x5bd1e995;
const rotation = 24;

const byteOf = (bytes: Uint8Array, at: number): number => bytes[at] as number;
