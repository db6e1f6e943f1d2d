import zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mostBytes } from '../src/codecs/codec.ts';
import { KafkaFailure } from '../src/kafka-failure.ts';
import { readBatches, type ReadRecords } from '../src/read-batches.ts';
import { at, encodeBatch, seal } from '../src/record-batch.ts';
import { type OldEntry, writeOldMessages } from './support/kafkajs-batches.ts';

const gzip = 1;
const formats = [0, 1] as const;

const read = (bytes: Buffer, from = 0, enoughBytes = Infinity): Promise<ReadRecords> =>
  readBatches({ bytes, from, aborted: [], enoughBytes });

const entry = (value: string, timestamp = 7): OldEntry => ({ key: null, value, timestamp });

/** A message that holds others, which are at `inner` and behind it as they say, and at `last` and before it as it says. */
function packed(format: 0 | 1, last: number, inner: number, values: readonly string[]): Buffer {
  const messages = writeOldMessages(
    format,
    inner,
    values.map((value) => entry(value)),
  );
  const value = zlib.gzipSync(messages);
  return writeOldMessages(format, last, [{ key: null, value, timestamp: 9, compression: gzip }]);
}

/** `message` with its checksum made that of what it is. */
function sealed(message: Buffer): Buffer {
  message.writeUInt32BE(zlib.crc32(message.subarray(16)), 12);
  return message;
}

/** `message` of format 0 without a key, whose key or value says that it has another length. */
function withLength(what: 'key' | 'value', length: number): Buffer {
  const message = writeOldMessages(0, 3, [entry('a')]);
  message.writeInt32BE(length, what === 'key' ? 18 : 22);
  return sealed(message);
}

const told = ({ records }: ReadRecords): unknown => records.map(({ offset, value }) => [offset, value?.toString()]);

describe('a message of Kafka before 0.11', () => {
  test.each(formats)('is read in format %i, as are the record batches behind it', async (format) => {
    const old = writeOldMessages(format, 3, [{ key: 'k', value: 'a', timestamp: 7 }, entry('b', 8)]);
    const batch = encodeBatch([{ key: null, value: Buffer.from('c'), headers: {} }], {
      time: 9,
      identity: { id: 7n, epoch: 1 },
      sequence: 0,
    });
    batch.writeBigInt64BE(5n, at.baseOffset);
    const came = await read(Buffer.concat([old, seal(batch)]), 4);
    const time = format === 0 ? -1 : 8;
    expect(came.records[0]).toEqual({
      ...{ offset: 4, key: null, value: Buffer.from('b'), headers: {} },
      ...{ time, isBrokerTime: false, bytes: 1 },
    });
    expect([told(came), came.end]).toEqual([
      [
        [4, 'b'],
        [5, 'c'],
      ],
      6,
    ]);
  });

  test.each(formats)('is ignored in format %i if it is cut off', async (format) => {
    const [first, both] = [[entry('a')], [entry('a'), entry('b')]].map((all) => writeOldMessages(format, 3, all));
    for (let length = 0; length <= (both?.length ?? 0); length++) {
      const count = length < (first?.length ?? 0) ? 0 : length < (both?.length ?? 0) ? 1 : 2;
      const { records, end } = await read((both as Buffer).subarray(0, length));
      expect([records.length, end]).toEqual([count, count === 0 ? undefined : 3 + count]);
    }
  });

  test.each([
    ['0, where they are', packed(0, 12, 10, ['a', 'b', 'c'])],
    ['1, from wherever they count', packed(1, 12, 0, ['a', 'b', 'c'])],
    ['1, where they are', packed(1, 12, 10, ['a', 'b', 'c'])],
  ])('holds others that are compressed, in format %s', async (_, message) => {
    const came = await read(message, 11);
    expect([told(came), came.end]).toEqual([
      [
        [11, 'b'],
        [12, 'c'],
      ],
      13,
    ]);
  });

  test('has the time of the broker where the topic asks for that, for those in it too', async () => {
    const message = packed(1, 4, 0, ['a', 'b']);
    message.writeInt8(gzip | 0x08, 17);
    const { records } = await read(sealed(message));
    expect(records.map(({ time, isBrokerTime }) => [time, isBrokerTime])).toEqual([
      [9, true],
      [9, true],
    ]);
  });

  test('is read no more once there is enough, unpacked', async () => {
    const large = packed(1, 4, 0, ['a'.repeat(1000)]);
    expect((await read(Buffer.concat([large, packed(1, 5, 0, ['b'])]), 0, 1000)).end).toBe(5);
  });

  const plain = (): Buffer => writeOldMessages(1, 3, [entry('a')]);
  test.each<[string, Buffer, string]>([
    ['whose value goes back to where it begins', withLength('value', -26), 'cut off'],
    ['whose key goes back', withLength('key', -2), 'cut off'],
    ['whose value is longer than it', withLength('value', 2), 'cut off'],
    ['whose key is longer than any', withLength('key', 2 ** 31 - 1), 'cut off'],
    ['that is longer than what is in it', withLength('value', -1), 'not as long as it says'],
    ['of a length below zero', plain().fill(255, at.length, at.leaderEpoch), 'shorter than its head'],
    ['that is shorter than its head', plain().fill(0, at.length, at.leaderEpoch), 'shorter than its head'],
    ['with a wrong checksum', plain().fill(1, 12, 16), 'checksum'],
    ['before the first one', plain().fill(255, 0, 8), 'impossible offset'],
    ['in front of the one before it', Buffer.concat([plain(), plain()]), 'not in order'],
    ['with others that are not in order', repacked((inner) => Buffer.concat([inner, inner])), 'not in order'],
    ['with more of others than there are before it', packed(1, 1, 0, ['a', 'b', 'c']), 'impossible offset'],
    ['with nothing in it', packed(1, 1, 0, []), 'nothing in it'],
    ['with no value to unpack', writeOldMessages(1, 3, [{ ...entry(''), value: null, compression: gzip }]), 'no value'],
    ['that unpacks to one that is cut off', repacked((inner) => inner.subarray(0, -1)), 'cut off'],
    ['in one that is in another', repacked(() => packed(1, 1, 0, ['a'])), 'in another one'],
    ['that would fill the memory', repacked(() => Buffer.alloc(mostBytes + 1)), 'unpacked'],
  ])('is refused, as one %s', async (_, bytes, meaning) => {
    await expect(read(bytes)).rejects.toMatchObject({
      kind: 'unreadable',
      meaning: expect.stringContaining(meaning),
    });
  });

  test('is read or refused, whatever it is', async () => {
    const message = writeOldMessages(1, 3, [{ key: 'k', value: 'to be', timestamp: 7 }]);
    const change = fc.array(fc.tuple(fc.integer({ min: 16, max: message.length - 1 }), fc.nat(255)), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(change, fc.boolean(), async (changes, isInner) => {
        const wrong = Buffer.from(message);
        for (const [index, byte] of changes) wrong[index] = byte;
        const error: unknown = await read(isInner ? repacked(() => sealed(wrong)) : sealed(wrong)).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        expect(error === undefined || error instanceof KafkaFailure).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

/** A message whose others are as `change` makes them. */
function repacked(change: (inner: Buffer) => Buffer): Buffer {
  const value = zlib.gzipSync(change(writeOldMessages(1, 0, [entry('a')])), { level: 1 });
  return writeOldMessages(1, 3, [{ key: null, value, timestamp: 9, compression: gzip }]);
}
