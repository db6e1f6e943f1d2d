import { describe, expect, test } from 'vitest';
import { fetchRecords } from '../src/kafkajs/fetch-records.ts';
import type { Broker } from '../src/kafkajs/internals.ts';
import { encodeBatch } from '../src/record-batch.ts';
import { WireWriter } from '../src/wire-writer.ts';

const one = Buffer.alloc(8);
one.writeBigInt64BE(1n);

/** A broker whose answer to a fetch of version 4 says these of its partitions: an error, or records. */
function brokerThatSays(partitions: readonly { readonly errorCode: number; readonly records: Buffer }[]): Broker {
  const writer = new WireWriter(1024);
  writer.int32(0);
  writer.int32(1);
  writer.string('t');
  writer.int32(partitions.length);
  for (const [partition, { errorCode, records }] of partitions.entries()) {
    writer.int32(partition);
    writer.int16(errorCode);
    // The end of the log, and of what is committed.
    writer.raw(one);
    writer.raw(one);
    writer.int32(0);
    writer.int32(records.length);
    writer.raw(records);
  }
  const request = { apiKey: 1, apiName: 'Fetch', apiVersion: 4, encode: async () => undefined };
  const response = { decode: async () => undefined, parse: () => Promise.reject(new Error('kafkajs reads it')) };
  return {
    lookupRequest: () => () => ({ request, response }),
    async fetch(this: Broker) {
      const { response: read } = this.lookupRequest(1, {})({});
      return read.parse(await read.decode(writer.bytes));
    },
  } as unknown as Broker;
}

const fetchFrom = (broker: Broker) =>
  fetchRecords(broker, {
    topic: 't',
    partitions: [0, 1].map((partition) => ({ partition, offset: 0 })),
    maxBytes: 1000,
    waitMs: 0,
  });

const records = encodeBatch([{ key: null, value: Buffer.from('a'), headers: {} }], {
  identity: { id: 0n, epoch: 0 },
  sequence: 0,
  time: 0,
});
const fine = { errorCode: 0, records };
const failed = (errorCode: number) => ({ errorCode, records: Buffer.alloc(0) });

describe('what a broker says of one partition', () => {
  test.each([-1, 2])('says nothing of the others, if it cannot read it (%i)', async (errorCode) => {
    const [first, second] = await fetchFrom(brokerThatSays([failed(errorCode), fine]));
    expect(first).toMatchObject({
      partition: 0,
      records: [],
      failure: { kind: 'unreadable', meaning: 'the broker cannot read partition 0 itself' },
    });
    expect(second).toMatchObject({ partition: 1, failure: undefined });
    expect(second?.records.map(({ value }) => String(value))).toEqual(['a']);
  });

  test.each<[number, object]>([
    [1, { type: 'OFFSET_OUT_OF_RANGE', partition: 1 }],
    [3, { type: 'UNKNOWN_TOPIC_OR_PARTITION' }],
    [6, { type: 'NOT_LEADER_FOR_PARTITION' }],
    [29, { type: 'TOPIC_AUTHORIZATION_FAILED' }],
  ])('is thrown, if something is to be done about it (%i)', async (errorCode, error) => {
    await expect(fetchFrom(brokerThatSays([fine, failed(errorCode)]))).rejects.toMatchObject(error);
  });
});
