import type { MessageQueue } from '@nq/core';
import { until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { codeOf, drain, openQueue, take, type TestOptions, untilBlocked } from './support/queue.ts';
import { newKey, notOurs, offer, useServer } from './support/server.ts';

describe.skipIf(notOurs !== undefined)(`a stream on ${offer.name}`, () => {
  const server = useServer();

  const open = (queueKey: string, options: TestOptions = {}): Promise<MessageQueue> =>
    openQueue(server(), { queueKey, mode: 'stream', group: 'orders', ...options });

  async function pushAll(queue: MessageQueue, types: readonly string[]): Promise<void> {
    await queue.pushMany(types.map((type) => ({ type })));
  }

  const numbered = (count: number): string[] => Array.from({ length: count }, (_, index) => `event-${index}`);
  const lengthOf = async (key: string): Promise<number> => Number(await server().command('XLEN', key));

  test('gives every event to each group, and to one consumer of it', async () => {
    const key = newKey();
    await using first = await open(key);
    await using second = await open(key);
    await using invoices = await open(key, { group: 'invoices' });
    await pushAll(first, numbered(20));
    const taken = [...(await first.popMany(10)), ...(await second.popMany(20))];
    expect(taken.map(({ event }) => event.type).toSorted()).toEqual(numbered(20).toSorted());
    expect(await drain(invoices)).toEqual(numbered(20));
  });

  test('is shown by XLEN and XRANGE, and its groups by XINFO GROUPS', async () => {
    const key = newKey();
    await using queue = await open(key);
    await queue.push({ type: 'order.created', data: { total: 42 } });
    expect(await lengthOf(key)).toBe(1);
    const [entry] = (await server().command('XRANGE', key, '-', '+')) as [[string, [string, string]]];
    expect(entry[1][0]).toBe('d');
    expect(JSON.parse(entry[1][1])).toMatchObject({ specversion: '1.0', type: 'order.created', data: { total: 42 } });
    const [group] = (await server().command('XINFO', 'GROUPS', key)) as [unknown[]];
    expect(group.slice(0, 2)).toEqual(['name', 'orders']);
  });

  test('takes what somebody else has written with XADD, and wakes who waits for it', async () => {
    const key = newKey();
    await using queue = await open(key, { foreignKey: 'AccountID' });
    const popped = queue.pop({ timeoutMs: 5000 });
    await untilBlocked(server(), key);
    await server().command('XADD', key, '*', 'd', '{"type":"order.created","AccountID":"acct-7","total":42}');
    const delivery = await popped;
    expect(delivery?.event).toMatchObject({ type: 'order.created', key: 'acct-7', data: { total: 42 } });
    await delivery?.ack();
    expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0, exact: true });
  });

  test('makes a dead letter of an entry that is no event, and goes on', async () => {
    const key = newKey();
    await using queue = await open(key);
    await server().command('XADD', key, '*', 'type', 'order.created', 'total', '42');
    await server().command('XADD', key, '*', 'd', '{broken');
    await queue.push({ type: 'after' });
    expect(await drain(queue)).toEqual(['after']);
    await until('two dead letters', async () => (await queue.deadLetters.count()) === 2);
    const letters = await queue.deadLetters.list();
    for (const { reason } of letters) {
      expect(reason).toMatch(
        /^Cannot read the event: not JSON .*; an entry of a stream that has no field d is no event$/,
      );
    }
    expect(letters.map(({ event }) => Buffer.from(event.data as Uint8Array).toString())).toEqual([
      'type\norder.created\ntotal\n42',
      '{broken',
    ]);
  });

  test('is not sent back to what it has trimmed: what a group still has of that stays', async () => {
    const key = newKey();
    await using queue = await open(key, { retain: 0 });
    await pushAll(queue, ['held', 'returned', 'delayed']);
    const [held, returned, delayed] = await queue.popMany(3);
    await delayed?.nack({ delayMs: 60_000 });
    await pushAll(queue, ['later']);
    await pushAll(queue, ['last']);
    expect(await lengthOf(key)).toBe(2);
    await returned?.nack();
    await queue.rewind({ time: 0 });
    expect(await queue.size()).toMatchObject({ ready: 3, inFlight: 1, delayed: 1 });
    await held?.ack();
    expect(await drain(queue)).toEqual(['returned', 'later', 'last']);
  });

  test('hands out what is replayed also where that was to come behind has been deleted', async () => {
    const key = newKey();
    await using queue = await open(key);
    await pushAll(queue, ['dead', 'deleted']);
    await (await take(queue)).nack({ deadLetter: true });
    const entries = (await server().command('XRANGE', key, '-', '+')) as [string][];
    await queue.deadLetters.replay();
    await server().command('XDEL', key, entries[1]?.[0] ?? '');
    expect(await drain(queue)).toEqual(['dead']);
  });

  test('takes pushes behind an entry whose id somebody has chosen as large as they can be', async () => {
    const key = newKey();
    await using queue = await open(key, { retain: 0 });
    await server().command('XADD', key, '1-18446744073709551615', 'd', '{"type":"strange"}');
    expect(await drain(queue)).toEqual(['strange']);
    await pushAll(queue, ['a', 'b']);
    expect(await drain(queue)).toEqual(['a', 'b']);
  });

  describe('its capacity', () => {
    test('counts one by one only where it may be full, if Redis does not tell what is unread', async () => {
      const key = newKey();
      await using queue = await open(key, { capacity: 10 });
      await pushAll(queue, numbered(6));
      const entries = (await server().command('XRANGE', key, '-', '+')) as [string][];
      // From here on Redis 7 does not tell either, as those before never do.
      await queue.rewind({ position: entries[2]?.[0] ?? '' });
      const hasCounted = async (): Promise<boolean> =>
        String(await server().command('INFO', 'commandstats')).includes('cmdstat_xrange:');
      await server().command('CONFIG', 'RESETSTAT');
      await pushAll(queue, numbered(3));
      expect(await hasCounted()).toBe(false);
      await pushAll(queue, numbered(3));
      expect(await hasCounted()).toBe(true);
      expect(await codeOf(queue.push({ type: 'one too many' }, { timeoutMs: 0 }))).toBe('NQ_FULL');
    });

    test('stays what it is when the server is started again, however often somebody was woken', async () => {
      const own = await offer.start({ config: ['appendonly yes', 'appendfsync always'] });
      await using _own = own;
      const queueKey = newKey();
      await using queue = await openQueue(own, { queueKey, mode: 'stream', group: 'orders', capacity: 3 });
      // From here on the server counts what the group was given.
      await queue.push({ type: 'first' });
      await (await take(queue)).ack();
      for (let number = 0; number < 5; number++) {
        const popped = take(queue);
        await untilBlocked(own, queueKey);
        await queue.push({ type: `woke-${number}` });
        await (await popped).ack();
      }
      await own.restart();
      await until('the queue to be there', () => queue.size());
      expect(await queue.size()).toMatchObject({ ready: 0, exact: true });
      await pushAll(queue, ['a', 'b', 'c']);
      expect(await codeOf(queue.push({ type: 'd' }, { timeoutMs: 0 }))).toBe('NQ_FULL');
      expect(await drain(queue)).toEqual(['a', 'b', 'c']);
    });

    test('is right again after a pop where a server has lost count of what was read', async ({ skip }) => {
      const queueKey = newKey();
      await using queue = await open(queueKey, { capacity: 3 });
      await pushAll(queue, ['a', 'b']);
      expect(await drain(queue)).toEqual(['a', 'b']);
      const [group] = (await server().command('XINFO', 'GROUPS', queueKey)) as [unknown[]];
      const last = String(group[group.indexOf('last-delivered-id') + 1]);
      if (!group.includes('entries-read')) skip('a server before Redis 7 does not count');
      // As it is at a replica that has not been told of two that were woken.
      await server().command('XGROUP', 'SETID', queueKey, 'orders', last, 'ENTRIESREAD', 0);
      expect(await queue.size()).toMatchObject({ ready: 2 });
      expect(await queue.pop({ timeoutMs: 0 })).toBeUndefined();
      expect(await queue.size()).toMatchObject({ ready: 0, exact: true });
      await pushAll(queue, ['c', 'd', 'e']);
      expect(await drain(queue)).toEqual(['c', 'd', 'e']);
    });

    test('counts what the slowest group has not taken', async () => {
      const key = newKey();
      await using fast = await open(key, { capacity: 10 });
      await using slow = await open(key, { capacity: 10, group: 'slow' });
      await pushAll(fast, numbered(10));
      await drain(fast);
      await expect(fast.push({ type: 'late' }, { timeoutMs: 0 })).rejects.toMatchObject({ code: 'NQ_FULL' });
      await (await take(slow)).ack();
      await fast.push({ type: 'late' }, { timeoutMs: 0 });
      expect(await drain(slow)).toEqual([...numbered(10).slice(1), 'late']);
    });

    test('is kept by producers of several objects at once', async () => {
      const key = newKey();
      const queues = await Promise.all([1, 2, 3].map(() => open(key, { capacity: 50 })));
      const pushes = Array.from({ length: 300 }, (_, index) =>
        (queues[index % 3] as MessageQueue).push({ type: `event-${index}` }, { timeoutMs: 0 }),
      );
      const stored = (await Promise.allSettled(pushes)).filter(({ status }) => status === 'fulfilled').length;
      expect([stored, await lengthOf(key)]).toEqual([50, 50]);
      await Promise.all(queues.map((queue) => queue.close()));
    });

    test('counts entries where Redis does not know how many are unread', async () => {
      const key = newKey();
      await using queue = await open(key, { capacity: 10 });
      await pushAll(queue, numbered(10));
      const [entry] = (await server().command('XRANGE', key, '-', '+', 'COUNT', 5)) as [[string]];
      await server().command('XDEL', key, entry[0]);
      const size = await queue.size();
      expect(size).toMatchObject({ ready: 9, inFlight: 0 });
      await queue.push({ type: 'fits' }, { timeoutMs: 0 });
      await expect(queue.push({ type: 'late' }, { timeoutMs: 0 })).rejects.toMatchObject({ code: 'NQ_FULL' });
    });
  });

  describe('what it keeps', () => {
    test('is as many events as it shall retain, and not many more', async () => {
      const key = newKey();
      await using queue = await open(key, { retain: 100 });
      for (let round = 0; round < 10; round++) {
        await pushAll(queue, numbered(50));
        await drain(queue);
      }
      expect(await lengthOf(key)).toBeGreaterThanOrEqual(100);
      expect(await lengthOf(key)).toBeLessThanOrEqual(160);
    });

    test('is everything that some group has not taken yet', async () => {
      const key = newKey();
      await using fast = await open(key, { retain: 0 });
      await using slow = await open(key, { retain: 0, group: 'slow' });
      await pushAll(fast, numbered(300));
      await drain(fast);
      await pushAll(fast, ['last']);
      expect(await drain(slow)).toEqual([...numbered(300), 'last']);
    });

    test('is what somebody else has pending, and what comes behind that', async () => {
      const key = newKey();
      await using queue = await open(key, { retain: 0 });
      await server().command('XGROUP', 'CREATE', key, 'theirs', '0');
      await pushAll(queue, numbered(30));
      await drain(queue);
      const read = await server().command('XREADGROUP', 'GROUP', 'theirs', 'other', 'STREAMS', key, '>');
      const entries = (read as [[string, [string][]]])[0][1].map(([id]) => id);
      const [pending] = entries.splice(9, 1);
      await server().command('XACK', key, 'theirs', ...entries);
      await queue.push({ type: 'next' });
      const [first] = (await server().command('XRANGE', key, '-', '+', 'COUNT', 1)) as [[string]];
      expect([first[0], await lengthOf(key)]).toEqual([pending, 22]);
    });

    test('is not read at each push because one group has taken it and another one has not', async () => {
      const key = newKey();
      await using fast = await open(key, { retain: 0 });
      await using slow = await open(key, { retain: 0, group: 'slow' });
      await pushAll(fast, numbered(300));
      await drain(fast);
      await server().command('CONFIG', 'RESETSTAT');
      await pushAll(fast, ['last']);
      const stats = String(await server().command('INFO', 'commandstats'));
      expect(/cmdstat_xrange:calls=(\d+)/.exec(stats)?.[1]).toBe('1');
      expect(await slow.size()).toMatchObject({ ready: 301 });
    });

    test('is forgotten a part at a time where it is large', async () => {
      const key = newKey();
      await using queue = await open(key, { retain: 0 });
      const large = { type: 'large', data: 'x'.repeat(200_000) };
      for (let round = 0; round < 20; round++) await queue.push(large);
      await drain(queue);
      const lengths: number[] = [];
      for (let round = 0; round < 5; round++) {
        await queue.push({ type: 'next' });
        lengths.push(await lengthOf(key));
      }
      // Six of them are more than a megabyte.
      expect(lengths).toEqual([15, 10, 5, 4, 5]);
      expect(await drain(queue)).toHaveLength(5);
    });

    test('is what somebody holds, although it is trimmed from the stream', async () => {
      const key = newKey();
      await using queue = await open(key, { retain: 0, leaseMs: 3000 });
      await queue.push({ type: 'held' });
      await take(queue);
      await pushAll(queue, numbered(20));
      await drain(queue);
      await queue.push({ type: 'last' });
      expect(await lengthOf(key)).toBeLessThanOrEqual(1);
      expect(await drain(queue)).toEqual(['last']);
      const again = await take(queue);
      expect([again.event.type, again.attempt]).toEqual(['held', 2]);
    });
  });

  test('hands out what was given back before what was pushed later, in the order of the pushes', async () => {
    const key = newKey();
    await using queue = await open(key);
    await pushAll(queue, numbered(6));
    const held = await queue.popMany(4);
    for (const index of [2, 0, 3, 1]) await held[index]?.nack();
    expect(await drain(queue)).toEqual(numbered(6));
  });

  test('replays a dead letter to its own group, behind what is ready', async () => {
    const key = newKey();
    await using queue = await open(key);
    await using other = await open(key, { group: 'other' });
    await pushAll(queue, ['dies', 'lives']);
    await (await take(queue)).nack({ deadLetter: true, reason: 'a test' });
    expect(await queue.deadLetters.replay()).toBe(1);
    await queue.push({ type: 'later' });
    const deliveries = [await take(queue), await take(queue), await take(queue)];
    expect(deliveries.map(({ event }) => event.type)).toEqual(['lives', 'dies', 'later']);
    expect(await drain(other)).toEqual(['dies', 'lives', 'later']);
  });

  test('replays a dead letter behind what is ready also to who takes all of it at once', async () => {
    await using queue = await open(newKey());
    await pushAll(queue, ['dies', 'lives', 'lives too']);
    await (await take(queue)).nack({ deadLetter: true, reason: 'a test' });
    expect(await queue.deadLetters.replay()).toBe(1);
    expect(await drain(queue)).toEqual(['lives', 'lives too', 'dies']);
  });

  describe('rewind()', () => {
    test('hands out again from a time on, as if new', async () => {
      const key = newKey();
      await using queue = await open(key);
      await pushAll(queue, ['old']);
      const since = Number(((await server().command('TIME')) as string[])[0]) * 1000 + 1000;
      await until('another second', async () => {
        const [seconds] = (await server().command('TIME')) as string[];
        return Number(seconds) * 1000 >= since;
      });
      await pushAll(queue, ['new-1', 'new-2']);
      await drain(queue);
      await queue.rewind({ time: since });
      const again = await queue.popMany(10);
      expect(again.map(({ event, attempt }) => [event.type, attempt])).toEqual([
        ['new-1', 1],
        ['new-2', 1],
      ]);
    });

    test('hands out again from an entry on, and to its own group alone', async () => {
      const key = newKey();
      await using queue = await open(key);
      await using other = await open(key, { group: 'other' });
      await pushAll(queue, numbered(5));
      await drain(queue);
      await drain(other);
      const entries = (await server().command('XRANGE', key, '-', '+')) as [string][];
      await queue.rewind({ position: entries[3]?.[0] ?? '' });
      expect(await drain(queue)).toEqual(['event-3', 'event-4']);
      expect(await drain(other)).toEqual([]);
    });

    test('takes from whoever holds it what comes again, and leaves what is older', async () => {
      const key = newKey();
      await using queue = await open(key);
      await pushAll(queue, numbered(4));
      const [, older, newer, returned] = await queue.popMany(4);
      await returned?.nack({ delayMs: 600_000 });
      const entries = (await server().command('XRANGE', key, '-', '+')) as [string][];
      await queue.rewind({ position: entries[2]?.[0] ?? '' });
      await older?.ack();
      await expect(newer?.ack()).rejects.toMatchObject({ code: 'NQ_LEASE_LOST' });
      expect(await queue.size()).toMatchObject({ ready: 2, inFlight: 1, delayed: 0 });
      expect(await drain(queue)).toEqual(['event-2', 'event-3']);
    });

    test('to a time to come goes to the end', async () => {
      const key = newKey();
      await using queue = await open(key);
      await pushAll(queue, numbered(3));
      await queue.rewind({ time: Date.now() + 86_400_000 });
      await queue.push({ type: 'next' });
      expect(await drain(queue)).toEqual(['next']);
    });

    test.for(['', '-', 'yesterday', '1-2-3', '9'.repeat(20)])('refuses the position %j', async (position) => {
      await using queue = await open(newKey());
      await expect(queue.rewind({ position })).rejects.toThrow(RangeError);
    });
  });

  test('begins anew where the stream was deleted', async () => {
    const key = newKey();
    await using queue = await open(key);
    await queue.push({ type: 'gone' });
    await server().command('DEL', key);
    await queue.push({ type: 'first' });
    expect(await drain(queue)).toEqual(['first']);
  });

  test('hands out everything again where its group was destroyed, and counts it', async () => {
    const key = newKey();
    await using queue = await open(key);
    await pushAll(queue, ['a', 'b', 'c']);
    expect(await drain(queue)).toEqual(['a', 'b', 'c']);
    await server().command('XGROUP', 'DESTROY', key, 'orders');
    const delivery = await take(queue);
    expect(delivery.event.type).toBe('a');
    expect(await queue.size()).toMatchObject({ ready: 2, inFlight: 1 });
    await delivery.ack();
    expect(await drain(queue)).toEqual(['b', 'c']);
    expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0 });
  });

  test('begins a new group at the end, where it shall', async () => {
    const key = newKey();
    await using producer = await open(key);
    await pushAll(producer, ['before']);
    await using late = await open(key, { group: 'late', startFrom: 'latest' });
    expect(late.capabilities).toMatchObject({ groups: 'latest', replay: true, strictRetry: true });
    await pushAll(producer, ['after']);
    expect(await drain(late)).toEqual(['after']);
  });

  test('is refused where the key is a list, and a list where it is a stream', async () => {
    const [stream, list] = [newKey(), newKey()];
    await (await open(stream)).close();
    await (await openQueue(server(), { queueKey: list })).push({ type: 'a' });
    await expect(open(list)).rejects.toMatchObject({
      code: 'NQ_CONFIG',
      message: expect.stringContaining('is a list'),
    });
    await expect(openQueue(server(), { queueKey: stream })).rejects.toMatchObject({
      code: 'NQ_CONFIG',
      message: expect.stringContaining('is a stream'),
    });
  });
});
