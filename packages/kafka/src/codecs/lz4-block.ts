/**
 * Blocks as the "LZ4 Block Format Description" has them: sequences of bytes as they are, and of a match, which are bytes
 * that came before.
 */

/** The largest block that is compressed: how far back a match may be, and what 16 bits count. */
export const largestBlock = 64 * 1024;

/** The most bytes that a block of `length` may be when it is compressed. */
export function worstBlock(length: number): number {
  return length + Math.ceil(length / 255) + 16;
}

/** A match is worth it from so many bytes on. */
const shortestMatch = 4;
/** The last one begins no later than so many bytes before the end, and ends no later than so many. */
const matchMargin = 12;
const lastLiterals = 5;
/** Where nothing has matched for so many times, as a power of two, one more place is passed over each time. */
const patience = 6;
/** A length beyond what its half of a byte holds goes on in bytes behind it, up to one that is less than 255. */
const half = 15;

const tableBits = 13;
/** Where four bytes of a hash were last, from 1 on: of one block at a time. */
const table = new Uint16Array(1 << tableBits);

/**
 * Compresses `block`, which is no larger than {@link largestBlock}, into `target`, where there is room for the worst.
 *
 * @returns how many bytes it is then.
 */
export function compressBlock(block: Buffer, target: Buffer): number {
  table.fill(0);
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  const lastStart = block.length - matchMargin;
  const lastEnd = block.length - lastLiterals;
  let written = 0;
  let literals = 0;
  let tries = 1 << patience;
  for (let at = 0; at <= lastStart;) {
    const four = view.getInt32(at, true);
    const hash = Math.imul(four, 0x9e3779b1) >>> (32 - tableBits);
    const match = (table[hash] as number) - 1;
    table[hash] = at + 1;
    if (match < 0 || view.getInt32(match, true) !== four) {
      at += tries++ >> patience;
      continue;
    }
    tries = 1 << patience;
    let end = at + shortestMatch;
    while (end < lastEnd && block[end] === block[match + end - at]) end++;
    const length = end - at - shortestMatch;
    written = writeLiterals(block.subarray(literals, at), length, target, written);
    target[written++] = at - match;
    target[written++] = (at - match) >> 8;
    if (length >= half) written = writeRest(length - half, target, written);
    literals = end;
    at = end;
  }
  return writeLiterals(block.subarray(literals), 0, target, written);
}

/** @param matched how much longer than the shortest the match behind them is. */
function writeLiterals(literals: Buffer, matched: number, target: Buffer, from: number): number {
  const { length } = literals;
  let written = from;
  target[written++] = (Math.min(length, half) << 4) | Math.min(matched, half);
  if (length >= half) written = writeRest(length - half, target, written);
  target.set(literals, written);
  return written + length;
}

function writeRest(length: number, target: Buffer, from: number): number {
  let written = from;
  let left = length;
  for (; left >= 255; left -= 255) target[written++] = 255;
  target[written++] = left;
  return written;
}

/**
 * Writes what `block` stands for into `target`, from `from` on and not beyond `most`. Its matches may be in what is in
 * `target` before.
 *
 * @returns where it ends.
 * @throws {RangeError} if it is none.
 */
export function decompressBlock(block: Buffer, target: Buffer, from: number, most: number): number {
  let at = 0;
  let written = from;
  /** What is left of a length that began in half a byte. */
  const rest = (): number => {
    let length = half;
    let byte = 255;
    while (byte === 255) {
      byte = block[at++] ?? refuse();
      length += byte;
    }
    return length;
  };
  for (;;) {
    const token = block[at++] ?? refuse();
    const literals = token >> 4 === half ? rest() : token >> 4;
    if (literals > block.length - at || literals > most - written) refuse();
    block.copy(target, written, at, at + literals);
    written += literals;
    at += literals;
    if (at === block.length) return written;
    const distance = (block[at++] ?? refuse()) | ((block[at++] ?? refuse()) << 8);
    const length = ((token & half) === half ? rest() : token & half) + shortestMatch;
    if (distance === 0 || distance > written || length > most - written) refuse();
    // One that goes on in itself repeats what it has just written.
    for (let end = written + length; written < end; written++) target[written] = target[written - distance] as number;
  }
}

function refuse(): never {
  throw new RangeError('an LZ4 block is not as it should be');
}
