import { createDispatcher } from '@nq/core';
import { Kafka, logLevel } from 'kafkajs';
import { kafkaOffer, type TestKafka, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newTopic, openQueue, take, takeAll } from './support/queue.ts';

const offer = await kafkaOffer();

// A broker that is not ours keeps its topics as they are.
describe.skipIf(offer.missing !== undefined || !offer.ours)(`a queue on ${offer.name}`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await offer.start({});
  });
  afterAll(() => server?.stop());

  const producerOf = async (topic: string, messages: { key?: string; value: string | null }[]): Promise<void> => {
    const kafka = new Kafka({ brokers: [...server.brokers], logLevel: logLevel.NOTHING });
    const producer = kafka.producer({ allowAutoTopicCreation: false, createPartitioner: () => () => 0 });
    await producer.connect();
    await producer.send({ topic, messages });
    await producer.disconnect();
  };

  test('carries an event whole', async () => {
    await using queue = await openQueue(server);
    const events = [
      { id: 'a', type: 't', key: 'k', data: { n: [1, null, 'é'] }, headers: { trace: 'x', Other: 'y' }, time: 1000 },
      { id: 'b', type: 't', data: new Uint8Array([0, 255]), time: 2000 },
      { id: 'c', type: 't', data: undefined, time: 3000 },
    ];
    await queue.pushMany(events);
    const deliveries = await Promise.all(events.map(() => take(queue)));
    expect(deliveries.map(({ event }) => event).toSorted((a, b) => a.time - b.time)).toEqual(events);
    await Promise.all(deliveries.map((delivery) => delivery.ack()));
  });

  test('hands out the events of a key in their order, one after the other, and others meanwhile', async () => {
    await using queue = await openQueue(server);
    await queue.pushMany(['a1', 'a2', 'b1', 'a3'].map((type) => ({ type, key: type[0] as string })));
    const first = [await take(queue), await take(queue)];
    expect(first.map(({ event }) => event.type).toSorted()).toEqual(['a1', 'b1']);
    expect(await queue.pop({ timeoutMs: 100 })).toBeUndefined();
    await Promise.all(first.map((delivery) => delivery.ack()));
    expect(await takeAll(queue, 2)).toEqual(['a2', 'a3']);
  });

  test('does not hand out again what was done behind one that was not', async () => {
    const options = { topic: newTopic(), createTopic: { partitions: 1, replicationFactor: 1 } };
    const queue = await openQueue(server, options);
    await queue.pushMany(['a', 'b', 'c'].map((type) => ({ type, key: type })));
    const [slow, ...others] = [await take(queue), await take(queue), await take(queue)];
    await Promise.all(others.map((delivery) => delivery.ack()));
    expect(await queue.close()).toMatchObject({ returned: 1 });
    await using next = await openQueue(server, options);
    const again = await take(next);
    expect([again.event.type, again.attempt]).toEqual([slow?.event.type, 2]);
    await again.ack();
    expect(await next.pop({ timeoutMs: 500 })).toBeUndefined();
    await until('the count', async () => (await next.size()).ready === 0);
  });

  test('keeps a delay when who gave the event back is closed', async () => {
    const options = { topic: newTopic() };
    const queue = await openQueue(server, options);
    await queue.push({ type: 'later' });
    const pushedAt = performance.now();
    await (await take(queue)).nack({ delayMs: 2500 });
    await queue.close();
    await using next = await openQueue(server, options);
    expect(await take(next)).toMatchObject({ event: { type: 'later' }, attempt: 2 });
    expect(performance.now() - pushedAt).toBeGreaterThan(2400);
  });

  test('gives every event to each group, and shares them out among the members of one', async () => {
    const topic = newTopic();
    // What one has in hand when the other one joins is its own for a part of its session.
    await using first = await openQueue(server, { topic, sessionTimeoutMs: 20_000 });
    await using second = await openQueue(server, { topic, sessionTimeoutMs: 20_000 });
    await using audit = await openQueue(server, { topic, groupId: 'audit' });
    const types = Array.from({ length: 100 }, (_, index) => `event-${index}`);
    await first.pushMany(types.map((type) => ({ type, key: type })));
    const seen: string[] = [];
    const work = async (queue: typeof first): Promise<void> => {
      while (seen.length < types.length) {
        for (const delivery of await queue.popMany(10, { timeoutMs: 500 })) {
          seen.push(delivery.event.type);
          await delivery.ack();
        }
      }
    };
    await Promise.all([work(first), work(second)]);
    expect(seen.toSorted()).toEqual(types.toSorted());
    expect((await takeAll(audit, types.length)).toSorted()).toEqual(types.toSorted());
  });

  test('takes what others have written', async () => {
    const topic = newTopic();
    await using queue = await openQueue(server, { topic });
    await producerOf(topic, [{ key: 'k', value: '{"type":"plain","n":1}' }]);
    const delivery = await take(queue);
    expect(delivery.event).toMatchObject({ type: 'plain', key: 'k', data: { type: 'plain', n: 1 } });
    await delivery.ack();
  });

  test('without a topic for dead letters keeps none, and passes over what is no event with a warning', async () => {
    const topic = newTopic();
    await (await openQueue(server, { topic })).close();
    const warnings: string[] = [];
    const options = { topic, createTopic: undefined, groupId: 'others' };
    await using queue = await openQueue(server, { ...options, onWarning: (warning) => warnings.push(warning) });
    expect(queue.capabilities.deadLetter).toBe(false);
    await producerOf(topic, [{ value: 'rubbish' }, { value: null }, { value: '{"type":"after"}' }]);
    await (await take(queue)).ack();
    expect(warnings).toEqual([
      expect.stringContaining(`Record 0 of partition 0 of ${topic} is no event: Cannot read the event: not JSON`),
      `Record 1 of partition 0 of ${topic} is no event: Cannot read the event: the record has no value`,
    ]);
  });

  test('stores once what was pushed while the link to the broker broke', async () => {
    await using queue = await openQueue(server, { brokers: server.linkedBrokers, requestTimeoutMs: 1000 });
    await queue.push({ type: 'before', key: 'k' });
    const [link] = server.links;
    link?.cutBeforeAnswer();
    const pushed = queue.push({ type: 'cut', key: 'k' });
    await until('the answer to be lost', () => link?.isCut === true);
    link?.heal();
    await pushed;
    await queue.push({ type: 'after', key: 'k' });
    expect(await takeAll(queue, 3)).toEqual(['before', 'cut', 'after']);
    expect(await queue.pop({ timeoutMs: 300 })).toBeUndefined();
  });

  test('is opened from configuration', async () => {
    const topic = newTopic();
    await (await openQueue(server, { topic })).close();
    const dispatcher = createDispatcher({
      type: 'kafka',
      bufferSize: 10_000,
      extra: { brokers: server.brokers, topic, group_id: 'notification-service', version: '2.8.0' },
    });
    const seen: unknown[] = [];
    dispatcher.on('order.created', ({ data }) => void seen.push(data));
    await dispatcher.start(5);
    await dispatcher.dispatch({ type: 'order.created', key: 'acct-7', data: { total: 42 } });
    await until('it to be handled', () => seen.length === 1);
    await dispatcher.stop();
    expect(seen).toEqual([{ total: 42 }]);
  });

  test('says how to make a topic that is not there', async () => {
    await expect(openQueue(server, { topic: 'nowhere', createTopic: undefined })).rejects.toMatchObject({
      code: 'NQ_CONFIG',
      message: expect.stringContaining(
        `make it with kafka-topics.sh --bootstrap-server ${server.brokers[0]} --create --topic "nowhere" --partitions 12, or`,
      ),
    });
  });

  test('that nobody answers is refused in time', async () => {
    await expect(openQueue(server, { brokers: ['127.0.0.1:1'], openTimeoutMs: 500 })).rejects.toMatchObject({
      code: 'NQ_UNAVAILABLE',
    });
  });
});
