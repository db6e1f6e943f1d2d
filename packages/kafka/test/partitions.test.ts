import { type Admin, Kafka, logLevel } from 'kafkajs';
import { kafkaOffer, type TestKafka, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newTopic, openQueue, takeAll } from './support/queue.ts';

const offer = await kafkaOffer();

describe.skipIf(offer.missing !== undefined || !offer.ours)(`the partitions of a topic on ${offer.name}`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await offer.start({});
  });
  afterAll(() => server?.stop());

  const withAdmin = async <Result>(work: (admin: Admin) => Promise<Result>): Promise<Result> => {
    const admin = new Kafka({ brokers: [...server.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    return work(admin).finally(() => admin.disconnect());
  };
  const addPartitions = (topic: string, count: number): Promise<boolean> =>
    withAdmin((admin) => admin.createPartitions({ topicPartitions: [{ topic, count }] }));
  const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);

  test('that are added are pushed to and read while the queue is open, and it is told that keys move', async () => {
    const topic = newTopic();
    const warnings: string[] = [];
    const options = { topic, createTopic: { partitions: 1, replicationFactor: 1 }, metadataMaxAgeMs: 200 };
    await using queue = await openQueue(server, { ...options, onWarning: (warning) => warnings.push(warning) });
    await queue.push({ type: 'before' });
    expect(await takeAll(queue, 1)).toEqual(['before']);
    await addPartitions(topic, 4);
    await until('the queue to notice', async () => {
      await queue.push({ type: 'noise' });
      return warnings.length > 0;
    });
    expect(warnings[0]).toContain(`Topic ${topic} has 4 partitions instead of 1`);
    await queue.pushMany(keys.map((key) => ({ type: key, key })));
    const seen: string[] = [];
    while (seen.filter((type) => type !== 'noise').length < keys.length) seen.push(...(await takeAll(queue, 1)));
    expect(seen.filter((type) => type !== 'noise').toSorted()).toEqual(keys.toSorted());
  });

  test('that are added are read by a process that only consumes', async () => {
    const topic = newTopic();
    const options = { topic, metadataMaxAgeMs: 200 };
    await using consumer = await openQueue(server, {
      ...options,
      createTopic: { partitions: 1, replicationFactor: 1 },
    });
    await using other = await openQueue(server, { ...options, createTopic: undefined, groupId: 'other' });
    await other.push({ type: 'before' });
    expect(await takeAll(consumer, 1)).toEqual(['before']);
    await addPartitions(topic, 4);
    await using producer = await openQueue(server, { topic, createTopic: undefined, groupId: 'other' });
    await producer.pushMany(keys.map((key) => ({ type: key, key })));
    expect((await takeAll(consumer, keys.length)).toSorted()).toEqual(keys.toSorted());
  });

  test('are all read from the end by a group that begins there, and those that are added later from their begin', async () => {
    const topic = newTopic();
    const latest = { topic, startFrom: 'latest', groupId: 'late', metadataMaxAgeMs: 200 } as const;
    await using producer = await openQueue(server, { topic, metadataMaxAgeMs: 200 });
    await producer.pushMany(keys.map((key) => ({ type: 'before', key })));
    const consumer = await openQueue(server, latest);
    const popped = consumer.pop().catch((error: unknown) => error);
    await until('it to have begun in each', async () => {
      const [group] = await withAdmin((admin) => admin.fetchOffsets({ groupId: 'late', topics: [topic] }));
      return group?.partitions.every(({ offset }) => offset !== '-1');
    });
    await consumer.close();
    expect(await popped).toMatchObject({ code: 'NQ_CLOSED' });
    await addPartitions(topic, 8);
    // While nobody consumes for the group.
    await until('events in the new partitions', async () => {
      await producer.pushMany(keys.map((key) => ({ type: 'after', key })));
      const offsets = await withAdmin((admin) => admin.fetchTopicOffsets(topic));
      return offsets.some(({ partition, high }) => partition >= 4 && Number(high) > 0);
    });
    const { ready } = await producer.size();
    const before = keys.length;
    await using again = await openQueue(server, latest);
    expect(await again.size()).toMatchObject({ ready: ready - before });
    expect(new Set(await takeAll(again, ready - before))).toEqual(new Set(['after']));
  });
});
