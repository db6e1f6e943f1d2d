import type { Run } from './partition-tracker.ts';

/** What is known of a record that was handed out before and is not done. */
export interface NotedRecord {
  readonly offset: number;
  /** How often it was handed out. */
  readonly attempts: number;
  /**
   * Whether it is handed out at the moment; or how long nobody gets it, in milliseconds from the commit on: the clocks of two
   * processes may differ.
   */
  readonly state: 'ready' | 'out' | { readonly delayMs: number };
}

/** What is committed with an offset, besides the offset. */
export interface PartitionNote {
  /** What is done behind the offset, in order and apart from one another. */
  readonly done: readonly Run[];
  /** In order. */
  readonly records: readonly NotedRecord[];
}

/** The note of a partition of which nothing is known. */
export const emptyNote: PartitionNote = { done: [], records: [] };

/**
 * A note as the text that is committed with an offset. Whoever has the partition next leaves out what is done: without
 * that, one slow record would bring back everything behind it. It goes on counting hand-outs, so that a record which kills
 * its process does not do so for ever, and keeps delays.
 *
 * The text is `nq1:` and base64 of numbers in base 128 with the highest bit of all bytes but the last set (LEB128). First,
 * by turns, how many records from the offset on are open, and how many are done; then a 0; then for each record its
 * distance from the one before, or at first from the offset, four times its attempts plus 0 (ready), 1 (handed out) or 2
 * (delayed), and in the last case how long. Text that begins otherwise is left alone, and tells nothing.
 */
const version = 'nq1:';

/** As many characters as a broker takes that was not configured otherwise (`offset.metadata.max.bytes`). */
export const longestNote = 4096;

/**
 * The text for `note`, with as much of its beginning as fits into `mostCharacters`; empty if there is nothing to say. What
 * does not fit is forgotten if the process is killed: it comes again, counts its hand-outs anew, or comes too early.
 */
export function encodeNote(offset: number, { done, records }: PartitionNote, mostCharacters = longestNote): string {
  if (done.length === 0 && records.length === 0) return '';
  const mostBytes = Math.floor((mostCharacters - version.length) / 4) * 3;
  const bytes: number[] = [];
  const addWhole = (numbers: readonly number[], reserve: number): boolean => {
    const before = bytes.length;
    for (const number of numbers) write(bytes, number);
    if (bytes.length + reserve <= mostBytes) return true;
    bytes.length = before;
    return false;
  };
  let at = offset;
  for (const { start, end } of done) {
    if (!addWhole([start - at, end - start], 1)) break;
    at = end;
  }
  write(bytes, 0);
  at = offset;
  for (const { offset: own, attempts, state } of records) {
    const code = state === 'ready' ? 0 : state === 'out' ? 1 : 2;
    const delayMs = typeof state === 'object' ? [Math.max(0, Math.ceil(state.delayMs))] : [];
    if (!addWhole([own - at, 4 * attempts + code, ...delayMs], 0)) break;
    at = own;
  }
  return bytes.length > mostBytes ? '' : version + Buffer.from(bytes).toString('base64');
}

/** The note that {@link encodeNote} has written; an empty one for any other text, which somebody else may have committed. */
export function decodeNote(offset: number, text: string | null | undefined): PartitionNote {
  if (text === null || text === undefined || !text.startsWith(version)) return emptyNote;
  const encoded = text.slice(version.length);
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded) || encoded.length % 4 !== 0) return emptyNote;
  const numbers = read(Buffer.from(encoded, 'base64'));
  if (numbers === undefined) return emptyNote;
  const middle = numbers.indexOf(0);
  const done = readRuns(offset, numbers.slice(0, middle));
  const records = readRecords(offset, numbers.slice(middle + 1));
  return middle === -1 || done === undefined || records === undefined ? emptyNote : { done, records };
}

/** `undefined` if these are no runs. No length is 0: that is where they end. */
function readRuns(offset: number, lengths: readonly number[]): Run[] | undefined {
  if (lengths.length % 2 !== 0) return undefined;
  const runs: Run[] = [];
  let at = offset;
  for (let index = 0; index < lengths.length; index += 2) {
    const start = at + (lengths[index] as number);
    at = start + (lengths[index + 1] as number);
    if (!Number.isSafeInteger(at)) return undefined;
    runs.push({ start, end: at });
  }
  return runs;
}

function readRecords(offset: number, numbers: readonly number[]): NotedRecord[] | undefined {
  const records: NotedRecord[] = [];
  let at = offset;
  for (let index = 0; index < numbers.length;) {
    const distance = numbers[index++] as number;
    const coded = numbers[index++];
    if (coded === undefined || (distance === 0 && records.length > 0)) return undefined;
    at += distance;
    if (!Number.isSafeInteger(at)) return undefined;
    const attempts = Math.floor(coded / 4);
    const code = coded % 4;
    if (code === 3) return undefined;
    const delayMs = code === 2 ? numbers[index++] : 0;
    if (delayMs === undefined) return undefined;
    records.push({ offset: at, attempts, state: code === 0 ? 'ready' : code === 1 ? 'out' : { delayMs } });
  }
  return records;
}

function write(bytes: number[], number: number): void {
  let left = number;
  // Not with shifts, which know 32 bits only.
  for (; left > 127; left = Math.floor(left / 128)) bytes.push((left % 128) | 128);
  bytes.push(left);
}

/** `undefined` if a number is too large to be one, or cut off. */
function read(bytes: Uint8Array): number[] | undefined {
  const numbers: number[] = [];
  let number = 0;
  let unit = 1;
  for (const byte of bytes) {
    if (unit > 2 ** 49) return undefined;
    number += (byte & 127) * unit;
    unit *= 128;
    if (!Number.isSafeInteger(number)) return undefined;
    if (byte > 127) continue;
    numbers.push(number);
    number = 0;
    unit = 1;
  }
  return unit === 1 ? numbers : undefined;
}
