import fc from 'fast-check';
import type { QueueEvent } from '@nq/core';
import { describe, expect, test } from 'vitest';
import type { IncomingRecord } from '../src/kafka-driver.ts';
import { decodeRecord, encodeRecord } from '../src/record.ts';

/** What a partition makes of a record: headers come as bytes. */
function received({ key, value, headers }: Pick<IncomingRecord, 'key' | 'value' | 'headers'>): IncomingRecord {
  const bytes = Object.entries(headers).map(([name, text]) => [name, Buffer.from(String(text))]);
  return { offset: 0, time: 0, isBrokerTime: false, bytes: 0, key, value, headers: Object.fromEntries(bytes) };
}

const plain = (value: string | Buffer | null, headers = {}, key: string | null = null): IncomingRecord => ({
  ...{ offset: 0, time: 0, isBrokerTime: false, bytes: 0, headers },
  key: key === null ? null : Buffer.from(key),
  value: typeof value === 'string' ? Buffer.from(value) : value,
});

const read = (record: IncomingRecord, foreignKey?: string) => decodeRecord(record, { foreign: { key: foreignKey } });

describe('a record', () => {
  test('carries every event as it is', () => {
    const text = fc.string({ minLength: 1, unit: 'grapheme' });
    const event = fc.record(
      {
        id: text,
        type: text,
        key: text,
        data: fc.oneof(fc.jsonValue({ noUnicodeString: false }), fc.uint8Array()),
        headers: fc.dictionary(fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9-]{0,8}$/), fc.string({ unit: 'grapheme' }), {
          minKeys: 1,
        }),
        time: fc.integer({ min: 0, max: 4e12 }),
      },
      { requiredKeys: ['id', 'type', 'data', 'time'] },
    );
    fc.assert(
      fc.property(event, (given) => {
        const expected = JSON.parse(JSON.stringify(given)) as QueueEvent;
        const { event: came } = read(received(encodeRecord(given, Infinity))) as { event: QueueEvent };
        const data = given.data instanceof Uint8Array ? given.data : expected.data;
        expect(came).toEqual({ ...expected, data });
      }),
    );
  });

  test('is in the binary mode of the CloudEvents binding', () => {
    const { key, value, headers } = encodeRecord({ id: 'a', type: 't', key: 'k', data: { n: 1 }, time: 0 }, Infinity);
    expect([key?.toString(), value?.toString()]).toEqual(['k', '{"n":1}']);
    expect(headers).toEqual({
      ce_specversion: '1.0',
      ce_id: 'a',
      ce_source: '/nq',
      ce_type: 't',
      ce_time: '1970-01-01T00:00:00.000Z',
      ce_partitionkey: 'k',
      'content-type': 'application/json',
    });
  });

  test('is refused if it is larger than a record may be', () => {
    const event = { id: 'a', type: 't', data: 'x'.repeat(1000), time: 0 };
    const { bytes } = encodeRecord(event, Infinity);
    expect(() => encodeRecord(event, bytes - 1)).toThrow(`${bytes} bytes are more than the ${bytes - 1} allowed`);
    expect(encodeRecord(event, bytes).bytes).toBe(bytes);
  });

  test('may be in the structured mode, or plain JSON of others, with the key of the record or a member', () => {
    const structured = '{"specversion":"1.0","id":"a","type":"t","time":"1970-01-01T00:00:01Z","data":5}';
    expect(read(plain(structured))).toMatchObject({ event: { id: 'a', type: 't', data: 5, time: 1000 } });
    expect(read(plain('{"type":"t","n":1}', {}, 'k'))).toMatchObject({
      event: { type: 't', key: 'k', data: { n: 1 } },
    });
    expect(read(plain('{"type":"t","account":7}', {}, 'k'), 'account')).toMatchObject({ event: { key: '7' } });
  });

  const binary = { ce_specversion: '1.0', ce_id: 'a', ce_type: 't', ce_time: '1970-01-01T00:00:00Z' };
  test.each<[string, IncomingRecord]>([
    ['no JSON', plain('rubbish')],
    ['no value', plain(null)],
    ['bytes that are no UTF-8', plain(Buffer.from([0x22, 0xff, 0x22]))],
    ['JSON without a type', plain('{"n":1}')],
    ['attributes without a type', plain('1', { ...binary, ce_type: undefined })],
    ['an attribute that is no UTF-8', plain('1', { ...binary, ce_subject: Buffer.from([0xff]) })],
    ['another version', plain('1', { ...binary, ce_specversion: '0.3' })],
    ['data that is not what it says', plain('{', binary)],
  ])('with %s is no event, and says why', (_what, record) => {
    expect(read(record)).toMatchObject({ flaw: expect.stringContaining('Cannot read the event') });
  });
});
