/** The lower bits of a tag say what it is: literals, or a match whose distance has so many bytes behind the tag. */
const distanceBytes = [0, 1, 2, 4] as const;

/** Lengths of literals above this one follow the tag, in one byte to four. */
const longestInTag = 60;

/**
 * Checks a block of Snappy ("Snappy compressed format description", 2011), for snappyjs believes it: of a length that is
 * below zero it reads the same bytes for ever, of a distance it reads beyond the end, and what is missing is zeros.
 *
 * @throws {RangeError} if it does not stand for just as many bytes as it says, or these are more than `most`.
 */
export function checkBlock(block: Buffer, most: number): void {
  let at = 0;
  const number = (bytes: number): number => {
    if (bytes > block.length - at) refuse();
    const value = bytes === 0 ? 0 : block.readUIntLE(at, bytes);
    at += bytes;
    return value;
  };
  let length = 0;
  for (let byte = 0x80, factor = 1; byte > 0x7f; factor *= 0x80) {
    // One of 32 bits has five bytes at most.
    if (factor > 2 ** 28) refuse();
    byte = number(1);
    length += (byte & 0x7f) * factor;
  }
  if (length > most) throw new RangeError(`${length} bytes are more than ${most}`);
  let written = 0;
  while (at < block.length) {
    const tag = number(1);
    const distance = distanceBytes[tag & 3] as number;
    let count = (tag >> 2) + 1;
    if (distance === 0) {
      if (count > longestInTag) count = number(count - longestInTag) + 1;
      if (count > block.length - at) refuse();
      at += count;
    } else {
      const isShort = distance === 1;
      if (isShort) count = ((tag >> 2) & 7) + 4;
      const back = number(distance) + (isShort ? (tag >> 5) << 8 : 0);
      if (back === 0 || back > written) refuse();
    }
    written += count;
    if (written > length) refuse();
  }
  if (written < length) refuse();
}

function refuse(): never {
  throw new RangeError('a Snappy block is not as it should be');
}
