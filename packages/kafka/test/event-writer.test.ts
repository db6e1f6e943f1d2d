import fc from 'fast-check';
import type { QueueEvent } from '@nq/core';
import { describe, expect, test } from 'vitest';
import { EventReader } from '../src/event-reader.ts';
import { EventWriter } from '../src/event-writer.ts';
import type { OutgoingRecord } from '../src/kafka-driver.ts';
import { readBatches } from '../src/read-batches.ts';
import { encodeBatch, headBytes } from '../src/record-batch.ts';
import type { WrittenRecord } from '../src/written-record.ts';
import { readWithKafkajs } from './support/kafkajs-batches.ts';

const head = { time: 5000, identity: { id: 7n, epoch: 1 }, sequence: 0 };

const text = fc.string({ minLength: 1, unit: 'grapheme' });
const maybeEmpty = fc.string({ unit: 'grapheme' });
/** Around the lengths from where on texts are written in other ways. */
const longText = fc
  .tuple(
    fc.constantFrom('x', 'é', '🐟'),
    fc.constantFrom(15, 16, 21, 22, 47, 48, 49, 63, 64, 85, 256, 257, 2731, 8190, 20_000),
  )
  .map(([unit, length]) => unit.repeat(length));
/** Some around the length up to which they are written at once. */
const headerName = fc.oneof(
  fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9-]{0,8}$/),
  fc.constantFrom(...[59, 60, 61].map((length) => 'h'.repeat(length))),
);
const event: fc.Arbitrary<QueueEvent> = fc.record(
  {
    // Some say the same as the one before.
    id: fc.oneof(text, fc.constantFrom('a', 'b')),
    type: fc.oneof(fc.constantFrom('order.created', 'order.paid', 't'.repeat(300)), text),
    key: fc.oneof(fc.constantFrom('k', 'é'), maybeEmpty, longText),
    data: fc.oneof(fc.jsonValue({ noUnicodeString: false }), fc.uint8Array(), longText),
    headers: fc.dictionary(headerName, fc.oneof(maybeEmpty, longText), {
      minKeys: 1,
      maxKeys: 40,
    }),
    time: fc.oneof(fc.constantFrom(0, 1), fc.integer({ min: 0, max: 4e12 })),
  },
  { requiredKeys: ['id', 'type', 'data', 'time'] },
);

/** What comes back of `given`. */
const asItTravels = (given: QueueEvent): QueueEvent => ({
  ...given,
  data: given.data instanceof Uint8Array ? given.data : (JSON.parse(JSON.stringify(given.data)) as unknown),
});

/** The events in records, after they were in a batch. */
async function eventsOf(records: readonly OutgoingRecord[]): Promise<readonly unknown[]> {
  const bytes = encodeBatch(records, head);
  const { records: came } = await readBatches({ bytes, from: 0, aborted: [], enoughBytes: Infinity });
  const reader = new EventReader({});
  return came.map((record) => reader.read(record)).map((read) => ('event' in read ? read.event : read.flaw));
}

describe('a record that an event is written as', () => {
  test('carries it as it is, whatever was written before, to whichever partition', async () => {
    const pushed = fc.array(fc.tuple(event, fc.integer({ min: 0, max: 2 })), { minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(pushed, async (given) => {
        const writer = new EventWriter(Infinity);
        const records = given.map(([one, partition]) => writer.write(one, partition));
        expect(await eventsOf(records)).toEqual(given.map(([one]) => asItTravels(one)));
      }),
      { numRuns: 300 },
    );
  });

  test('is in the binary mode of the CloudEvents binding', () => {
    const given = { id: 'a', type: 't', key: 'k', data: { n: 1 }, time: 0 };
    const { key, value, headers } = new EventWriter(Infinity).write(given, 0);
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

  test('is read by kafkajs, also beside records that were not written before', async () => {
    const writer = new EventWriter(Infinity);
    const written = Array.from({ length: 100 }, (_, index) =>
      writer.write({ id: `${index}`, type: 't', data: 'é'.repeat(index), time: index >> 3 }, 0),
    );
    const plain = written.map(({ key, value, headers }): OutgoingRecord => ({ key, value, headers }));
    const mixed = written.map((record, index) => (index % 3 === 0 ? (plain[index] as OutgoingRecord) : record));
    const came = await readWithKafkajs(encodeBatch(mixed, head));
    expect(came.map(({ value }) => value?.toString())).toEqual(plain.map(({ value }) => value?.toString()));
    expect(came.map(({ headers }) => String(headers['ce_id']))).toEqual(written.map((_, index) => `${index}`));
  });

  test('is refused if it is larger than a record may be, and leaves nothing behind', async () => {
    const given = { id: 'a', type: 't', key: 'k', data: 'x'.repeat(1000), time: 0 };
    const { bytes } = new EventWriter(Infinity).write(given, 0);
    const writer = new EventWriter(bytes);
    const first = writer.write(given, 0);
    const tooLarge = { ...given, data: `${given.data}y` };
    expect(() => writer.write(tooLarge, 0)).toThrow(`"a": ${bytes + 1} bytes are more than the ${bytes} allowed`);
    const second = writer.write({ ...given, id: 'b' }, 0);
    expect(second.start).toBe(first.end);
    expect(await eventsOf([first, second])).toEqual([given, { ...given, id: 'b' }]);
  });

  test('is about as large as it says, and no larger, wherever in a batch it is', () => {
    const writer = new EventWriter(Infinity);
    const records = Array.from({ length: 10_000 }, (_, index) =>
      writer.write({ id: `${index}`, type: 't', data: 'x'.repeat(index % 200), time: 0 }, 0),
    );
    const told = records.reduce((sum, { bytes }) => sum + bytes, 0);
    const { length } = encodeBatch(records, head);
    expect(length - headBytes).toBeLessThanOrEqual(told);
    expect(length).toBeGreaterThan(told / 1.2);
  });

  const small = { id: 'a', type: 't', data: 'x'.repeat(100), time: 0 };
  test.each<[string, QueueEvent]>([
    ['few headers', small],
    ['headers of 350 bytes', { ...small, headers: { note: 'x'.repeat(350) } }],
    ['headers of 1,000 bytes, not in ASCII', { ...small, headers: { note: 'é'.repeat(500) } }],
    ['many headers', { ...small, headers: Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`h${n}`, 'x'])) }],
    ['a key of 700 bytes', { ...small, key: 'k'.repeat(700) }],
    ['data of 5,000 bytes', { ...small, data: 'x'.repeat(5000) }],
    ['data of 20,000 bytes', { ...small, data: 'x'.repeat(20_000) }],
  ])(
    'keeps no more than three times the memory it takes, with %s, also if others come all the time',
    (_what, given) => {
      const writer = new EventWriter(100_000);
      const [stuck, refused] = [[] as WrittenRecord[], { ...given, data: 'x'.repeat(200_000) }];
      for (let round = 0; round < 100; round++) {
        for (let partition = 1; partition < 100; partition++) writer.write(given, partition);
        stuck.push(writer.write(given, 0));
        expect(() => writer.write(refused, 0)).toThrow('are more than the 100000 allowed');
      }
      const kept = [...new Set(stuck.map(({ source }) => source))].reduce((sum, { length }) => sum + length, 0);
      const taken = stuck.reduce((sum, { bytes }) => sum + bytes, 0);
      expect(kept).toBeLessThan(3 * taken);
    },
  );
});
