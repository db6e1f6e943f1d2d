import type { Run } from './partition-tracker.ts';

/**
 * What is done behind a committed offset, as text that is committed with it. Whoever has the partition next leaves it out:
 * without that, one slow record would bring back everything that was done behind it.
 *
 * Lengths of runs, by turns of records that are open and that are done, the first from the committed offset on; each as a
 * number in base 128 with the highest bit of all bytes but the last set (LEB128), and all of them in base64. In front stands
 * `nq1:`, the version of this format. Other text is left alone, and tells nothing.
 */
const version = 'nq1:';

/** As many characters as a broker takes that was not configured otherwise (`offset.metadata.max.bytes`). */
export const longestMetadata = 4096;

/**
 * The text for `runs`, as many of the first as fit into `mostCharacters`; empty if there are none. Those that do not fit
 * come again after a crash.
 */
export function encodeAckMap(watermark: number, runs: readonly Run[], mostCharacters = longestMetadata): string {
  const mostBytes = Math.floor((mostCharacters - version.length) / 4) * 3;
  const bytes: number[] = [];
  let at = watermark;
  for (const { start, end } of runs) {
    const before = bytes.length;
    writeLength(bytes, start - at);
    writeLength(bytes, end - start);
    if (bytes.length > mostBytes) {
      bytes.length = before;
      break;
    }
    at = end;
  }
  return bytes.length === 0 ? '' : version + Buffer.from(bytes).toString('base64');
}

/** The runs that {@link encodeAckMap} has written; none for any other text, which somebody else may have committed. */
export function decodeAckMap(watermark: number, text: string | null | undefined): Run[] {
  if (text === null || text === undefined || !text.startsWith(version)) return [];
  const encoded = text.slice(version.length);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded) || encoded.length % 4 !== 0) return [];
  const lengths = readLengths(Buffer.from(encoded, 'base64'));
  if (lengths === undefined || lengths.length % 2 !== 0) return [];
  const runs: Run[] = [];
  let at = watermark;
  for (let index = 0; index < lengths.length; index += 2) {
    const start = at + (lengths[index] as number);
    at = start + (lengths[index + 1] as number);
    if (!Number.isSafeInteger(at)) return [];
    runs.push({ start, end: at });
  }
  return runs;
}

function writeLength(bytes: number[], length: number): void {
  let left = length;
  // Not with shifts, which know 32 bits only.
  for (; left > 127; left = Math.floor(left / 128)) bytes.push((left % 128) | 128);
  bytes.push(left);
}

/** `undefined` if a length is 0, too large to be one, or not whole. */
function readLengths(bytes: Uint8Array): number[] | undefined {
  const lengths: number[] = [];
  let length = 0;
  let unit = 1;
  for (const byte of bytes) {
    length += (byte & 127) * unit;
    unit *= 128;
    if (!Number.isSafeInteger(length) || unit > 2 ** 63) return undefined;
    if (byte > 127) continue;
    if (length === 0) return undefined;
    lengths.push(length);
    length = 0;
    unit = 1;
  }
  return unit === 1 ? lengths : undefined;
}
