import type { Delivery, MessageQueue } from '@nq/core';
import { until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { countsOf, drain, nothing, openQueue, take, takeAllReady, untilBlocked } from './support/queue.ts';
import { Program } from './support/process.ts';
import { newKey, offer, useServer } from './support/server.ts';

const event = (type: string) => ({ type, data: null });
const numbered = (count: number) => Array.from({ length: count }, (_, number) => event(`e${number}`));

/** Takes everything that is ready, and returns the deliveries. */
async function takeAll(queue: MessageQueue): Promise<Delivery[]> {
  const all: Delivery[] = [];
  for await (const deliveries of takeAllReady(queue)) all.push(...deliveries);
  return all;
}

describe.skipIf(offer.missing !== undefined)(`what comes again on ${offer.name}`, () => {
  const server = useServer();

  /** Has a process of its own take `count` events for `leaseMs`, and kills it. */
  async function takeAndDie(queueKey: string, count: number, leaseMs: number): Promise<void> {
    const options = JSON.stringify({ url: server().url, queueKey, leaseMs });
    await using program = new Program(`
      const queue = await redisQueue({ ...${options}, onWarning: () => {} });
      const taken = await queue.popMany(${count});
      console.log('took', taken.length);
      await told();`);
    await until('the other process to take them', () => program.output.includes(`took ${count}`));
    await program.kill();
  }

  test('comes again in its order, in front of what is ready, once the lease of a process that was killed has ended', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    await queue.pushMany(numbered(3));
    await takeAndDie(queueKey, 2, 500);
    await queue.push(event('later'));
    await until('the lease to end', async () => (await queue.size()).inFlight === 0);
    const deliveries = await takeAll(queue);
    expect(deliveries.map(({ event: { type }, attempt }) => [type, attempt])).toEqual([
      ['e0', 2],
      ['e1', 2],
      ['e2', 1],
      ['later', 1],
    ]);
    await Promise.all(deliveries.map((delivery) => delivery.ack()));
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  test('comes again to who waited already when the lease of a process that was killed ended', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    await queue.pushMany(numbered(2));
    // For longer than it takes to kill it, and to wait.
    await takeAndDie(queueKey, 2, 5000);
    const popped = take(queue, 10_000);
    await untilBlocked(server(), queueKey, { deadlineMs: 5000 });
    const deliveries = [await popped, await take(queue)];
    expect(deliveries.map(({ event: { type }, attempt }) => [type, attempt])).toEqual([
      ['e0', 2],
      ['e1', 2],
    ]);
    await Promise.all(deliveries.map((delivery) => delivery.ack()));
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  test('counts its attempts through nacks, crashes and closed queues', async () => {
    const queueKey = newKey();
    await using last = await openQueue(server(), { queueKey });
    await last.push(event('a'));
    await (await take(last)).nack();
    await (await take(last)).nack({ delayMs: 20 });
    const closed = await openQueue(server(), { queueKey });
    expect((await take(closed)).attempt).toBe(3);
    expect(await closed.close()).toMatchObject({ returned: 1 });
    const link = await server().link();
    const crashed = await openQueue(link, { queueKey, leaseMs: 500 });
    expect((await take(crashed)).attempt).toBe(4);
    await link.close();
    const delivery = await take(last);
    expect(delivery.attempt).toBe(5);
    await delivery.nack({ deadLetter: true });
    expect((await last.deadLetters.list())[0]?.attempts).toBe(5);
    // Whoever replays it wants it tried as if it were new.
    await last.deadLetters.replay();
    expect((await take(last)).attempt).toBe(1);
    await crashed.close();
  });

  test('is given back by close() in its order, in front of what is ready', async () => {
    const queueKey = newKey();
    await using other = await openQueue(server(), { queueKey });
    await other.pushMany(numbered(6));
    const queue = await openQueue(server(), { queueKey });
    await queue.popMany(4);
    expect(await queue.close()).toMatchObject({ returned: 4 });
    expect(await drain(other)).toEqual(['e0', 'e1', 'e2', 'e3', 'e4', 'e5']);
  });

  test('is ready when its own delay is over, although others were over before, and nobody waits', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    await queue.pushMany(numbered(3));
    const [e0, e1, e2] = await queue.popMany(3);
    await Promise.all([e0?.nack({ delayMs: 100 }), e1?.nack({ delayMs: 600 })]);
    await e2?.nack({ delayMs: 300 });
    await until('all to be ready', async () => (await countsOf(server(), queueKey)).ready === 3, { deadlineMs: 5000 });
    expect(await countsOf(server(), queueKey)).toEqual({ ...nothing, ready: 3 });
  });

  test('is ready when its delay is over, although that is longer than anybody blocks, and nobody waits', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    await queue.pushMany(numbered(601));
    const [first, ...others] = await takeAll(queue);
    // More than are given back by one request.
    await Promise.all(others.map((delivery, at) => delivery.nack({ delayMs: 2400 + (at % 100) })));
    await first?.nack({ delayMs: 4200 });
    await until('all to be ready', async () => (await countsOf(server(), queueKey)).ready === 601);
    expect(await countsOf(server(), queueKey)).toEqual({ ...nothing, ready: 601 });
  });

  test('may be more than 8000 events whose delays are over together, and each comes once', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey, capacity: Infinity, leaseMs: 60_000 });
    await queue.pushMany(numbered(9000));
    const deliveries = await takeAll(queue);
    expect(deliveries).toHaveLength(9000);
    await Promise.all(deliveries.map((delivery, at) => delivery.nack({ delayMs: 1 + at / 100 })));
    expect(await countsOf(server(), queueKey)).toMatchObject({ held: 0, leases: 0 });
    await until('the last delay to be over', async () => (await queue.size()).delayed === 0);
    expect(await queue.size()).toMatchObject({ ready: 9000, delayed: 0 });
    const types: string[] = [];
    while (types.length < 9000) {
      const again = await queue.popMany(256, { timeoutMs: 1000 });
      expect(again.length).toBeGreaterThan(0);
      types.push(...again.map((delivery) => delivery.event.type));
      await Promise.all(again.map((delivery) => delivery.ack()));
    }
    expect(new Set(types).size).toBe(9000);
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  test('may be more than 8000 events whose leases end together, among them one that was renewed', async () => {
    const queueKey = newKey();
    const link = await server().link();
    const queue = await openQueue(link, { queueKey, capacity: Infinity, leaseMs: 10_000 });
    await queue.pushMany(numbered(9000));
    const deliveries = await takeAll(queue);
    expect(deliveries).toHaveLength(9000);
    await deliveries[4500]?.extend(60_000);
    await link.close();
    await using other = await openQueue(server(), { queueKey });
    await until('the leases to end', async () => (await other.size()).inFlight === 1);
    const types: string[] = [];
    while (types.length < 8999) {
      const again = await other.popMany(256, { timeoutMs: 1000 });
      expect(again.length).toBeGreaterThan(0);
      expect(again.every(({ attempt }) => attempt === 2)).toBe(true);
      types.push(...again.map((delivery) => delivery.event.type));
      await Promise.all(again.map((delivery) => delivery.ack()));
    }
    expect(new Set(types).size).toBe(8999);
    expect(await countsOf(server(), queueKey)).toEqual({ ...nothing, held: 1, leases: 1 });
    await queue.close();
  });

  test('may be more than a thousand dead letters: counted, listed, replayed and removed', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey, capacity: Infinity });
    await queue.pushMany(Array.from({ length: 1200 }, (_, n) => ({ ...event(`e${n}`), id: `id-${n % 600}` })));
    const buried = await takeAll(queue);
    await Promise.all(buried.map((delivery) => delivery.nack({ deadLetter: true, reason: 'no' })));
    expect(await queue.deadLetters.count()).toBe(1200);
    expect(await queue.deadLetters.list()).toHaveLength(100);
    expect(await queue.deadLetters.list({ limit: 0 })).toEqual([]);
    const all = await queue.deadLetters.list({ limit: Infinity });
    expect(all.map((letter) => letter.event.type)).toEqual(numbered(1200).map(({ type }) => type));
    // Two events may have the same id.
    expect(await queue.deadLetters.replay(['id-7', 'id-9', 'unknown'])).toBe(4);
    expect(await queue.deadLetters.remove(['id-8'])).toBe(2);
    expect(await drain(queue)).toEqual(['e7', 'e9', 'e607', 'e609']);
    const ids = Array.from({ length: 500 }, (_, n) => `id-${n + 10}`);
    expect(await queue.deadLetters.remove(ids)).toBe(1000);
    expect(await queue.deadLetters.replay()).toBe(194);
    expect(await queue.size()).toMatchObject({ ready: 194 });
    expect(await countsOf(server(), queueKey)).toEqual({ ...nothing, ready: 194 });
  });

  test('replays dead letters past the capacity, in their order, behind what is ready', async () => {
    await using queue = await openQueue(server(), { capacity: 3 });
    await queue.pushMany(numbered(3));
    for (const delivery of await queue.popMany(3)) await delivery.nack({ deadLetter: true });
    await queue.pushMany(['x', 'y', 'z'].map(event));
    expect(await queue.deadLetters.replay()).toBe(3);
    expect(await drain(queue)).toEqual(['x', 'y', 'z', 'e0', 'e1', 'e2']);
  });
});
