import fc from 'fast-check';
import { systemClock } from '@nq/core';
import { describe, expect, test } from 'vitest';
import { copiedRecord } from '../src/copied-record.ts';
import type { IncomingRecord, OutgoingRecord } from '../src/kafka-driver.ts';
import { readBatches } from '../src/read-batches.ts';
import { encodeBatch } from '../src/record-batch.ts';
import { type Decoded, EventReader } from '../src/event-reader.ts';

const plain = (value: string | Buffer | null, headers = {}, key: string | null = null): IncomingRecord => ({
  ...{ offset: 0, time: 0, isBrokerTime: false, bytes: 0, headers },
  key: key === null ? null : Buffer.from(key),
  value: typeof value === 'string' ? Buffer.from(value) : value,
});

/** Records as they are fetched, and the same with all that they hold written out. */
async function stored(records: readonly OutgoingRecord[]): Promise<(readonly [IncomingRecord, IncomingRecord])[]> {
  const bytes = encodeBatch(records, { time: 5000, identity: { id: 7n, epoch: 1 }, sequence: 0 });
  const { records: fetched } = await readBatches({ bytes, from: 0, aborted: [], enoughBytes: Infinity });
  return fetched.map((record) => [record, copiedRecord(record)] as const);
}

const read = (record: IncomingRecord, foreignKey?: string) =>
  new EventReader({ foreign: { key: foreignKey } }).read(record);

describe('a record', () => {
  test('may be in the structured mode, or plain JSON of others, with the key of the record or a member', () => {
    const structured = '{"specversion":"1.0","id":"a","type":"t","time":"1970-01-01T00:00:01Z","data":5}';
    expect(read(plain(structured))).toMatchObject({ event: { id: 'a', type: 't', data: 5, time: 1000 } });
    expect(read(plain('{"type":"t","n":1}', {}, 'k'))).toMatchObject({
      event: { type: 't', key: 'k', data: { n: 1 } },
    });
    expect(read(plain('{"type":"t","account":7}', {}, 'k'), 'account')).toMatchObject({ event: { key: '7' } });
  });

  test('is read the same as it is fetched, and with all that it holds written out', async () => {
    const name = fc.constantFrom(
      ...['ce_specversion', 'ce_id', 'ce_type', 'ce_type', 'ce_time', 'ce_partitionkey', 'ce_source', 'ce_subject'],
      ...[
        'content-type',
        'Content-Type',
        'ce_datacontenttype',
        'ce_content-type',
        'ce_data_base64',
        'ce_',
        'ce___proto__',
        'x',
        'ce_é',
      ],
    );
    const bytes = fc.constantFrom(Buffer.from('é'), Buffer.from([0xff]), Buffer.from('1.0'), Buffer.from('\u{fffd}'));
    const value = fc.oneof(
      fc.constantFrom(
        '1.0',
        '1.0',
        '1.0',
        'a',
        'application/json',
        'application/vnd.x+json; charset=utf-8',
        'text/plain',
      ),
      fc.constantFrom('1970-01-01T00:00:00Z', 'é', '', 'x'.repeat(300)),
      bytes,
    );
    const headers = fc.oneof(
      fc.dictionary(name, fc.oneof(value, fc.array(value, { minLength: 2, maxLength: 3 })), { maxKeys: 8 }),
      fc.constant({ ce_specversion: '1.0', ce_id: 'a', ce_type: 't', ce_time: '1970-01-01T00:00:00Z' }),
    );
    const content = fc.option(
      fc.oneof(fc.constantFrom('1', '{"type":"t"}', '{', '"\u{fffd}"').map(Buffer.from), bytes),
    );
    const record = fc.record({ key: fc.option(bytes), value: content, headers });
    const reader = new EventReader({ clock: { ...systemClock, date: () => 0 } });
    const withoutNewId = (decoded: Decoded) =>
      'event' in decoded ? { ...decoded.event, id: decoded.event.id.replace(/-[a-z0-9]+$/, '-') } : decoded;
    const outcomes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), async (given) => {
        for (const [fetched, whole] of await stored(given)) {
          const came = reader.read(fetched);
          expect(withoutNewId(came)).toEqual(withoutNewId(reader.read(whole)));
          outcomes.add('event' in came ? 'an event' : came.flaw);
        }
      }),
      { numRuns: 500 },
    );
    expect([...outcomes]).toEqual(
      expect.arrayContaining(['an event', 'Cannot read the event: the value is not UTF-8']),
    );
  });

  test('has what it is in content-type, whatever an attribute of that name says', async () => {
    const headers = { ce_specversion: '1.0', ce_id: 'a', ce_type: 't', 'ce_content-type': 'x' };
    const value = Buffer.from('{"n":1}');
    for (const [sent, data] of [
      [headers, { n: 1 }],
      [{ ...headers, 'Content-Type': 'text/plain' }, new Uint8Array(value)],
    ] as const) {
      const [[fetched, whole]] = (await stored([{ key: null, value, headers: sent }])) as [
        [IncomingRecord, IncomingRecord],
      ];
      expect(read(fetched)).toMatchObject({ event: { data, headers: { 'content-type': 'x' } } });
      expect(read(whole)).toMatchObject({ event: { data, headers: { 'content-type': 'x' } } });
    }
  });

  const binary = { ce_specversion: '1.0', ce_id: 'a', ce_type: 't', ce_time: '1970-01-01T00:00:00Z' };
  test.each<[string, IncomingRecord]>([
    ['no JSON', plain('rubbish')],
    ['no value', plain(null)],
    ['bytes that are no UTF-8', plain(Buffer.from([0x22, 0xff, 0x22]))],
    ['JSON without a type', plain('{"n":1}')],
    ['attributes without a type', plain('1', { ...binary, ce_type: undefined })],
    ['an attribute that is no UTF-8', plain('1', { ...binary, ce_subject: Buffer.from([0xff]) })],
    ['a content type that is no UTF-8', plain('1', { ...binary, 'content-type': Buffer.from([0xff]) })],
    ['another version', plain('1', { ...binary, ce_specversion: '0.3' })],
    ['data that is not what it says', plain('{', binary)],
  ])('with %s is no event, and says why', (_what, record) => {
    expect(read(record)).toMatchObject({ flaw: expect.stringContaining('Cannot read the event') });
  });
});
