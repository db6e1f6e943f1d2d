import fc from 'fast-check';
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { murmur2, partitionOf } from '../src/murmur2.ts';

const bytesOf = (text: string): Uint8Array => Buffer.from(text);

describe('the partition of a key', () => {
  // Those of UtilsTest.testMurmur2 of Apache Kafka.
  test.each([
    ['21', -973_932_308],
    ['foobar', -790_332_482],
    ['a-little-bit-long-string', -985_981_536],
    ['a-little-bit-longer-string', -1_486_304_829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58_897_971],
    ['abc', 479_470_107],
  ])('is chosen by the hash of the Java client: %s', (key, hash) => {
    expect(murmur2(bytesOf(key))).toBe(hash);
  });

  test('is the one that kafkajs chooses by default, for any bytes', () => {
    const require = createRequire(import.meta.url);
    const theirs = require('kafkajs/src/producer/partitioners/default/murmur2') as (key: Uint8Array) => number;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (key) => {
        expect(murmur2(key)).toBe(theirs(Buffer.from(key)));
      }),
      { numRuns: 2000 },
    );
  });

  test('is that of its bytes, for a key that is a text', () => {
    const key = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom(...[340, 341, 342, 1023, 1025].flatMap((length) => ['x'.repeat(length), '€'.repeat(length)])),
    );
    fc.assert(
      fc.property(key, (given) => {
        expect(partitionOf(given, 1_000_003)).toBe(partitionOf(bytesOf(given), 1_000_003));
      }),
      { numRuns: 1000 },
    );
  });

  test('is one of those that there are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.integer({ min: 1, max: 1000 }), (key, count) => {
        const partition = partitionOf(key, count);
        expect(partition).toBeGreaterThanOrEqual(0);
        expect(partition).toBeLessThan(count);
      }),
    );
  });
});
