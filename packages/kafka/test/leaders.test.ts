import { Kafka, logLevel, type Producer } from 'kafkajs';
import { kafkaOffer, type TestKafka, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { kafkaReader } from '../src/index.ts';
import { partitionOf } from '../src/murmur2.ts';
import { newTopic, openQueue } from './support/queue.ts';

const offer = await kafkaOffer({ brokers: 2 });

describe.skipIf(offer.missing !== undefined)(`a partition whose leader moves, on two brokers of ${offer.name},`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await offer.start({});
  });
  afterAll(() => server?.stop());

  const clientOf = (brokers: readonly string[], initialRetryTime = 100): Kafka =>
    new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING, retry: { initialRetryTime } });

  /** A topic whose first partition is led by the first broker, and whose second one by the second. */
  const newSpreadTopic = async (): Promise<string> => {
    const topic = newTopic();
    const replicaAssignment = [0, 1].map((partition) => ({ partition, replicas: [partition + 1] }));
    const admin = clientOf(server.brokers).admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, replicaAssignment }] });
    await admin.disconnect();
    for (const broker of server.brokers) {
      await until('the topic to be known', async () => (await leadersBy(broker, topic)).join() === '1,2');
    }
    return topic;
  };

  /** Who leads the partitions of `topic`, as one broker sees it. */
  const leadersBy = async (broker: string, topic: string): Promise<readonly number[]> => {
    const admin = clientOf([broker]).admin();
    await admin.connect();
    try {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      const partitions = topics[0]?.partitions ?? [];
      return partitions.toSorted((a, b) => a.partitionId - b.partitionId).map(({ leader }) => leader);
    } finally {
      await admin.disconnect();
    }
  };

  /** Gives the first partition to the second broker. Resolves once both know. */
  const moveFirst = async (topic: string): Promise<void> => {
    const admin = clientOf(server.brokers).admin();
    await admin.connect();
    const partitionAssignment = [{ partition: 0, replicas: [2] }];
    await admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] });
    await admin.disconnect();
    for (const broker of server.brokers) {
      await until('the leader to move', async () => (await leadersBy(broker, topic)).join() === '2,2');
    }
  };

  const keyOf = (partition: number): string =>
    Array.from({ length: 20 }, (_, index) => `key-${index}`).find(
      (key) => partitionOf(Buffer.from(key), 2) === partition,
    ) as string;

  const sendBy = async (producer: Producer, topic: string, ids: readonly string[]): Promise<readonly number[]> => {
    const messages = ids.map((id, partition) => ({ partition, value: JSON.stringify({ type: id }) }));
    const told = await producer.sendBatch({ topicMessages: [{ topic, messages }] });
    return told.map(({ partition }) => partition).toSorted();
  };

  test('loses what kafkajs itself sends to several brokers, which says nothing of that, and nothing that the queue pushes', async () => {
    const topic = await newSpreadTopic();
    // When it tries again, the other broker has answered.
    const producer = clientOf(server.brokers, 1000).producer();
    await producer.connect();
    await using queue = await openQueue(server, { topic, createTopic: undefined });
    const push = (ids: readonly string[]): Promise<void> =>
      queue.pushMany(ids.map((type, partition) => ({ type, key: keyOf(partition) })));
    // Both know who leads what.
    expect(await sendBy(producer, topic, ['sent-0', 'sent-1'])).toEqual([0, 1]);
    await push(['pushed-0', 'pushed-1']);
    await moveFirst(topic);
    // It resolves with what the one broker has stored, and leaves out what the other one has refused (kafkajs #1303).
    expect(await sendBy(producer, topic, ['lost-0', 'sent-2'])).toEqual([1]);
    await push(['pushed-2', 'pushed-3']);
    await producer.disconnect();
    const stored: (string | undefined)[] = [];
    for await (const { event } of kafkaReader({ brokers: server.brokers, topic })) stored.push(event?.type);
    const sent = ['sent-0', 'sent-1', 'sent-2'];
    expect(stored.toSorted()).toEqual(['pushed-0', 'pushed-1', 'pushed-2', 'pushed-3', ...sent]);
  });

  test('is counted by size() where it is now', async () => {
    const topic = await newSpreadTopic();
    await using queue = await openQueue(server, { topic, createTopic: undefined });
    await queue.pushMany([0, 1].map((partition) => ({ type: 'event', key: keyOf(partition) })));
    // The first group of a new cluster has nobody to ask until Kafka has made the topic of offsets.
    expect(await until('the group to have a coordinator', () => queue.size())).toMatchObject({ ready: 2 });
    await moveFirst(topic);
    expect(await queue.size()).toMatchObject({ ready: 2 });
  });
});
