import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeAckMap, encodeAckMap, longestMetadata } from '../src/ack-map.ts';
import type { Run } from '../src/partition-tracker.ts';

/** Runs behind `watermark`, of these lengths: open, done, open, done, and so on. */
function runsOf(watermark: number, lengths: readonly (readonly [number, number])[]): Run[] {
  let at = watermark;
  return lengths.map(([open, done]) => {
    const start = at + open;
    at = start + done;
    return { start, end: at };
  });
}

describe('the acknowledgements that are committed with an offset', () => {
  test('are read as they were written', () => {
    const length = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 2 ** 40 }));
    const lengths = fc.array(fc.tuple(length, length), { maxLength: 100 });
    fc.assert(
      fc.property(fc.nat(), lengths, (watermark, parts) => {
        const runs = runsOf(watermark, parts);
        expect(decodeAckMap(watermark, encodeAckMap(watermark, runs))).toEqual(runs);
      }),
    );
  });

  test('take 12 characters where one record of 50,000 is slow', () => {
    expect(encodeAckMap(7, [{ start: 8, end: 50_007 }])).toHaveLength(12);
  });

  test('are the first ones that fit into what a broker takes', () => {
    const runs = runsOf(0, Array(5000).fill([1, 1]));
    const text = encodeAckMap(0, runs);
    expect(text.length).toBeLessThanOrEqual(longestMetadata);
    expect(text.length).toBeGreaterThan(longestMetadata - 8);
    const read = decodeAckMap(0, text);
    expect(read).toEqual(runs.slice(0, read.length));
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['an empty text', ''],
    ['the words of somebody else', 'committed by hand'],
    ['another version', 'nq2:AQE='],
    ['no base64', 'nq1:!!'],
    ['a length that is missing', `nq1:${Buffer.from([1, 1, 1]).toString('base64')}`],
    ['a length that is cut off', `nq1:${Buffer.from([1, 129]).toString('base64')}`],
    ['a length of 0', `nq1:${Buffer.from([0, 1]).toString('base64')}`],
    ['lengths beyond every offset', `nq1:${Buffer.from([...Array(9).fill(255), 1, 1]).toString('base64')}`],
  ])('are none where there is %s', (_what, text) => {
    expect(decodeAckMap(5, text)).toEqual([]);
  });

  test('are never read from text at random as anything but runs in order', () => {
    fc.assert(
      fc.property(fc.nat(), fc.uint8Array({ maxLength: 60 }), (watermark, bytes) => {
        let at = watermark;
        for (const { start, end } of decodeAckMap(watermark, `nq1:${Buffer.from(bytes).toString('base64')}`)) {
          expect(start).toBeGreaterThan(at);
          expect(end).toBeGreaterThan(start);
          at = end;
        }
      }),
    );
  });
});
