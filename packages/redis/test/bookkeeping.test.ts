import { setImmediate } from 'node:timers/promises';
import { isNqError } from '@nq/core';
import { until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { codeOf, countsOf, drain, nothing, openQueue, take } from './support/queue.ts';
import { newKey, notOurs, offer, useServer } from './support/server.ts';

const three = ['a', 'b', 'c'].map((type) => ({ type, data: null }));

/** Waits until the queue knows that it has no connection. */
async function offline(queue: { size(): Promise<unknown> }): Promise<void> {
  await until('the queue to notice', () => queue.size().then(String, (error) => isNqError(error, 'NQ_UNAVAILABLE')), {
    everyMs: 1,
  });
}

describe.skipIf(offer.missing !== undefined)(`what is held on ${offer.name}`, () => {
  const server = useServer();

  test('an event whose ack was not sent comes again, although those it was handed out with were acknowledged', async () => {
    const queueKey = newKey();
    const link = await server().link();
    await using queue = await openQueue(link, { queueKey, leaseMs: 8000, requestTimeoutMs: 1000 });
    await queue.pushMany(three);
    const [a, b, c] = await queue.popMany(3);
    link.cut();
    await offline(queue);
    await expect(a?.ack()).rejects.toMatchObject({ code: 'NQ_UNAVAILABLE' });
    link.heal();
    await until('the queue to be back', () => queue.size());
    await Promise.all([b?.ack(), c?.ack()]);

    const again = await take(queue, 12_000);
    expect(again.event.type).toBe('a');
    await again.ack();
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  test('an event whose ack the server refused comes again, although those it was handed out with were acknowledged', async ({
    skip,
  }) => {
    skip(notOurs !== undefined, notOurs);
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey, leaseMs: 1500 });
    await queue.pushMany(three);
    const [a, b, c] = await queue.popMany(3);
    await server().command('ACL', 'SETUSER', 'default', '-sadd');
    try {
      await expect(a?.ack()).rejects.toMatchObject({ code: 'NQ_CONFIG' });
    } finally {
      await server().command('ACL', 'SETUSER', 'default', '+sadd');
    }
    await Promise.all([b?.ack(), c?.ack()]);

    const again = await take(queue);
    expect(again.event.type).toBe('a');
    await again.ack();
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  test('a settlement that was told NQ_UNAVAILABLE is not sent later', async () => {
    const queueKey = newKey();
    const link = await server().link();
    await using queue = await openQueue(link, { queueKey, requestTimeoutMs: 1500 });
    await queue.pushMany(three);
    const [a, b] = await queue.popMany(2);
    link.cut();
    await offline(queue);
    // The second one stands behind the first, and its turn comes when its time is nearly over.
    const first = codeOf(a?.ack());
    await setImmediate();
    await expect(b?.nack()).rejects.toMatchObject({ code: 'NQ_UNAVAILABLE' });
    link.heal();
    expect(await first).toBe('NQ_UNAVAILABLE');
    await until('the queue to be back', () => queue.size());
    expect(await countsOf(server(), queueKey)).toMatchObject({ held: 2, ready: 1 });
  });

  test('what a claim brings while the queue is closed goes back at once', async () => {
    const queueKey = newKey();
    const link = await server().link();
    await using other = await openQueue(server(), { queueKey });
    const queue = await openQueue(link, { queueKey, requestTimeoutMs: 10_000 });
    await other.push({ type: 'a', data: null });
    // Long enough to see that it was handed out, and to close, before the answer is there.
    link.delay(1000);
    const popped = codeOf(queue.pop());
    await until('Redis to have handed it out', async () => (await countsOf(server(), queueKey)).held === 1, {
      everyMs: 1,
    });
    const closed = queue.close();
    link.heal();
    await closed;
    expect(await popped).toBe('NQ_CLOSED');
    expect(await drain(other)).toEqual(['a']);
  });

  test('what is no event is a dead letter, although the queue is closed meanwhile', async () => {
    const queueKey = newKey();
    const link = await server().link();
    const queue = await openQueue(link, { queueKey });
    await server().command('LPUSH', queueKey, 'no JSON', '{"type":"a"}');
    link.delay(30);
    const deliveries = await queue.popMany(2);
    expect(deliveries).toHaveLength(1);
    await queue.close();
    expect(await countsOf(server(), queueKey)).toEqual({ ...nothing, dead: 1, ready: 1 });
  });

  test('a lease that was made longer holds for one of those that were handed out together, and for no other', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey, leaseMs: 600 });
    await using other = await openQueue(server(), { queueKey });
    await queue.pushMany(three);
    const [, b] = await queue.popMany(3);
    await b?.extend(60_000);
    const again = [await take(other), await take(other)];
    expect(again.map(({ event, attempt }) => [event.type, attempt])).toEqual([
      ['a', 2],
      ['c', 2],
    ]);
    expect(await queue.pop({ timeoutMs: 0 })).toBeUndefined();
    await Promise.all([b, ...again].map((delivery) => delivery?.ack()));
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  test.for([
    ['in their order', <Item>(items: readonly Item[]) => items],
    ['in another order', <Item>(items: readonly Item[]) => items.toReversed()],
  ] as const)(
    'of many that are acknowledged together %s, those are late whose lease has ended',
    async ([, inOrder]) => {
      const queueKey = newKey();
      await using queue = await openQueue(server(), { queueKey });
      await queue.pushMany([...three, ...three]);
      const ended = await queue.popMany(3);
      const held = await queue.popMany(3);
      // What another process does that looks for leases which have ended, as if its clock were ahead.
      const key = (name: string): string => `{${queueKey}}:nq:${name}`;
      const leases = (await server().command('ZRANGE', key('leases'), 0, -1)) as string[];
      const lease = leases.find((member) => member.endsWith(':1:3')) ?? '';
      await server().command('SADD', `${key('held')}:${lease.replace(/:3$/, ':settled')}`, 0, 1);
      await server().command('ZREM', key('leases'), lease);

      const acks = [...inOrder(ended), ...held].map((delivery) => codeOf(delivery.ack()));
      const lost = 'NQ_LEASE_LOST';
      expect(await Promise.all(acks)).toEqual([...inOrder([lost, lost, 'done']), 'done', 'done', 'done']);
      expect(await countsOf(server(), queueKey)).toEqual(nothing);
    },
  );

  test('two equal elements that are delayed stay two', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    const element = '{"type":"twin"}';
    await server().command('LPUSH', queueKey, element, element, element);
    const deliveries = await queue.popMany(3);
    await Promise.all(deliveries.map((delivery) => delivery.nack({ delayMs: 3000 })));
    expect(await countsOf(server(), queueKey)).toEqual({ ...nothing, delayed: 3 });
    const again = [await take(queue), await take(queue), await take(queue)];
    expect(again.map(({ attempt }) => attempt)).toEqual([2, 2, 2]);
    await Promise.all(again.map((delivery) => delivery.ack()));
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  test('an element that begins with a blank counts its attempts', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    await server().command('LPUSH', queueKey, ' \n{ "type": "a" }\n');
    await (await take(queue)).nack();
    await (await take(queue)).nack({ delayMs: 1 });
    const third = await take(queue);
    expect(third.attempt).toBe(3);
    expect(third.event).toMatchObject({ type: 'a' });
    await third.ack();
  });
});
