import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c } from '../src/crc32c.ts';
import type { IncomingRecord, OutgoingRecord } from '../src/kafka-driver.ts';
import { KafkaFailure } from '../src/kafka-failure.ts';
import { type AbortedTransaction, readBatches, type ReadRecords } from '../src/read-batches.ts';
import { at, encodeBatch, headBytes, seal } from '../src/record-batch.ts';
import { readWithKafkajs, writeWithKafkajs } from './support/kafkajs-batches.ts';

type Headers = OutgoingRecord['headers'];

const bytes = fc.uint8Array({ maxLength: 300 }).map((given) => Buffer.from(given));
const text = fc.string({ unit: 'grapheme', maxLength: 100 });
// Some are nearly the same.
const headerOf = fc.oneof(
  text,
  bytes,
  fc.constantFrom('ab', 'ac', 'é', 'aé', Buffer.from('ab'), Buffer.from([0xc3, 0x28])),
);
const headersWith = (name: fc.Arbitrary<string>): fc.Arbitrary<Headers> =>
  fc.dictionary(name, fc.oneof(headerOf, fc.array(headerOf, { minLength: 2, maxLength: 3 })), { maxKeys: 8 });
const recordWith = (name: fc.Arbitrary<string>): fc.Arbitrary<OutgoingRecord> =>
  fc.record({ key: fc.option(bytes), value: fc.option(bytes), headers: headersWith(name) });
const anyName = fc.oneof(text, fc.constantFrom('__proto__', 'toString', 'constructor', '', 'ab', 'ac'));
// kafkajs takes what every object has for a header that is there already.
const plainName = fc.stringMatching(/^h[a-z0-9é€-]{0,60}$/u);

const identity = { id: 2n ** 62n, epoch: 7 };
const head = { time: 1_764_405_333_123, identity, sequence: 2 ** 31 - 1 };

/** Headers as bytes, whichever way they are told. */
function inBytes(headers: Headers): Readonly<Record<string, readonly string[]>> {
  const told = Object.keys(headers).map((name) => {
    const values = [headers[name]].flat() as readonly (Buffer | string)[];
    return [name, values.map((value) => Buffer.from(value as string).toString('hex'))] as const;
  });
  return Object.fromEntries(told);
}

const plain = ({ key, value, headers }: OutgoingRecord) => ({ key, value, headers: inBytes(headers) });

function read(
  sent: Buffer,
  { from = 0, aborted = [] as readonly AbortedTransaction[], enoughBytes = Infinity } = {},
): Promise<ReadRecords> {
  return readBatches({ bytes: sent, from, aborted, enoughBytes });
}

/** `batch` with its first offset, its attributes or its number of records made others. */
function changed(
  batch: Buffer,
  { first, attributes, count }: { first?: number; attributes?: number; count?: number },
): Buffer {
  const copy = Buffer.from(batch);
  if (first !== undefined) copy.writeBigInt64BE(BigInt(first), at.baseOffset);
  if (attributes !== undefined) copy.writeInt16BE(attributes, at.attributes);
  if (count !== undefined) copy.writeInt32BE(count, at.count);
  return seal(copy);
}

/** A batch with a header whose name is of length -1, where bytes may be missing, and a name may not. */
function withoutName(): Buffer {
  const batch = encodeBatch([{ key: null, value: null, headers: { '': 'value' } }], head);
  // In front of the value and its length.
  batch.writeInt8(1, batch.length - 'value'.length - 2);
  return seal(batch);
}

/** A batch of one short record, whose time is `delta` after that of the batch. */
function timed(batch: Buffer, baseTime: bigint, delta: bigint): Buffer {
  const told: number[] = [];
  let left = delta >= 0n ? 2n * delta : -2n * delta - 1n;
  for (; left > 0x7fn; left >>= 7n) told.push(Number(left & 0x7fn) | 0x80);
  told.push(Number(left));
  // Its length, its attributes, and a time of one byte.
  const [length = 0, attributes = 0] = batch.subarray(headBytes);
  const rest = batch.subarray(headBytes + 3);
  const copy = Buffer.concat([
    batch.subarray(0, headBytes),
    Buffer.from([length + 2 * (told.length - 1), attributes, ...told]),
    rest,
  ]);
  copy.writeBigInt64BE(baseTime, at.baseTime);
  return seal(copy);
}

const record = (value: string): OutgoingRecord => ({ key: null, value: Buffer.from(value), headers: {} });
const batchOf = (...values: string[]): Buffer => encodeBatch(values.map(record), head);
const valuesOf = ({ records }: { readonly records: readonly IncomingRecord[] }): unknown[] =>
  records.map(({ value }) => value?.toString());

describe('a record batch', () => {
  test('is read by kafkajs as it was written', async () => {
    const records = fc.array(recordWith(plainName), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(records, async (given) => {
        const batch = encodeBatch(given, head);
        expect(batch.readUInt32BE(at.crc)).toBe(crc32c(batch, at.attributes));
        const came = await readWithKafkajs(batch);
        expect(came.map(plain)).toEqual(given.map(plain));
        expect(came.map(({ offset }) => offset)).toEqual(given.map((_, index) => String(index)));
        expect(new Set(came.map(({ timestamp }) => timestamp))).toEqual(new Set([String(head.time)]));
        expect(came[0]?.batchContext).toMatchObject({
          producerId: String(identity.id),
          producerEpoch: identity.epoch,
          firstSequence: head.sequence,
          lastOffsetDelta: given.length - 1,
        });
      }),
    );
  });

  test('is read as kafkajs has written it', async () => {
    const records = fc.array(recordWith(plainName), { minLength: 1, maxLength: 20 });
    const deltas = fc.array(fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), { minLength: 20, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(
        records,
        deltas,
        fc.nat(2 ** 45),
        fc.constantFrom(0, 1),
        async (given, timestampDeltas, firstOffset, compression) => {
          const firstTimestamp = 1_764_405_333_123;
          const batch = await writeWithKafkajs({
            records: given,
            timestampDeltas,
            firstOffset,
            firstTimestamp,
            compression,
          });
          const came = await read(batch);
          expect(came.records.map(plain)).toEqual(given.map(plain));
          expect(came.records.map(({ offset }) => offset)).toEqual(given.map((_, index) => firstOffset + index));
          expect(came.records.map(({ time }) => time)).toEqual(
            given.map((_, index) => firstTimestamp + (timestampDeltas[index] as number)),
          );
          expect(came.end).toBe(firstOffset + given.length);
        },
      ),
    );
  });

  test('carries headers of any name, and binary ones, and more than one of a name', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(recordWith(anyName), { minLength: 1, maxLength: 5 }), async (given) => {
        const { records } = await read(encodeBatch(given, head));
        // What is read of one must not depend on what was read before.
        expect(records.toReversed().map(plain)).toEqual(given.toReversed().map(plain));
        expect(records.map(plain)).toEqual(given.map(plain));
        for (const { headers } of records) expect(Object.getPrototypeOf(headers)).toBe(Object.prototype);
      }),
    );
  });

  test.each([0, 63, 64, 8190, 8191, 8192, 100_000])('has records whose value is of %i bytes', async (size) => {
    const given = [{ key: null, value: Buffer.alloc(size, 'é'), headers: { small: 'x', large: 'y'.repeat(size) } }];
    const { records } = await read(encodeBatch([...given, ...given], head));
    expect(records.map(plain)).toEqual([...given, ...given].map(plain));
  });
});

describe('what a broker sends', () => {
  test('is read batch by batch, up to one that is cut off', async () => {
    const first = batchOf('a', 'b');
    const second = changed(batchOf('c'), { first: 2 });
    for (let length = 0; length <= first.length + second.length; length++) {
      const { records, end } = await read(Buffer.concat([first, second]).subarray(0, length));
      const whole = length < first.length ? 0 : length < first.length + second.length ? 2 : 3;
      expect([records.length, end]).toEqual([whole, whole === 0 ? undefined : whole]);
    }
  });

  test('is read no more once there is enough, and counted as large as it is unpacked', async () => {
    const [small, large] = [batchOf('a'), batchOf('b'.repeat(1000), 'c')];
    const sent = Buffer.concat([small, changed(large, { first: 1 }), changed(small, { first: 3 })]);
    const all = await read(sent);
    expect([valuesOf(all).length, all.end, all.bytes]).toEqual([4, 4, sent.length]);
    const some = await read(sent, { enoughBytes: small.length + 1 });
    expect([valuesOf(some).length, some.end, some.bytes]).toEqual([3, 3, small.length + large.length]);
    expect(all.records.map((one) => one.bytes > 1000)).toEqual([false, true, false, false]);
  });

  test('is read from what was asked for, and to the end of a batch of which the last records are gone', async () => {
    const batch = batchOf('a', 'b', 'c');
    batch.writeInt32BE(9, at.lastOffsetDelta);
    const came = await read(seal(batch), { from: 1 });
    expect([valuesOf(came), came.end]).toEqual([['b', 'c'], 10]);
  });

  test('is refused if a byte of it is not as it was written', async () => {
    const batch = encodeBatch([{ key: Buffer.from('k'), value: Buffer.from('v'), headers: { h: 'é' } }], head);
    for (let index = at.magic; index < batch.length; index++) {
      const wrong = Buffer.from(batch);
      wrong[index] = (wrong[index] as number) ^ 0x40;
      await expect(read(wrong)).rejects.toMatchObject({ name: 'KafkaFailure', kind: 'unreadable' });
    }
  });

  test('is read with all that is in it or refused, whatever it is', async () => {
    const batch = encodeBatch([{ key: Buffer.from('k'), value: Buffer.from('v'), headers: { h: 'é', i: 'j' } }], head);
    const change = fc.array(fc.tuple(fc.integer({ min: at.attributes, max: batch.length - 1 }), fc.nat(255)), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(change, async (changes) => {
        const wrong = Buffer.from(batch);
        for (const [index, byte] of changes) wrong[index] = byte;
        // What is taken for a record can be read: what that throws is not caught here.
        const error: unknown = await read(seal(wrong)).then(
          ({ records }) => void records.map(plain),
          (thrown: unknown) => thrown,
        );
        expect(error === undefined || error instanceof KafkaFailure).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test.each<[string, Buffer, string]>([
    ['of a later format', Buffer.concat([batchOf('a').fill(3, at.magic, at.crc)]), 'of the format 3'],
    ['shorter than its head', batchOf('a').fill(0, at.length, at.leaderEpoch), 'shorter than its head'],
    ['of a length below zero', batchOf('a').fill(255, at.length, at.leaderEpoch), 'shorter than its head'],
    ['of more records than it has', changed(batchOf('a'), { count: 2 ** 31 - 1 }), 'cut off'],
    ['of fewer records than it has', changed(batchOf('a', 'b'), { count: 1 }), 'longer than its records'],
    ['of a number of records below zero', changed(batchOf('a'), { count: -1 }), 'impossible numbers'],
    ['of an offset that no number holds', changed(batchOf('a'), { first: 2 ** 60 }), 'too large'],
    ['of an offset below zero', changed(batchOf('a'), { first: -1 }), 'impossible numbers'],
    [
      'in front of the one before it',
      Buffer.concat([changed(batchOf('a'), { first: 5 }), batchOf('b')]),
      'not in order',
    ],
    ['of a record whose header has no name', withoutName(), 'cut off'],
  ])('is refused if a batch is %s', async (_, sent, meaning) => {
    await expect(read(sent)).rejects.toMatchObject({ kind: 'unreadable', meaning: expect.stringContaining(meaning) });
  });

  test('ends nowhere if nothing of it is behind what was asked for', async () => {
    expect(await read(batchOf('a', 'b'), { from: 2 })).toMatchObject({ records: [], end: undefined });
  });

  test('may have a header so often that each time must not cost more than the last', async () => {
    const values = Array.from({ length: 200_000 }, () => '');
    const { records } = await read(encodeBatch([{ key: null, value: null, headers: { h: values } }], head));
    expect(records[0]?.headers['h']).toHaveLength(values.length);
  }, 5000);

  test('leaves out records of aborted transactions, and the marks at their ends', async () => {
    const transactional = 0x10;
    const mark = (first: number, type: number, producerId: bigint): Buffer => {
      const key = Buffer.from([0, 0, 0, type]);
      const batch = encodeBatch([{ key, value: Buffer.alloc(6), headers: {} }], {
        ...head,
        identity: { id: producerId, epoch: 0 },
      });
      return changed(batch, { first, attributes: transactional | 0x20 });
    };
    const of = (producerId: bigint, first: number, attributes: number, ...values: string[]): Buffer =>
      changed(encodeBatch(values.map(record), { ...head, identity: { id: producerId, epoch: 0 } }), {
        first,
        attributes,
      });
    const sent = Buffer.concat([
      of(1n, 0, transactional, 'aborted'),
      of(2n, 1, transactional, 'committed'),
      of(1n, 2, 0, 'in no transaction'),
      mark(3, 0, 1n),
      of(1n, 4, transactional, 'committed later'),
      mark(5, 1, 2n),
      mark(6, 1, 1n),
      of(2n, 7, transactional, 'aborted later'),
      mark(8, 0, 2n),
    ]);
    const aborted = [
      { producerId: 2n, firstOffset: 7 },
      { producerId: 1n, firstOffset: 0 },
    ];
    const came = await read(sent, { aborted });
    expect(valuesOf(came)).toEqual(['committed', 'in no transaction', 'committed later']);
    expect(came.end).toBe(9);
  });

  test('does not take a record for the end of a transaction because of its key', async () => {
    const batch = encodeBatch([{ key: Buffer.alloc(4), value: Buffer.from('a'), headers: {} }, record('b')], head);
    const sent = changed(batch, { attributes: 0x10 });
    expect((await read(sent, { aborted: [{ producerId: identity.id, firstOffset: 0 }] })).records).toEqual([]);
  });

  test('has the time of the broker where the topic asks for that', async () => {
    const batch = batchOf('a', 'b');
    batch.writeBigInt64BE(5000n, at.lastTime);
    const { records } = await read(changed(batch, { attributes: 0x08 }));
    expect(records.map(({ time, isBrokerTime }) => [time, isBrokerTime])).toEqual([
      [5000, true],
      [5000, true],
    ]);
  });

  // A number of 2 ** 62 holds only every 1024th.
  const some = 1_764_405_333_123n - (1_764_405_333_123n % 1024n);
  test.each<[string, bigint, bigint, number]>([
    ['of the first moment', 0n, 0n, 0],
    ['of the last moment that can be written', 253_402_300_799_999n, 0n, 253_402_300_799_999],
    ['long before that of its batch', 2n ** 62n, some - 2n ** 62n, Number(some)],
    ['long after that of its batch', -(2n ** 62n), some + 2n ** 62n, Number(some)],
    ['in nanoseconds', 1_700_000_000_000_000_000n, 5n, -1],
    ['in microseconds', 1_700_000_000_000_000n, 0n, -1],
    ['as late as can be', 2n ** 63n - 1n, 2n ** 63n - 1n, -1],
    ['as early as can be', -(2n ** 63n), -(2n ** 63n), -1],
    ['that says that there is none', -1n, 0n, -1],
  ])('may have a time %s, which is none if it is no date', async (_, baseTime, delta, time) => {
    const came = await read(timed(batchOf('a'), baseTime, delta));
    expect([valuesOf(came), came.records[0]?.time, came.end]).toEqual([['a'], time, 1]);
  });

  test('may have a time of the broker that is no date', async () => {
    const batch = batchOf('a');
    batch.writeBigInt64BE(1_700_000_000_000_000_000n, at.lastTime);
    const { records } = await read(changed(batch, { attributes: 0x08 }));
    expect(records.map(({ time, isBrokerTime }) => [time, isBrokerTime])).toEqual([[-1, false]]);
  });

  test('is refused if the time of a record has more bytes than 64 bits need', async () => {
    // Its last byte is the eleventh.
    const batch = timed(batchOf('a'), 0n, 2n ** 69n);
    await expect(read(batch)).rejects.toMatchObject({
      kind: 'unreadable',
      meaning: expect.stringContaining('too long'),
    });
  });
});
