import { connect, type Socket } from 'node:net';
import { systemClock } from '@nq/core';
import { Kafka, type KafkaMessage, logLevel } from 'kafkajs';
import { kafkaOffer, type TestKafka, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { IncomingRecord, NewTopic, OutgoingRecord, ProducerIdentity } from '../src/kafka-driver.ts';
import { KafkajsDriver } from '../src/kafkajs/kafkajs-driver.ts';
import { partitionOf } from '../src/murmur2.ts';
import { newTopic, openQueue, take, takeAll } from './support/queue.ts';

const offer = await kafkaOffer();

const record = (value: string): OutgoingRecord => ({ key: null, value: Buffer.from(value), headers: {} });
const valuesOf = (records: readonly IncomingRecord[]): unknown[] => records.map(({ value }) => value?.toString());

const inPartition = (key: string): number => partitionOf(Buffer.from(key), 2);

/** `socket`, on which a letter of what is fragile changes on its way to us, as long as `isNoisy`. */
function noisy(socket: Socket, isNoisy: () => boolean): Socket {
  const push = socket.push.bind(socket);
  socket.push = (chunk: Buffer | null) => {
    const place = chunk !== null && isNoisy() ? chunk.lastIndexOf('fragile') : -1;
    if (place >= 0) chunk?.write('F', place);
    return push(chunk);
  };
  return socket;
}

// A broker that is not ours keeps its topics as they are.
describe.skipIf(offer.missing !== undefined || !offer.ours)(`record batches on ${offer.name}`, () => {
  let server: TestKafka;
  let kafka: Kafka;
  let driver: KafkajsDriver;
  beforeAll(async () => {
    server = await offer.start({});
    kafka = new Kafka({ brokers: [...server.brokers], logLevel: logLevel.NOTHING });
    driver = new KafkajsDriver({ kafka, clock: systemClock, metadataMaxAgeMs: 60_000 });
    await driver.open();
    await makeTopic();
    // A broker that has just started makes nobody known for a moment.
    await until('an identity', () => driver.newIdentity());
  });
  afterAll(async () => {
    await driver?.close();
    await server?.stop();
  });

  /** Makes a topic of one partition. */
  const makeTopic = async (timestamps: NewTopic['timestamps'] = 'producer'): Promise<string> => {
    const topic = newTopic();
    await driver.createTopic(topic, { partitions: 1, replicationFactor: 1, timestamps });
    await until('the topic to be known', () => driver.partitionsOf(topic));
    return topic;
  };
  const produce = (topic: string, records: readonly OutgoingRecord[], identity: ProducerIdentity, sequence: number) =>
    driver.produce({ topic, partition: 0, records, identity, sequence, compression: 'none', timeoutMs: 5000 });
  const readAll = async (topic: string): Promise<readonly IncomingRecord[]> => {
    const [range] = await driver.ranges(topic);
    const records: IncomingRecord[] = [];
    for (let offset = 0; offset < (range?.high ?? 0);) {
      const read = await driver.read(topic, 0, offset);
      records.push(...read.records);
      offset = read.end;
    }
    return records;
  };

  const various: readonly OutgoingRecord[] = [
    { key: null, value: null, headers: {} },
    { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: { empty: '' } },
    {
      key: Buffer.from('schlüssel'),
      value: Buffer.from('日本語 🎉'),
      headers: {
        text: 'ascii',
        unicode: '日本語',
        bytes: Buffer.from([0, 255, 128]),
        several: ['a', Buffer.from([255])],
      },
    },
    { key: Buffer.from([0, 255]), value: Buffer.alloc(1_000_000, 7), headers: {} },
  ];

  test('come back as they were stored', async () => {
    const topic = await makeTopic();
    await produce(topic, various, await driver.newIdentity(), 0);
    const read = await readAll(topic);
    expect(read.map(({ offset }) => offset)).toEqual([0, 1, 2, 3]);
    expect(read.map(({ key, value }) => [key, value?.length])).toEqual(
      various.map(({ key, value }) => [key, value?.length]),
    );
    expect(read[3]?.value?.equals(various[3]?.value as Buffer)).toBe(true);
    expect(read[2]?.value?.toString()).toBe('日本語 🎉');
    expect(read[1]?.headers).toEqual({ empty: '' });
    expect(read[2]?.headers).toEqual({
      text: 'ascii',
      unicode: Buffer.from('日本語'),
      bytes: Buffer.from([0, 255, 128]),
      several: ['a', Buffer.from([255])],
    });
    expect(Math.abs((read[0]?.time ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  test('are read by a consumer of kafkajs', async () => {
    const topic = await makeTopic();
    await produce(topic, various, await driver.newIdentity(), 0);
    const consumer = kafka.consumer({ groupId: topic });
    const messages: KafkaMessage[] = [];
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    await consumer.run({ eachMessage: async ({ message }) => void messages.push(message) });
    await until('all to be read', () => messages.length === various.length);
    await consumer.disconnect();
    expect(messages.map(({ value }) => value?.length)).toEqual(various.map(({ value }) => value?.length));
    expect(messages[2]?.headers?.['bytes']).toEqual(Buffer.from([0, 255, 128]));
  });

  test('are stored once, however often they are sent with the same number', async () => {
    const topic = await makeTopic();
    const identity = await driver.newIdentity();
    for (let time = 0; time < 3; time++) await produce(topic, [record('a'), record('b')], identity, 0);
    await produce(topic, [record('c')], identity, 2);
    await produce(topic, [record('a'), record('b')], identity, 0);
    expect(valuesOf(await readAll(topic))).toEqual(['a', 'b', 'c']);
    await expect(produce(topic, [record('e')], identity, 4)).rejects.toMatchObject({ kind: 'identity' });
  });

  test('have the time of who has written them, or that of the broker, which it tells then', async () => {
    const [own, timed] = [await makeTopic(), await makeTopic('broker')];
    const identity = await driver.newIdentity();
    expect(await produce(own, [record('a')], identity, 0)).toBeUndefined();
    const aheadMs = 1_800_000;
    const before = Date.now();
    const date = Date.now.bind(Date);
    const now = vi.spyOn(Date, 'now').mockImplementation(() => date() + aheadMs);
    const told = [await produce(timed, [record('a')], identity, 0), await produce(timed, [record('a')], identity, 0)];
    await produce(own, [record('b')], identity, 1);
    now.mockRestore();
    // The broker runs on this machine, as far as clocks go.
    expect(told[0]).toBeGreaterThanOrEqual(before - 1000);
    expect(told[0]).toBeLessThan(before + 60_000);
    // It was stored before: that is when it was written.
    expect(told[1]).toBe(told[0]);
    expect((await readAll(timed)).map(({ time }) => time)).toEqual([told[0]]);
    expect((await readAll(own))[1]?.time).toBeGreaterThan(before + aheadMs - 1000);
  });

  test('are handed out whatever time their producer gives them, and nobody knows how long they have waited', async () => {
    const topic = newTopic();
    const admin = kafka.admin();
    const configEntries = ['before', 'after'].map((side) => ({
      name: `message.timestamp.${side}.max.ms`,
      value: String(2n ** 63n - 1n),
    }));
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries }] });
    await admin.disconnect();
    await using queue = await openQueue(server, { topic });
    const producer = kafka.producer();
    await producer.connect();
    // In nanoseconds, as some write it: no number holds all of its digits.
    const messages = [{ value: '{"type":"a"}', timestamp: '1700000000000000001' }, { value: '{"type":"b"}' }];
    await producer.send({ topic, messages });
    await producer.disconnect();
    const [first, second] = [await take(queue), await take(queue)];
    expect([first.event.type, first.waitedMs, second.event.type]).toEqual(['a', undefined, 'b']);
    expect(second.waitedMs).toBeGreaterThanOrEqual(0);
    await Promise.all([first.ack(), second.ack()]);
    expect((await readAll(topic)).map(({ time }) => time > 0)).toEqual([false, true]);
  });

  test('are refused if they are larger than the broker takes', async () => {
    const topic = await makeTopic();
    const large = [{ ...record(''), value: Buffer.alloc(1_100_000) }];
    await expect(produce(topic, large, await driver.newIdentity(), 0)).rejects.toMatchObject({ kind: 'tooLarge' });
  });

  test('of transactions are read if these were committed', async () => {
    const topic = await makeTopic();
    const producer = kafka.producer({ transactionalId: topic, idempotent: true, maxInFlightRequests: 1 });
    await producer.connect();
    for (const [value, ends] of [
      ['aborted', 'abort'],
      ['committed', 'commit'],
      ['aborted too', 'abort'],
    ] as const) {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value }] });
      await transaction[ends]();
    }
    await producer.disconnect();
    // Each transaction has a mark at its end, which comes some time later.
    await until('the marks to be there', async () => (await driver.ranges(topic))[0]?.high === 6);
    await produce(topic, [record('after')], await driver.newIdentity(), 0);
    expect((await readAll(topic)).map(({ value, offset }) => [value?.toString(), offset])).toEqual([
      ['committed', 2],
      ['after', 6],
    ]);
  });

  test('are stored and come, though a connection brings what is no answer', async () => {
    let lengths = 0;
    const client = new Kafka({
      brokers: [...server.brokers],
      logLevel: logLevel.NOTHING,
      socketFactory: ({ host, port, onConnect }) => {
        const socket = connect({ host, port }, onConnect);
        const push = socket.push.bind(socket);
        socket.push = (chunk: Buffer | null) => {
          if (chunk !== null && lengths > 0 && lengths-- > 0) chunk.writeInt32BE(-1, 0);
          return push(chunk);
        };
        return socket;
      },
    });
    await using queue = await openQueue(server, { client, brokers: undefined });
    await queue.push({ type: 'a', key: 'k' });
    lengths = 1;
    await queue.push({ type: 'b', key: 'k' });
    expect(lengths).toBe(0);
    expect(await takeAll(queue, 1)).toEqual(['a']);
    lengths = 2;
    await queue.push({ type: 'c', key: 'k' });
    expect(await takeAll(queue, 2)).toEqual(['b', 'c']);
    expect(await queue.pop({ timeoutMs: 100 })).toBeUndefined();
  });

  test('that were changed on the way are told to who pops, and keep neither others nor themselves from coming', async () => {
    const topic = newTopic();
    let isNoisy = true;
    const client = new Kafka({
      brokers: [...server.brokers],
      logLevel: logLevel.NOTHING,
      socketFactory: ({ host, port, onConnect }) => noisy(connect({ host, port }, onConnect), () => isNoisy),
    });
    const createTopic = { partitions: 2, replicationFactor: 1 };
    await using queue = await openQueue(server, { client, brokers: undefined, topic, createTopic });
    const [first, second] = [0, 1].map((partition) =>
      ['a', 'b', 'c', 'd'].find((key) => inPartition(key) === partition),
    );
    await queue.push({ type: 'fragile', key: first, data: 'fragile' });
    const told = {
      code: 'NQ_BACKEND',
      message: 'Cannot pop: what Kafka has sent cannot be read: a record batch has a wrong checksum',
    };
    await expect(queue.pop({ timeoutMs: 10_000 })).rejects.toMatchObject(told);
    // One after the other: they need not wait until what is broken is asked for again.
    const begin = performance.now();
    for (const type of ['one', 'two', 'three']) {
      await queue.push({ type, key: second });
      const delivery = await until('the event', () => queue.pop({ timeoutMs: 100 }));
      expect(delivery.event.type).toBe(type);
      await delivery.ack();
    }
    expect(performance.now() - begin).toBeLessThan(4000);
    await expect(queue.pop({ timeoutMs: 100 })).rejects.toMatchObject(told);
    isNoisy = false;
    const delivery = await until('the event', () => queue.pop({ timeoutMs: 1000 }));
    expect(delivery.event.data).toBe('fragile');
    await delivery.ack();
    expect(await queue.pop({ timeoutMs: 100 })).toBeUndefined();
  });
});
