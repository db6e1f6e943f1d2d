import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeNote, emptyNote, encodeNote, longestNote, type NotedRecord } from '../src/partition-note.ts';
import type { Run } from '../src/partition-tracker.ts';

/** Runs behind `offset`, of these lengths: open, done, open, done, and so on. */
function runsOf(offset: number, lengths: readonly (readonly [number, number])[]): Run[] {
  let at = offset;
  return lengths.map(([open, done]) => {
    const start = at + open;
    at = start + done;
    return { start, end: at };
  });
}

const length = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 2 ** 40 }));
const state = fc.oneof(
  fc.constantFrom('ready' as const, 'out' as const),
  fc.record({ delayMs: fc.integer({ min: 0, max: 2 ** 45 }) }),
);
const records = fc.array(fc.tuple(length, fc.integer({ min: 0, max: 1000 }), state), { maxLength: 50 });

/** Those records behind `offset`, each so far from the one before. */
function recordsOf(offset: number, parts: readonly (readonly [number, number, NotedRecord['state']])[]): NotedRecord[] {
  let at = offset - 1;
  return parts.map(([distance, attempts, own]) => ({ offset: (at += distance), attempts, state: own }));
}

describe('what is committed with an offset', () => {
  test('is read as it was written', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.array(fc.tuple(length, length), { maxLength: 50 }),
        records,
        (offset, lengths, parts) => {
          const note = { done: runsOf(offset, lengths), records: recordsOf(offset, parts) };
          expect(decodeNote(offset, encodeNote(offset, note))).toEqual(note);
        },
      ),
    );
  });

  test('takes 12 characters where one record of 50,000 is slow', () => {
    expect(encodeNote(7, { done: [{ start: 8, end: 50_007 }], records: [] })).toHaveLength(12);
  });

  test('is the beginning of it where it does not fit into what a broker takes', () => {
    const done = runsOf(
      0,
      Array.from({ length: 5000 }, () => [1, 1] as const),
    );
    const held = recordsOf(
      0,
      Array.from({ length: 5000 }, () => [2, 1, { delayMs: 1_800_000_000_000 }] as const),
    );
    for (const note of [
      { done, records: held },
      { done: [], records: held },
    ]) {
      const text = encodeNote(0, note);
      expect(text.length).toBeLessThanOrEqual(longestNote);
      expect(text.length).toBeGreaterThan(longestNote - 24);
      const read = decodeNote(0, text);
      expect(read.done).toEqual(note.done.slice(0, read.done.length));
      expect(read.records).toEqual(note.records.slice(0, read.records.length));
    }
    expect(encodeNote(0, { done, records: held }, 0)).toBe('');
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['an empty text', ''],
    ['the words of somebody else', 'committed by hand'],
    ['another version', 'nq2:AQE='],
    ['no base64', 'nq1:!!'],
    ['no end of what is done', `nq1:${Buffer.from([1, 1]).toString('base64')}`],
    ['a length that is missing', `nq1:${Buffer.from([1, 0]).toString('base64')}`],
    ['a number that is cut off', `nq1:${Buffer.from([1, 1, 0, 129]).toString('base64')}`],
    ['lengths beyond every offset', `nq1:${Buffer.from([...Array<number>(9).fill(255), 1, 1, 0]).toString('base64')}`],
    ['a record without attempts', `nq1:${Buffer.from([0, 5]).toString('base64')}`],
    ['a record in an unknown state', `nq1:${Buffer.from([0, 5, 7]).toString('base64')}`],
    ['a delay without its end', `nq1:${Buffer.from([0, 5, 6]).toString('base64')}`],
    ['a record twice', `nq1:${Buffer.from([0, 5, 4, 0, 4]).toString('base64')}`],
  ])('tells nothing where there is %s', (_what, text) => {
    expect(decodeNote(5, text)).toEqual(emptyNote);
  });

  test('is never read from bytes at random as anything but runs and records in order', () => {
    fc.assert(
      fc.property(fc.nat(), fc.uint8Array({ maxLength: 60 }), (offset, bytes) => {
        const note = decodeNote(offset, `nq1:${Buffer.from(bytes).toString('base64')}`);
        let at = offset;
        for (const { start, end } of note.done) {
          expect(start).toBeGreaterThan(at);
          expect(end).toBeGreaterThan(start);
          at = end;
        }
        at = offset - 1;
        for (const record of note.records) {
          expect(record.offset).toBeGreaterThan(at);
          at = record.offset;
        }
      }),
    );
  });
});
