import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../src/crc32c.ts';

const ofKafkajs = createRequire(import.meta.url)('kafkajs/src/protocol/recordBatch/crc32C') as (
  bytes: Buffer,
) => number;

const ascending = Uint8Array.from({ length: 32 }, (_, index) => index);

describe('crc32c()', () => {
  // The first is the check value of the catalogue of CRCs, the others are of RFC 3720, appendix B.4.
  test.each([
    ['the digits 1 to 9', Buffer.from('123456789'), 0xe3069283],
    ['32 bytes of zeros', new Uint8Array(32), 0x8a9136aa],
    ['32 bytes of ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ['32 bytes that rise', ascending, 0x46dd794e],
    ['32 bytes that fall', ascending.toReversed(), 0x113fdb5c],
    ['nothing', new Uint8Array(0), 0],
  ])('of %s is as it is published', (_, bytes, crc) => {
    expect(crc32c(bytes)).toBe(crc);
  });

  test('is the same of part of a buffer, wherever it begins and however long it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(20), fc.nat(20), (bytes, before, start) => {
        const whole = Buffer.concat([Buffer.alloc(before, 1), bytes]);
        expect(crc32c(whole.subarray(before), Math.min(start, bytes.length))).toBe(
          ofKafkajs(Buffer.from(bytes.subarray(Math.min(start, bytes.length)))),
        );
      }),
    );
  });
});
