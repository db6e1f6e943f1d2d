import { setTimeout as sleep } from 'node:timers/promises';
import type { MessageQueue } from '@nq/core';
import { type Admin, ConfigResourceTypes, Kafka, logLevel, type Message } from 'kafkajs';
import { kafkaOffer, type TestKafka, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { newTopic, openQueue, take, takeAll, type TestOptions } from './support/queue.ts';
import { refusalOf } from './support/refusal.ts';

const offer = await kafkaOffer();

describe.skipIf(offer.missing !== undefined || !offer.ours)(`a retry topic on ${offer.name}`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await offer.start({});
  });
  afterAll(() => server?.stop());

  const open = (options: TestOptions = {}): Promise<MessageQueue> =>
    openQueue(server, { retryTopic: true, retryAfterMs: 500, ...options });
  const client = (): Kafka => new Kafka({ brokers: [...server.brokers], logLevel: logLevel.NOTHING });

  async function send(topic: string, messages: Message[]): Promise<void> {
    const producer = client().producer({ allowAutoTopicCreation: false });
    await producer.connect();
    await producer.send({ topic, messages }).finally(() => producer.disconnect());
  }

  /** Puts a record into the retry topic of the group of the tests, as somebody else might. */
  const inject = (topic: string, headers: Record<string, string>, value = '{"type":"alien"}'): Promise<void> =>
    send(`${topic}.tests.retry`, [{ partition: 0, key: 'k', value, headers }]);

  async function withAdmin<Result>(work: (admin: Admin) => Promise<Result>): Promise<Result> {
    const admin = client().admin();
    await admin.connect();
    return work(admin).finally(() => admin.disconnect());
  }

  /** Has a topic take nothing any more; until then it may take records without a value. */
  async function takeNothing(topic: string): Promise<void> {
    const configEntries = [{ name: 'max.message.bytes', value: '1' }];
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries }];
    await withAdmin((admin) => admin.alterConfigs({ validateOnly: false, resources }));
    const refuses = (partition: number): Promise<boolean> =>
      send(topic, [{ partition, value: null }]).then(
        () => false,
        () => true,
      );
    const partitions = await withAdmin((admin) => admin.fetchTopicOffsets(topic));
    await until('it to refuse', async () => {
      return (await Promise.all(partitions.map(({ partition }) => refuses(partition)))).every(Boolean);
    });
  }

  /** The members of a group. */
  const membersOf = (group: string): Promise<readonly string[]> =>
    withAdmin(async (admin) => {
      const { groups } = await admin.describeGroups([group]);
      return (groups[0]?.members ?? []).map(({ memberId }) => memberId).toSorted();
    });

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

  test.each([3_000_000, -3_000_000])(
    'has delays that last as long as they should where the clock is wrong of who gives back and of who has it next: by %i ms',
    async (aheadMs) => {
      const topic = newTopic();
      const date = Date.now.bind(Date);
      const clock = vi.spyOn(Date, 'now').mockImplementation(() => date() - aheadMs);
      onTestFinished(() => clock.mockRestore());
      const before = await open({ topic });
      await before.push({ type: 'a' });
      const delivery = await take(before);
      const givenBackAt = performance.now();
      await delivery.nack({ delayMs: 10_000 });
      await before.close();
      clock.mockImplementation(() => date() + aheadMs);
      // Long before the end, and later than a delay could begin anew and be over in time.
      await sleep(5000);
      await using after = await open({ topic });
      await (await take(after, 20_000)).ack();
      expect(performance.now() - givenBackAt).toBeGreaterThanOrEqual(9999);
      expect(performance.now() - givenBackAt).toBeLessThan(14_900);
    },
  );

  test('has delays that last as long as they should in a process whose clock is ahead of that of the brokers', async () => {
    const date = Date.now.bind(Date);
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => date() + 3_000_000);
    onTestFinished(() => clock.mockRestore());
    await using queue = await open();
    for (let left = 8; left > 0; left--) {
      await queue.push({ type: 'a' });
      const delivery = await take(queue);
      const givenBackAt = performance.now();
      await delivery.nack({ delayMs: 600 });
      await (await take(queue)).ack();
      expect(performance.now() - givenBackAt).toBeGreaterThanOrEqual(599);
    }
  });

  test('is counted: what waits is delayed, and ready when its delay is over', async () => {
    await using queue = await open();
    await queue.pushMany(['a', 'b', 'c'].map((type) => ({ type, key: type })));
    for (let left = 2; left > 0; left--) await (await take(queue)).nack({ delayMs: 4000 });
    const held = await take(queue);
    expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 1, delayed: 2 });
    await held.ack();
    const again = [await take(queue), await take(queue)];
    await again[0]?.nack({ delayMs: 60_000 });
    await again[1]?.nack();
    expect(await queue.size()).toMatchObject({ ready: 1, inFlight: 0, delayed: 1 });
  });

  test('gives its events to the processes of the group, each to one of them', async () => {
    const [topic, groupId] = [newTopic(), newTopic()];
    await using queue = await open({ topic, groupId });
    await using other = await open({ topic, groupId });
    const types = Array.from({ length: 200 }, (_, index) => `t${index}`);
    const seen = { queue: [] as string[], other: [] as string[] };
    const count = (): number => seen.queue.length + seen.other.length;
    const consume = async (one: MessageQueue, own: string[]): Promise<void> => {
      while (count() < types.length) {
        const delivery = await one.pop({ timeoutMs: 500 });
        if (delivery === undefined) continue;
        if (delivery.attempt === 1) await delivery.nack({ delayMs: 500 });
        else {
          own.push(delivery.event.type);
          await delivery.ack();
        }
      }
    };
    const consuming = Promise.all([consume(queue, seen.queue), consume(other, seen.other)]);
    // Each has its part of the partitions, of the topic and of the retries.
    for (const group of [groupId, `${topic}.${groupId}.retries`]) {
      await until('two members', async () => (await membersOf(group)).length === 2);
    }
    await queue.pushMany(types.map((type) => ({ type, key: type })));
    await consuming;
    expect([...seen.queue, ...seen.other].toSorted()).toEqual(types.toSorted());
    expect([seen.queue.length > 0, seen.other.length > 0]).toEqual([true, true]);
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
    expect(key).toMatch(new RegExp(`^tests:${topic}/[0-3]/0$`));
    expect(await queue.deadLetters.replay()).toBe(1);
    const again = await take(queue);
    expect(again).toMatchObject({ attempt: 1, event: { id: 'a', key: 'k', data: 1, headers: { trace: 't' } } });
    await again.ack();
  });

  test('that cannot be written leaves the event where it was, and keeps nothing else from being given back', async () => {
    const topic = newTopic();
    await using queue = await open({ topic });
    await queue.pushMany(['a', 'b', 'c'].map((type) => ({ type, key: type })));
    const deliveries = [await take(queue), await take(queue), await take(queue)] as const;
    await takeNothing(`${topic}.tests.retry`);
    const [parked, plain, given] = await Promise.allSettled([
      deliveries[0].nack({ delayMs: 1000 }),
      deliveries[1].nack(),
      deliveries[2].nack({ deadLetter: true }),
    ]);
    expect([plain.status, given.status]).toEqual(['fulfilled', 'fulfilled']);
    expect(parked).toMatchObject({ reason: { code: 'NQ_PAYLOAD' } });
    expect(deliveries[0].signal.aborted).toBe(false);
    await deliveries[0].nack();
    const back = [await take(queue), await take(queue)].map(({ event, attempt }) => `${event.type}${attempt}`);
    expect(back.toSorted()).toEqual([`${deliveries[0].event.type}2`, `${deliveries[1].event.type}2`].toSorted());
    const letters = await queue.deadLetters.list({ limit: 10_000 });
    expect(letters.map(({ event }) => event.id)).toContain(deliveries[2].event.id);
  });

  test('has an event once whose neighbour cannot become a dead letter', async () => {
    const topic = newTopic();
    await using queue = await open({ topic, leaseMs: 60_000 });
    await queue.pushMany(['a', 'b'].map((type) => ({ type, key: type })));
    const [one, other] = [await take(queue), await take(queue)];
    await takeNothing(`${topic}.tests.dead`);
    const [dead, parked] = await Promise.allSettled([one.nack({ deadLetter: true }), other.nack({ delayMs: 500 })]);
    expect(dead).toMatchObject({ reason: { code: 'NQ_PAYLOAD' } });
    expect(parked.status).toBe('fulfilled');
    const again = await take(queue);
    expect([again.event.type, again.attempt]).toEqual([other.event.type, 2]);
    await again.ack();
    expect(await queue.pop({ timeoutMs: 500 })).toBeUndefined();
    await one.ack();
  });

  test('has events without a key in all of its partitions', async () => {
    const topic = newTopic();
    // A member that comes again writes down when that was.
    await using queue = await open({ topic, idleMs: 60_000 });
    expect(await queue.pop({ timeoutMs: 0 })).toBeUndefined();
    await until('the member', async () => (await membersOf(`${topic}.tests.retries`)).length === 1);
    await queue.pushMany(Array.from({ length: 20 }, (_, index) => ({ type: `t${index}` })));
    for (let left = 20; left > 0; left--) await (await take(queue)).nack({ delayMs: 60_000 });
    const counts = await withAdmin((admin) => admin.fetchTopicOffsets(`${topic}.tests.retry`));
    expect(counts.map(({ high }) => Number(high))).toEqual([5, 5, 5, 5]);
  });

  test('takes any delay', async () => {
    await using queue = await open();
    await queue.push({ type: 'a' });
    await (await take(queue)).nack({ delayMs: Number.MAX_SAFE_INTEGER });
    expect(await queue.pop({ timeoutMs: 500 })).toBeUndefined();
    expect(await queue.size()).toMatchObject({ ready: 0, delayed: 1 });
  });

  test('counts delays from when an event was given back, however much there is to be read', async () => {
    const topic = newTopic();
    // Whose records have the time of who writes them.
    await withAdmin((admin) => admin.createTopics({ topics: [{ topic: `${topic}.tests.retry`, numPartitions: 4 }] }));
    await using queue = await open({ topic });
    // More than one answer has, of each partition.
    const value = JSON.stringify({ type: 'old', text: 'x'.repeat(1000) });
    const timestamp = String(Date.now() - 120_000);
    const messages = Array.from({ length: 4000 }, (_, index) => {
      return { partition: index % 4, timestamp, value, headers: { 'nq-delay-ms': '60000' } };
    });
    for (let at = 0; at < messages.length; at += 500) await send(`${topic}.tests.retry`, messages.slice(at, at + 500));
    expect((await takeAll(queue, messages.length)).length).toBe(messages.length);
  });

  test('is not left while something of the topic itself is in hand', async () => {
    const [topic, groupId] = [newTopic(), newTopic()];
    await using queue = await open({ topic, groupId, idleMs: 200 });
    await queue.push({ type: 'a' });
    const held = await take(queue);
    await until('the member', async () => (await membersOf(`${topic}.${groupId}.retries`)).length === 1);
    const before = await membersOf(`${topic}.${groupId}.retries`);
    // Long after it would have been left.
    await sleep(1500);
    expect(await membersOf(`${topic}.${groupId}.retries`)).toEqual(before);
    await held.ack();
    await until('it to leave', async () => (await membersOf(`${topic}.${groupId}.retries`)).length === 0);
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

  test('has what others have written, whatever its headers are', async () => {
    const topic = newTopic();
    await using queue = await open({ topic });
    const headers = { ce_specversion: '1.0', ce_id: 'a', ce_source: '/x', ce_type: 'alien', 'nq-clock': '' };
    await send(topic, [{ partition: 0, key: null, value: null, headers }]);
    await (await take(queue)).nack({ delayMs: 500 });
    expect(await take(queue)).toMatchObject({ attempt: 2, event: { type: 'alien' } });
  });

  test('is done with what was written only to learn what time it is', async () => {
    const topic = newTopic();
    const retries = `${topic}.tests.retry`;
    // It stays a member of the group of retries, however long that takes.
    await using queue = await open({ topic, idleMs: 60_000 });
    await send(retries, [{ partition: 0, key: null, value: null, headers: { 'nq-clock': '' } }]);
    expect(await queue.pop({ timeoutMs: 500 })).toBeUndefined();
    await until('it to be done', () =>
      withAdmin(async (admin) => {
        const ends = await admin.fetchTopicOffsets(retries);
        const [group] = await admin.fetchOffsets({ groupId: `${topic}.tests.retries`, topics: [retries] });
        const first = ({ partition }: { readonly partition: number }): boolean => partition === 0;
        // With the one that was written to learn when this one was.
        return Number(ends.find(first)?.high) === 2 && group?.partitions.find(first)?.offset === '2';
      }),
    );
    expect(await queue.size()).toMatchObject({ ready: 0, delayed: 0 });
    expect(await queue.deadLetters.count()).toBe(0);
  });

  test.each([
    ['groups', newTopic(), ['one', 'other']],
    ['topics', undefined, ['tests', 'tests']],
  ] as const)('may be that of several %s: each gets what it has given back itself', async (_what, topic, groups) => {
    const retryTopic = newTopic();
    const options = groups.map((groupId) => ({ groupId, retryTopic, topic: topic ?? newTopic() }));
    await using one = await open(options[0]);
    await using other = await open(options[1]);
    await one.push({ type: 'a' });
    if (topic === undefined) await other.push({ type: 'b' });
    await (await take(one)).nack({ delayMs: 500 });
    await (await take(other)).ack();
    const again = await take(one);
    expect(again).toMatchObject({ attempt: 2, event: { type: 'a' } });
    await again.ack();
    expect(await other.pop({ timeoutMs: 700 })).toBeUndefined();
    expect(await other.size()).toMatchObject({ ready: 0, delayed: 0 });
  });

  test('of which something was deleted that waited is read on, and that is told', async () => {
    const topic = newTopic();
    const retries = `${topic}.tests.retry`;
    const warnings: string[] = [];
    const onWarning = (warning: string): void => void warnings.push(warning);
    const options = { topic, createTopic: { partitions: 1, replicationFactor: 1 }, onWarning };
    const before = await open(options);
    await before.push({ type: 'a' });
    await (await take(before)).nack({ delayMs: 3000 });
    await before.close();
    await withAdmin(async (admin) => {
      await admin.fetchTopicOffsets(retries);
      await admin.deleteTopicRecords({ topic: retries, partitions: [{ partition: 0, offset: '1' }] });
    });
    await using after = await open(options);
    expect(await after.pop({ timeoutMs: 500 })).toBeUndefined();
    await until('the warning', () => warnings.length > 0);
    expect(warnings).toEqual([
      `Partition 0 of ${retries} has no offset 0 any more: group ${topic}.tests.retries goes on at 1`,
    ]);
  });

  test('that is not there is told of, by its name, when the queue is opened', async () => {
    const topic = newTopic();
    await (await openQueue(server, { topic })).close();
    const { told } = await refusalOf(() => open({ topic, createTopic: undefined }));
    expect(told).toContain(
      `there is no topic "${topic}.tests.retry"; make it with kafka-topics.sh --bootstrap-server ${server.brokers[0]} --create --topic "${topic}.tests.retry" --partitions 12 --config message.timestamp.type=LogAppendTime`,
    );
  });

  test('is said by the promises: a retry does not keep its place', async () => {
    await using queue = await open();
    expect(queue.capabilities).toMatchObject({ order: 'key', strictRetry: false });
  });
});
