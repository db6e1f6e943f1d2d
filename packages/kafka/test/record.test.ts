import { describe, expect, test } from 'vitest';
import type { IncomingRecord } from '../src/kafka-driver.ts';
import { decodeRecord } from '../src/record.ts';

const plain = (value: string | Buffer | null, headers = {}, key: string | null = null): IncomingRecord => ({
  ...{ offset: 0, time: 0, isBrokerTime: false, bytes: 0, headers },
  key: key === null ? null : Buffer.from(key),
  value: typeof value === 'string' ? Buffer.from(value) : value,
});

const read = (record: IncomingRecord, foreignKey?: string) => decodeRecord(record, { foreign: { key: foreignKey } });

describe('a record', () => {
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
