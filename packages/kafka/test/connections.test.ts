import { kafkaOffer, type TestKafka, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { newTopic, openQueue, take, takeAll } from './support/queue.ts';

const offer = await kafkaOffer();

describe.skipIf(offer.missing !== undefined || !offer.ours)(`the connections to ${offer.name}`, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await offer.start({});
  });
  afterAll(() => server?.stop());

  const linked = (): { readonly brokers: readonly string[]; readonly open: () => number } => {
    const [link] = server.links as [TestKafka['links'][number]];
    return { brokers: server.linkedBrokers, open: () => link.counts.open };
  };

  test('are few, however many calls there are at once, and none is left after close()', async () => {
    const { brokers, open } = linked();
    const queue = await openQueue(server, { brokers });
    const keys = Array.from({ length: 200 }, (_, index) => `key-${index}`);
    await Promise.all([...keys.map((key) => queue.push({ type: key, key })), takeAll(queue, keys.length)]);
    await queue.push({ type: 'dead' });
    await (await take(queue)).nack({ deadLetter: true });
    // The first that read without a group, and so find no connection for that.
    await Promise.all(keys.map(() => queue.deadLetters.list()));
    // For requests; for the group, and for what it fetches; and one that is left from finding the brokers, for each of them.
    expect(open()).toBeLessThanOrEqual(6);
    await queue.close();
    await until('all to be closed', () => open() === 0);
  });

  test('that are idle set no timers to look for work', async () => {
    const queue = await openQueue(server, { idleMs: 60_000 });
    await queue.push({ type: 'event' });
    await takeAll(queue, 1);
    const set = vi.spyOn(globalThis, 'setTimeout');
    const pop = await queue.pop({ timeoutMs: 2000 });
    const timers = set.mock.calls.length;
    set.mockRestore();
    expect(pop).toBeUndefined();
    // Two fetches in a second, a heartbeat now and then, each with its time limit: kafkajs itself sets thousands.
    expect(timers).toBeLessThan(100);
    await queue.close();
  });

  test('that hang keep nobody waiting for longer than a request may take', async () => {
    const [link] = server.links as [TestKafka['links'][number]];
    await using queue = await openQueue(server, { brokers: server.linkedBrokers, requestTimeoutMs: 1000 });
    await queue.push({ type: 'event' });
    link.freeze();
    const began = performance.now();
    await expect(queue.size()).rejects.toMatchObject({
      code: expect.stringMatching(/^NQ_(?:UNAVAILABLE|OUTCOME_UNKNOWN)$/),
    });
    // It is tried again for as long, and late requests are looked for twice in a second.
    expect(performance.now() - began).toBeLessThan(5000);
    link.heal();
  });

  test('on which nothing comes any more, though nobody has closed them, are made anew', async () => {
    const [link] = server.links as [TestKafka['links'][number]];
    const options = { requestTimeoutMs: 1000, deliveryTimeoutMs: 10_000, idleMs: 60_000 };
    await using queue = await openQueue(server, { brokers: server.linkedBrokers, ...options });
    await queue.push({ type: 'before' });
    expect(await takeAll(queue, 1)).toEqual(['before']);
    link.silence();
    try {
      await queue.push({ type: 'after' });
      expect(await takeAll(queue, 1)).toEqual(['after']);
    } finally {
      link.heal();
    }
  });

  test('are given up at once when a queue is closed while it joins its group', async () => {
    const topic = newTopic();
    const { brokers, open } = linked();
    await using other = await openQueue(server, { topic });
    const popping = other.pop({ timeoutMs: 2000 });
    const queue = await openQueue(server, { topic, brokers, sessionTimeoutMs: 30_000 });
    const joining = queue.pop({ timeoutMs: 10_000 }).catch((error: unknown) => error);
    await until('it to have asked', () => open() > 2);
    const began = performance.now();
    await queue.close();
    // The others of the group may take as long as a session to join again.
    expect(performance.now() - began).toBeLessThan(5000);
    expect(await joining).toMatchObject({ code: 'NQ_CLOSED' });
    await until('all to be closed', () => open() === 0);
    await popping;
  });
});
