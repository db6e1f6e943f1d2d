import type { MessageQueue } from '@nq/core';
import { Kafka, logLevel } from 'kafkajs';
import { kafkaOffer, type TestKafka, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newTopic, openQueue, take, takeAll, type TestOptions } from './support/queue.ts';
import { refusalOf } from './support/refusal.ts';

const offer = await kafkaOffer();

describe.skipIf(offer.missing !== undefined || !offer.ours)(`a retry topic on ${offer.name}`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await offer.start({});
  }, 60_000);
  afterAll(() => server?.stop());

  const open = (options: TestOptions = {}): Promise<MessageQueue> =>
    openQueue(server, { retryTopic: true, retryAfterMs: 500, ...options });
  const client = (): Kafka => new Kafka({ brokers: [...server.brokers], logLevel: logLevel.NOTHING });

  /** Puts a record into the retry topic of the group of the tests, as somebody else might. */
  async function inject(topic: string, headers: Record<string, string>, value = '{"type":"alien"}'): Promise<void> {
    const producer = client().producer({ createPartitioner: () => () => 0 });
    await producer.connect();
    await producer.send({ topic: `${topic}.tests.retry`, messages: [{ key: 'k', value, headers }] });
    await producer.disconnect();
  }

  test('holds what is given back for long, and its key goes on meanwhile', async () => {
    await using queue = await open();
    const pushedAt = Date.now();
    await queue.pushMany(['a', 'b'].map((type) => ({ type, key: 'k', data: { type }, headers: { trace: 't' } })));
    const first = await take(queue);
    const givenBackAt = performance.now();
    await first.nack({ delayMs: 1500 });
    const second = await take(queue);
    expect(second.event.type).toBe('b');
    await second.ack();
    const again = await take(queue);
    expect(performance.now() - givenBackAt).toBeGreaterThanOrEqual(1499);
    expect(again).toMatchObject({ attempt: 2, event: first.event });
    // Since the push, and not since it was given back.
    expect(again.waitedMs).toBeGreaterThanOrEqual(1500);
    expect(again.waitedMs).toBeLessThanOrEqual(Date.now() - pushedAt + 1);
    await again.ack();
    expect(await queue.pop({ timeoutMs: 500 })).toBeUndefined();
  });

  test('holds nothing that is given back for a shorter time: that keeps its place', async () => {
    await using queue = await open({ retryAfterMs: 60_000 });
    await queue.pushMany(['a', 'b'].map((type) => ({ type, key: 'k' })));
    await (await take(queue)).nack({ delayMs: 300 });
    expect(await takeAll(queue, 2)).toEqual(['a', 'b']);
  });

  test('keeps the delay and the count of hand-outs of an event through the end of its process', async () => {
    const topic = newTopic();
    const before = await open({ topic });
    await before.push({ type: 'a' });
    const givenBackAt = performance.now();
    for (const attempt of [1, 2]) {
      const delivery = await take(before);
      expect(delivery.attempt).toBe(attempt);
      await delivery.nack({ delayMs: attempt === 1 ? 600 : 3000 });
    }
    await before.close();
    await using after = await open({ topic });
    const again = await take(after);
    expect(performance.now() - givenBackAt).toBeGreaterThanOrEqual(3599);
    expect(again).toMatchObject({ attempt: 3, event: { type: 'a' } });
    await again.ack();
  });

  test('is counted: what waits is delayed, and ready when its delay is over', async () => {
    await using queue = await open();
    await queue.pushMany(['a', 'b', 'c'].map((type) => ({ type, key: type })));
    for (let left = 2; left > 0; left--) await (await take(queue)).nack({ delayMs: 1500 });
    const held = await take(queue);
    expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 1, delayed: 2 });
    await held.ack();
    const again = [await take(queue), await take(queue)];
    await again[0]?.nack({ delayMs: 60_000 });
    await again[1]?.nack();
    expect(await queue.size()).toMatchObject({ ready: 1, inFlight: 0, delayed: 1 });
  });

  test('gives its events to every process of the group, and to one of them each', async () => {
    const topic = newTopic();
    await using queue = await open({ topic });
    await using other = await open({ topic });
    const types = Array.from({ length: 40 }, (_, index) => `t${index}`);
    await queue.pushMany(types.map((type) => ({ type, key: type })));
    const seen: string[] = [];
    const consume = async (one: MessageQueue): Promise<void> => {
      while (seen.length < types.length) {
        const delivery = await one.pop({ timeoutMs: 500 });
        if (delivery === undefined) continue;
        if (delivery.attempt === 1) await delivery.nack({ delayMs: 500 });
        else {
          seen.push(delivery.event.type);
          await delivery.ack();
        }
      }
    };
    await Promise.all([consume(queue), consume(other)]);
    expect(seen.toSorted()).toEqual(types.toSorted());
  });

  test('has dead letters under the place where they were at first, and they are replayed as they were', async () => {
    const topic = newTopic();
    await using queue = await open({ topic });
    await queue.push({ id: 'a', type: 'a', key: 'k', data: 1, headers: { trace: 't' } });
    await (await take(queue)).nack({ delayMs: 500 });
    await (await take(queue)).nack({ deadLetter: true, reason: 'twice is enough' });
    expect(await queue.deadLetters.list()).toMatchObject([{ attempts: 2, reason: 'twice is enough' }]);
    const consumer = client().consumer({ groupId: newTopic() });
    await consumer.connect();
    await consumer.subscribe({ topic: `${topic}.tests.dead`, fromBeginning: true });
    const key = await new Promise<string | undefined>((resolve) => {
      void consumer.run({ eachMessage: async ({ message }) => resolve(message.key?.toString()) });
    });
    await consumer.disconnect();
    expect(key).toMatch(new RegExp(`^${topic}/[0-3]/0$`));
    expect(await queue.deadLetters.replay()).toBe(1);
    const again = await take(queue);
    expect(again).toMatchObject({ attempt: 1, event: { id: 'a', key: 'k', data: 1, headers: { trace: 't' } } });
    await again.ack();
  });

  test('that cannot be written leaves the event where it was', async () => {
    const topic = newTopic();
    await using queue = await open({ topic, deliveryTimeoutMs: 1000 });
    await queue.push({ type: 'a', key: 'k' });
    const held = await take(queue);
    const admin = client().admin();
    await admin.connect();
    await admin.deleteTopics({ topics: [`${topic}.tests.retry`] });
    await admin.disconnect();
    expect((await refusalOf(() => held.nack({ delayMs: 1000 }))).told).toMatch(/^NQ_\w+ Cannot give back for later: /);
    await held.nack();
    expect(await take(queue)).toMatchObject({ attempt: 2, event: { type: 'a' } });
  });

  test.each<[string, Record<string, string>]>([
    ['none', {}],
    ['none that can be read', { 'nq-attempts': '-3', 'nq-delay-ms': 'soon', 'nq-pushed-at': '', 'nq-origin': '\n' }],
    ['a delay that is over', { 'nq-attempts': '0', 'nq-delay-ms': '1' }],
  ])('takes records of others, with headers of nq: %s', async (_what, headers) => {
    const topic = newTopic();
    await using queue = await open({ topic });
    await inject(topic, headers);
    const delivery = await take(queue);
    expect(delivery).toMatchObject({ attempt: 1, event: { type: 'alien', key: 'k' } });
    await delivery.nack({ deadLetter: true });
    expect(await queue.deadLetters.count()).toBe(1);
  });

  test('has what is no event among the dead letters, and what is behind it comes', async () => {
    const topic = newTopic();
    await using queue = await open({ topic });
    await inject(topic, {}, 'no JSON');
    await inject(topic, {});
    expect(await takeAll(queue, 1)).toEqual(['alien']);
    await until('the letter', async () => (await queue.deadLetters.count()) === 1);
  });

  test('that is not there is told of, by its name, when the queue is opened', async () => {
    const topic = newTopic();
    await (await openQueue(server, { topic })).close();
    const { told } = await refusalOf(() => open({ topic, createTopic: undefined }));
    expect(told).toContain(
      `NQ_CONFIG Cannot open a Kafka queue: there is no topic "${topic}.tests.retry"; make it with`,
    );
  });

  test('is said by the promises: a retry does not keep its place', async () => {
    await using queue = await open();
    expect(queue.capabilities).toMatchObject({ order: 'key', strictRetry: false });
  });
});
