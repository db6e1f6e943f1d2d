import type { NqError } from '@nq/core';
import { Kafka, logLevel } from 'kafkajs';
import { kafkaOffer, type TestKafka, until } from 'nq-testbed';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { kafkaReader } from '../src/index.ts';
import { begin, newTopic, openQueue, take, takeAll } from './support/queue.ts';

const offer = await kafkaOffer();

let restore = (): void => {};
afterEach(() => restore());

/** Collects what nobody catches, which would end a process, until the test has ended. */
function uncaught(): unknown[] {
  const errors: unknown[] = [];
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => errors.push(error));
  restore = () => {
    process.removeAllListeners('uncaughtException');
    for (const listener of before) process.on('uncaughtException', listener);
    restore = () => {};
  };
  return errors;
}

describe.skipIf(offer.missing !== undefined || !offer.ours)(`a topic on ${offer.name}`, () => {
  let server: TestKafka;
  let kafka: Kafka;
  beforeAll(async () => {
    server = await offer.start({ config: ['log.cleaner.backoff.ms=100', 'log.cleaner.min.cleanable.ratio=0.01'] });
    kafka = new Kafka({ brokers: [...server.brokers], logLevel: logLevel.NOTHING });
  });
  afterAll(() => server?.stop());

  const createTopic = async (entries: Readonly<Record<string, string>> = {}): Promise<string> => {
    const topic = newTopic();
    const configEntries = Object.entries(entries).map(([name, value]) => ({ name, value }));
    const admin = kafka.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic, numPartitions: 1, configEntries }], waitForLeaders: true });
    await admin.disconnect();
    return topic;
  };

  /** Deletes what is before `offset`. */
  const deleteRecords = async (topic: string, offset: number): Promise<void> => {
    const admin = kafka.admin();
    await admin.connect();
    // Or it does not know the topic.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] });
    await admin.disconnect();
  };

  /** Deletes the topic, and makes another one of its name. */
  const remakeTopic = async (topic: string): Promise<void> => {
    const admin = kafka.admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [topic] });
    await until('it to be gone', async () => !(await admin.listTopics()).includes(topic));
    await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
    await admin.disconnect();
  };

  test('that is compacted is consumed to its end: what was taken out of it is not waited for', async () => {
    const topic = await createTopic({
      'cleanup.policy': 'compact',
      'segment.ms': '200',
      'max.compaction.lag.ms': '200',
    });
    await using queue = await openQueue(server, { topic, createTopic: undefined });
    await queue.pushMany(
      Array.from({ length: 50 }, (_, index) => ({ type: `event-${index}`, key: `key-${index % 5}` })),
    );
    const isCompacted = async (): Promise<boolean> => {
      // Only segments that are not written to any more are compacted.
      await queue.push({ type: 'roll', key: 'roll' });
      let count = 0;
      for await (const { event } of kafkaReader({ brokers: server.brokers, topic }))
        if (event?.type !== 'roll') count++;
      return count < 10;
    };
    await until('the topic to be compacted', isCompacted, { deadlineMs: 40_000, everyMs: 200 });
    const seen: string[] = [];
    const left = async (): Promise<number> => (await queue.size()).ready;
    while ((await left()) > 0) {
      for (const delivery of await queue.popMany(100, { timeoutMs: 100 })) {
        seen.push(delivery.event.type);
        await delivery.ack();
      }
    }
    const kept = seen.filter((type) => type !== 'roll').slice(-5);
    expect(kept.toSorted()).toEqual(['event-45', 'event-46', 'event-47', 'event-48', 'event-49']);
  });

  test('into which others write in transactions gives what was committed, and nothing of what was not', async () => {
    const topic = await createTopic();
    const producer = kafka.producer({ transactionalId: topic, maxInFlightRequests: 1, idempotent: true });
    await producer.connect();
    const send = async (types: readonly string[], end: 'commit' | 'abort'): Promise<void> => {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: types.map((type) => ({ value: JSON.stringify({ type }) })) });
      await transaction[end]();
    };
    await send(['a', 'b'], 'commit');
    await send(['never', 'ever'], 'abort');
    await send(['c'], 'commit');
    await using queue = await openQueue(server, { topic, createTopic: undefined });
    expect(await takeAll(queue, 3)).toEqual(['a', 'b', 'c']);
    await until('nothing to be left', async () => (await queue.size()).ready === 0);
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages: [{ value: '{"type":"open"}' }] });
    expect(await queue.pop({ timeoutMs: 500 })).toBeUndefined();
    await transaction.commit();
    const late = await take(queue);
    expect(late.event.type).toBe('open');
    await late.ack();
    await producer.disconnect();
    const read: string[] = [];
    for await (const { event } of kafkaReader({ brokers: server.brokers, topic })) read.push(event?.type ?? '');
    expect(read).toEqual(['a', 'b', 'c', 'open']);
  });

  test('whose oldest events were deleted before they were consumed is read on from the first that is there, and that is told', async () => {
    const topic = await createTopic();
    const warnings: string[] = [];
    const options = { topic, createTopic: undefined, onWarning: (warning: string) => warnings.push(warning) };
    const queue = await openQueue(server, options);
    await queue.pushMany(['a', 'b', 'c', 'd'].map((type) => ({ type })));
    expect(await takeAll(queue, 1)).toEqual(['a']);
    await (await take(queue)).nack({ delayMs: 600_000 });
    await queue.close();
    await deleteRecords(topic, 3);
    await using again = await openQueue(server, options);
    expect(await takeAll(again, 1)).toEqual(['d']);
    expect(warnings).toEqual([`Partition 0 of ${topic} has no offset 1 any more: group tests goes on at 3`]);
    await until('nothing to be left', async () => {
      const { ready, delayed } = await again.size();
      return ready + delayed === 0;
    });
  });

  test('of which more in a row is no event than is fetched at once is read on behind that', async () => {
    const topic = await createTopic();
    await using queue = await openQueue(server, { topic, prefetch: 10 });
    const producer = kafka.producer();
    await producer.connect();
    // More than one answer has, so that it is paused.
    const messages = Array.from({ length: 50 }, () => ({ value: 'no JSON'.repeat(2000) }));
    for (let left = 6; left > 0; left--) await producer.send({ topic, messages });
    await producer.send({ topic, messages: [{ value: '{"type":"good"}' }] });
    await producer.disconnect();
    expect(await takeAll(queue, 1)).toEqual(['good']);
  });

  test('that ends before what its group has committed is read from its begin, and that is told', async () => {
    const topic = await createTopic();
    const warnings: string[] = [];
    const options = { topic, createTopic: undefined, onWarning: (warning: string) => warnings.push(warning) };
    const producer = await openQueue(server, { ...options, groupId: 'other' });
    await producer.pushMany(['a', 'b'].map((type) => ({ type })));
    const admin = kafka.admin();
    await admin.connect();
    await admin.setOffsets({ groupId: 'tests', topic, partitions: [{ partition: 0, offset: '50' }] });
    await admin.disconnect();
    await using queue = await openQueue(server, options);
    expect(await takeAll(queue, 2)).toEqual(['a', 'b']);
    expect(warnings).toEqual([`Partition 0 of ${topic} has no offset 50 any more: group tests goes on at 0`]);
    await producer.push({ type: 'c' });
    expect(await takeAll(queue, 1)).toEqual(['c']);
    await producer.close();
  });

  test('that has become shorter than what was read of it is read on from its begin, and what is in hand of it is lost', async () => {
    const topic = await createTopic();
    const warnings: string[] = [];
    const onWarning = (warning: string): void => void warnings.push(warning);
    // The membership outlives the break, or it would begin anew with what is committed.
    const linked = { brokers: server.linkedBrokers, sessionTimeoutMs: 15_000, idleMs: 15_000 };
    await using queue = await openQueue(server, { topic, createTopic: undefined, onWarning, ...linked });
    await queue.pushMany(['a', 'b', 'c', 'd'].map((type) => ({ type })));
    expect(await takeAll(queue, 3)).toEqual(['a', 'b', 'c']);
    const held = await take(queue);
    await using other = await openQueue(server, { topic, createTopic: undefined, groupId: 'other' });
    const [link] = server.links;
    link?.cut();
    await remakeTopic(topic);
    await other.pushMany(['e', 'f'].map((type) => ({ type })));
    link?.heal();
    expect(await takeAll(queue, 2)).toEqual(['e', 'f']);
    expect(warnings).toEqual([`Partition 0 of ${topic} has no offset 4 any more: group tests goes on at 0`]);
    await expect(held.ack()).rejects.toMatchObject({ code: 'NQ_LEASE_LOST' });
    await other.push({ type: 'g' });
    expect(await takeAll(queue, 1)).toEqual(['g']);
    await until('nothing to be left', async () => (await queue.size()).ready === 0);
  });

  test('of which something is told to who throws at it is read on all the same, and what was thrown is not swallowed', async () => {
    const topic = await createTopic();
    const queue = await openQueue(server, { topic, createTopic: undefined });
    await queue.pushMany(['a', 'b', 'c'].map((type) => ({ type })));
    expect(await takeAll(queue, 1)).toEqual(['a']);
    await queue.close();
    await deleteRecords(topic, 2);
    const errors = uncaught();
    const bug = new Error('bug');
    const onWarning = (): void => {
      throw bug;
    };
    await using again = await openQueue(server, { topic, createTopic: undefined, onWarning });
    expect(await takeAll(again, 1)).toEqual(['c']);
    await again.push({ type: 'd' });
    expect(await takeAll(again, 1)).toEqual(['d']);
    expect(errors).toEqual([bug]);
  });

  test.each(['earliest', 'latest'] as const)(
    'that is deleted and made anew is read from its first event, by a group that began at the %s',
    async (startFrom) => {
      const topic = await createTopic();
      await using queue = await openQueue(server, { topic, startFrom, createTopic: undefined });
      await begin(queue);
      await remakeTopic(topic);
      await queue.push({ type: 'after' });
      expect(await takeAll(queue, 1)).toEqual(['after']);
    },
  );

  test('that is deleted and made anew is used again, also where its group reads another one besides', async () => {
    const [topic, other] = [await createTopic(), await createTopic()];
    const options = { groupId: newTopic(), createTopic: undefined, idleMs: 60_000 };
    await using queue = await openQueue(server, { ...options, topic });
    await begin(queue);
    // Who was there first deals out the partitions of both.
    await using second = await openQueue(server, { ...options, topic: other });
    await begin(second);
    await remakeTopic(topic);
    await queue.push({ type: 'after' });
    expect(await takeAll(queue, 1)).toEqual(['after']);
    await second.push({ type: 'beside' });
    expect(await takeAll(second, 1)).toEqual(['beside']);
  });

  test('takes events although that of its dead letters was deleted, of which only who asks for these is told', async () => {
    const topic = newTopic();
    await using queue = await openQueue(server, { topic, metadataMaxAgeMs: 200, deliveryTimeoutMs: 3000 });
    const admin = kafka.admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [`${topic}.tests.dead`] });
    const knows = (): Promise<boolean> => queue.deadLetters.count().then(() => false, isMissing);
    await until('the queue to know', knows);
    let count = 0;
    // For so long that the brokers are asked several times which topics there are.
    for (const began = performance.now(); performance.now() - began < 1000; count++)
      await queue.push({ type: 'after' });
    expect(await takeAll(queue, count)).toHaveLength(count);
    await admin.deleteTopics({ topics: [topic] });
    await admin.disconnect();
    const pushes = (): Promise<boolean> => queue.push({ type: 'lost' }).then(() => false, isMissing);
    await until('pushes to be refused', pushes, { deadlineMs: 20_000 });
  });
});

/** Whether it is said that there is no such topic. */
function isMissing({ code, message }: NqError): boolean {
  return code === 'NQ_CONFIG' && message.endsWith('there is no such topic');
}
