import type { MessageQueue } from '@nq/core';
import { until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { codeOf, countsOf, drain, nothing, openQueue, take, type TestOptions } from './support/queue.ts';
import { newKey, notOurs, offer, useServer } from './support/server.ts';

const event = (type: string) => ({ type, data: 'x'.repeat(1000) });

const list: TestOptions = { mode: 'list' };
const stream: TestOptions = { mode: 'stream', group: 'default', retain: 0 };

describe.skipIf(notOurs !== undefined)(`a full ${notOurs ?? offer.name}`, () => {
  const server = useServer('maxmemory-policy noeviction');
  const limit = (bytes: number) => server().command('CONFIG', 'SET', 'maxmemory', bytes);

  /** Pushes until the server is full. @returns how many events are stored, and how the next push was refused. */
  async function fill(queue: MessageQueue): Promise<{ readonly stored: number; readonly refused: unknown }> {
    const used = Number(/used_memory:(\d+)/.exec(String(await server().command('INFO', 'memory')))?.[1]);
    await limit(used + 2_000_000);
    let stored = 0;
    const refused = await until('it to be full', async () => {
      try {
        for (;;) {
          await queue.push(event(`e${stored}`));
          stored++;
        }
      } catch (error) {
        return error;
      }
    });
    return { stored, refused };
  }

  test.for([list, stream])(
    'takes no push into a $mode and stores nothing of it, and is emptied by its consumers',
    async (options) => {
      const queueKey = newKey();
      await using queue = await openQueue(server(), { ...options, queueKey, capacity: Infinity });
      try {
        const { stored, refused } = await fill(queue);
        expect(refused).toMatchObject({ code: 'NQ_UNAVAILABLE', message: expect.stringContaining('maxmemory') });
        expect(await codeOf(queue.pushMany([event('x'), event('y')]))).toBe('NQ_UNAVAILABLE');
        expect(stored).toBeGreaterThan(100);
        expect(await queue.size()).toMatchObject({ ready: stored });

        // Everything that a consumer does goes on, also of one that comes only now.
        await (await openQueue(server(), { ...options, queueKey })).close();
        const [first, second, third] = await queue.popMany(3);
        await first?.extend(60_000);
        await first?.ack();
        await second?.nack({ deadLetter: true });
        await third?.nack({ delayMs: 1 });
        await until('the delay to be over', async () => (await queue.size()).delayed === 0);
        const types = await drain(queue);
        expect(types).toHaveLength(stored - 2);
        expect(new Set([...types, first?.event.type, second?.event.type]).size).toBe(stored);
        expect(types).not.toContain('x');
        expect(await queue.deadLetters.remove()).toBe(1);
        expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0, delayed: 0 });
      } finally {
        await limit(0);
      }
      await queue.push(event('again'));
      expect(await drain(queue)).toEqual(['again']);
    },
  );

  test.for([list, stream])(
    'takes pushes into a $mode again when it is emptied, and nothing of it is left',
    async (options) => {
      const queueKey = newKey();
      await using queue = await openQueue(server(), { ...options, queueKey, capacity: Infinity });
      try {
        const { stored } = await fill(queue);
        expect(await drain(queue)).toHaveLength(stored);
        await queue.push(event('again'));
        expect(await drain(queue)).toEqual(['again']);
        const keys = (await server().command('KEYS', `{${queueKey}}:nq:*`)) as string[];
        // Besides the last requests, which expire, and the names of groups, which stay as the stream does.
        expect(keys.filter((key) => !/:nq:(?:(?:push|consume):|groups$)/.test(key))).toEqual([]);
        expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0, delayed: 0 });
      } finally {
        await limit(0);
      }
    },
  );

  test('hands out what is there to a consumer that begins while it is full, with all leases', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey, leaseMs: 3000 });
    await queue.pushMany(['a', 'b'].map(event));
    await take(queue);
    await limit(1);
    try {
      await using other = await openQueue(server(), { queueKey });
      const b = await take(other);
      const a = await take(other);
      expect([a.event.type, a.attempt, b.event.type]).toEqual(['a', 2, 'b']);
      await Promise.all([a.ack(), b.ack()]);
    } finally {
      await limit(0);
    }
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  test('does not let consumers block, who look by themselves then', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    await queue.push(event('a'));
    await (await take(queue)).nack({ delayMs: 700 });
    await limit(1);
    try {
      const startedAt = performance.now();
      const again = await take(queue);
      expect(performance.now() - startedAt).toBeLessThan(3000);
      await again.ack();
      // Nobody can push. That somebody else gives an event back must be noticed all the same.
      expect(await queue.pop({ timeoutMs: 300 })).toBeUndefined();
      const refusals = /cmdstat_blmove:.*rejected_calls=(\d+)/.exec(
        String(await server().command('INFO', 'commandstats')),
      );
      const asked = Number(refusals?.[1]);
      expect(asked).toBeGreaterThan(0);
      // Once in 50 to 100 ms, not as often as possible.
      expect(asked).toBeLessThan(60);
    } finally {
      await limit(0);
    }
    const popped = take(queue);
    await queue.push(event('b'));
    await (await popped).ack();
  });

  test('has its dead letters replayed and removed, all of them or some', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    await queue.pushMany(['a', 'b', 'c', 'd'].map(event));
    for (const delivery of await queue.popMany(4)) await delivery.nack({ deadLetter: true });
    const [a = '', b = ''] = (await queue.deadLetters.list()).map((letter) => letter.event.id);
    await limit(1);
    try {
      expect(await queue.deadLetters.remove([a])).toBe(1);
      expect(await queue.deadLetters.replay([b])).toBe(1);
      expect(await queue.deadLetters.replay()).toBe(2);
      for (const delivery of await queue.popMany(3)) await delivery.nack({ deadLetter: true });
      expect(await queue.deadLetters.remove()).toBe(3);
    } finally {
      await limit(0);
    }
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });
});
