import fc from 'fast-check';
import { type Delivery, type LeasedEvent, type MessageQueue, type ReturnedLease, systemClock } from '@nq/core';
import { describe, expect, test } from 'vitest';
import { until } from 'nq-testbed';
import { Connection } from '../src/connection.ts';
import { listLayout } from '../src/list-layout.ts';
import { clientMaker } from '../src/open-client.ts';
import { capabilitiesOf } from '../src/redis-capabilities.ts';
import { RedisDriver } from '../src/redis-driver.ts';
import { resolveOptions } from '../src/redis-options.ts';
import { codeOf, countsOf, drain, nothing, openQueue, take, type TestOptions } from './support/queue.ts';
import { newKey, offer, useServer } from './support/server.ts';

const list: TestOptions = { mode: 'list' };
const stream: TestOptions = { mode: 'stream', group: 'default', retain: 0 };

const typeOf = (number: number): string => `e${number}`;
const typesOf = (count: number): string[] => Array.from({ length: count }, (_, number) => typeOf(number));
const eventsOf = (count: number) => typesOf(count).map((type) => ({ type, data: null }));

/** What can be done with an event in hand. */
const settlements = ['ack', 'return', 'delay', 'bury', 'extend and ack', 'extend'] as const;
type Settlement = (typeof settlements)[number];

function settle(delivery: Delivery, how: Settlement): Promise<void> {
  switch (how) {
    case 'ack':
      return delivery.ack();
    case 'return':
      return delivery.nack();
    case 'delay':
      return delivery.nack({ delayMs: 60_000 });
    case 'bury':
      return delivery.nack({ deadLetter: true });
    case 'extend':
      return delivery.extend(60_000);
    case 'extend and ack':
      return delivery.extend(60_000).then(() => delivery.ack());
  }
}

describe.skipIf(offer.missing !== undefined)(`what is handed out together on ${offer.name}`, () => {
  const server = useServer();

  test.for([list, stream])(
    'is settled in any order and in any parts, from a $mode',
    { timeout: 120_000 },
    async (options) => {
      /** In which order, in what way, and how many with one turn. */
      const course = fc.array(fc.tuple(fc.nat(), fc.constantFrom(...settlements)), { minLength: 1, maxLength: 60 });
      await fc.assert(
        fc.asyncProperty(course, fc.integer({ min: 1, max: 20 }), async (steps, together) => {
          const queueKey = newKey();
          await using queue = await openQueue(server(), { ...options, queueKey });
          await queue.pushMany(eventsOf(steps.length));
          const open = [...(await queue.popMany(steps.length))];
          expect(open).toHaveLength(steps.length);
          const told = { ready: 0, delayed: 0, inFlight: steps.length };
          let buried = 0;
          for (let from = 0; from < steps.length; from += together) {
            const turn = steps.slice(from, from + together).map(([at, how]) => {
              const [delivery] = open.splice(at % open.length, 1);
              if (how !== 'extend') told.inFlight--;
              if (how === 'return') told.ready++;
              if (how === 'delay') told.delayed++;
              if (how === 'bury') buried++;
              return settle(delivery as Delivery, how);
            });
            await Promise.all(turn);
            expect(await queue.size()).toMatchObject(told);
          }
          expect(await queue.deadLetters.count()).toBe(buried);
        }),
        { numRuns: 40 },
      );
    },
  );

  test.for([list, stream])(
    'comes again when its lease has ended, but for what is settled, from a $mode',
    async (options) => {
      const queueKey = newKey();
      await using queue = await openQueue(server(), { ...options, queueKey, leaseMs: 2500 });
      await using other = await openQueue(server(), { ...options, queueKey });
      await queue.pushMany(eventsOf(30));
      const deliveries = await queue.popMany(30);
      const settled = deliveries.filter((_, at) => at % 3 === 0);
      for (const delivery of settled) await delivery.ack();
      const left = typesOf(30).filter((_, at) => at % 3 !== 0);
      expect(await queue.size()).toMatchObject({ inFlight: left.length });
      const again = [await take(other)];
      again.push(...(await other.popMany(30)));
      expect(again.map(({ event, attempt }) => [event.type, attempt])).toEqual(left.map((type) => [type, 2]));
      const late = deliveries.filter((delivery) => !settled.includes(delivery));
      const codes = await Promise.all(late.map((delivery) => codeOf(delivery.ack())));
      expect(new Set(codes)).toEqual(new Set(['NQ_LEASE_LOST']));
      await Promise.all(again.map((delivery) => delivery.ack()));
      expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0, delayed: 0 });
    },
  );

  test.for<[string, (at: number) => boolean]>([
    ['none', () => false],
    ['all', () => true],
    ['one in two', (at) => at % 2 === 1],
    ['the youngest', (at) => at >= 16],
    // None of those that are looked at before they are copied.
    ['one in ten', (at) => at % 10 === 3],
  ])('is what was pushed, in its order, where %s are large', async ([, isLarge]) => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey, capacity: Infinity });
    const small = { type: 'small', data: 'é'.repeat(10) };
    const large = { type: 'large', data: 'x'.repeat(500_000) };
    const events = Array.from({ length: 76 }, (_, at) => (isLarge(at) ? large : small));
    await queue.pushMany(events);
    await server().command('CONFIG', 'RESETSTAT');
    const seen: string[] = [];
    while (seen.length < events.length) {
      const deliveries = await queue.popMany(events.length);
      // An answer has some 1 MiB, and the event that reaches it.
      expect(deliveries.filter(({ event }) => event.type === 'large').length).toBeLessThanOrEqual(3);
      for (const { event } of deliveries) expect(event.data).toBe((event.type === 'large' ? large : small).data);
      seen.push(...deliveries.map(({ event }) => event.type));
      await Promise.all(deliveries.map((delivery) => delivery.ack()));
    }
    expect(seen).toEqual(events.map(({ type }) => type));
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
    // What is copied in vain once is not copied with each pop.
    const stats = String(await server().command('INFO', 'commandstats'));
    expect(Number(/cmdstat_sort:calls=(\d+)/.exec(stats)?.[1] ?? 0)).toBeLessThanOrEqual(1);
  });

  test.for(['sort', 'memory'])('comes also where nobody may %s, as much at once as may be', async (command) => {
    const queueKey = newKey();
    await server().command('ACL', 'SETUSER', 'guest', 'on', '>pw', '~*', '&*', '+@all', `-${command}`);
    await using queue = await openQueue(server(), { queueKey, capacity: Infinity, username: 'guest', password: 'pw' });
    const events = Array.from({ length: 76 }, (_, at) => ({
      type: typeOf(at),
      data: 'x'.repeat(at % 10 === 3 ? 500_000 : 1),
    }));
    await queue.pushMany(events);
    const seen: Delivery[] = [];
    while (seen.length < events.length) {
      const deliveries = await queue.popMany(events.length);
      expect(deliveries.filter(({ event }) => String(event.data).length > 1).length).toBeLessThanOrEqual(3);
      seen.push(...deliveries);
    }
    expect(seen.map(({ event }) => event.type)).toEqual(typesOf(76));
    await Promise.all(seen.map((delivery) => delivery.ack()));
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  test('that may not be read is told to who pops, and nobody else', async () => {
    const queueKey = newKey();
    const allow = (...rules: readonly string[]) => server().command('ACL', 'SETUSER', 'reader', ...rules);
    await allow('on', '>pw', '~*', '&*', '+@all');
    await using queue = await openQueue(server(), { queueKey, username: 'reader', password: 'pw', leaseMs: 1500 });
    await using other = await openQueue(server(), { queueKey });
    await queue.pushMany(eventsOf(1));
    const held = await take(queue);
    await queue.pushMany(eventsOf(20));
    await allow('-lrange');
    const popped = queue.popMany(20).catch((error: unknown) => error);
    expect(await codeOf(held.ack())).toBe('done');
    expect(await popped).toMatchObject({ code: 'NQ_CONFIG', message: expect.stringContaining('permission') });
    await until('their leases to end', async () => (await other.size()).ready === 20);
    expect((await other.popMany(20)).map(({ attempt }) => attempt)).toEqual(Array(20).fill(2));
  });

  test('is settled once, however often it is in one request', async () => {
    const queueKey = newKey();
    const options = resolveOptions({ queueKey, addr: `${server().host}:${server().port}` });
    const connect = (): Connection => new Connection(clientMaker(options.server), 'test', systemClock);
    const parts = {
      options,
      layout: listLayout(queueKey),
      capabilities: capabilitiesOf(options, { appendOnly: false }),
    };
    const driver = new RedisDriver({ ...parts, connection: connect(), connect, clock: systemClock });
    const back = ({ receipt }: LeasedEvent, delayMs: number, deadLetter = false): ReturnedLease => {
      return { receipt, delayMs, reason: '', deadLetter };
    };
    const pop = async (): Promise<LeasedEvent[]> => [...(await driver.pop(2, 1000, new AbortController().signal))];
    try {
      for (const delayMs of [0, 60_000]) {
        await driver.push(['a', 'b'].map((type) => driver.encode({ id: type, type, data: null, time: 0 })));
        const [a, b] = (await pop()) as [LeasedEvent, LeasedEvent];
        expect(await driver.nack([back(a, delayMs), back(a, 0), back(a, 0, true)])).toEqual([true, false, false]);
        await driver.ack([b.receipt, b.receipt]);
        expect(await countsOf(server(), queueKey)).toEqual({
          ...nothing,
          ready: delayMs === 0 ? 1 : 0,
          delayed: delayMs === 0 ? 0 : 1,
        });
        await driver.ack((delayMs === 0 ? await pop() : []).map(({ receipt }) => receipt));
      }
      await driver.push(['a', 'b'].map((type) => driver.encode({ id: type, type, data: null, time: 0 })));
      const [a] = (await pop()) as [LeasedEvent];
      await driver.ack([a.receipt, a.receipt]);
      expect(await countsOf(server(), queueKey)).toMatchObject({ held: 1, leases: 1 });
    } finally {
      await driver.close();
    }
  });

  test.for([list, stream])(
    'keeps its order when all of it is delayed as long, or given back, from a $mode',
    async (options) => {
      const queueKey = newKey();
      await using queue = await openQueue(server(), { ...options, queueKey });
      await using other = await openQueue(server(), { ...options, queueKey });
      await queue.pushMany(eventsOf(25));
      for (const delivery of await other.popMany(25)) await delivery.nack({ deadLetter: true });
      // On a stream, all of these come behind the same entry.
      expect(await queue.deadLetters.replay()).toBe(25);
      for (const back of [{ delayMs: 1 }, {}]) {
        const deliveries = await queue.popMany(25);
        await Promise.all(deliveries.map((delivery) => delivery.nack(back)));
        await until('the delays to be over', async () => (await queue.size()).ready === 25);
      }
      expect(await drain(queue)).toEqual(typesOf(25));
    },
  );

  test('has no lease any more where a rewind hands it out again', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { ...stream, queueKey });
    await queue.pushMany(eventsOf(3));
    const [first, second] = await queue.popMany(3);
    await second?.extend(60_000);
    await queue.rewind({ time: 0 });
    expect(await server().command('KEYS', `{${queueKey}}:nq:default:*`)).toEqual([]);
    expect(await codeOf(first?.ack())).toBe('NQ_LEASE_LOST');
    expect(await drain(queue)).toEqual(typesOf(3));
  });

  test('is not touched by leases that somebody makes up', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    const key = (name: string): string => `{${queueKey}}:nq:${name}`;
    await queue.pushMany(eventsOf(5));
    const deliveries = await queue.popMany(5);
    const [lease = ''] = (await server().command('ZRANGE', key('leases'), 0, -1)) as string[];
    const odd = [
      lease.replace(/5$/, '2'),
      lease.replace(/5$/, '7'),
      `${lease}:9`,
      'x:1:3',
      'y:1:2',
      'z:1:2',
      'z:1:2:0',
    ];
    for (const member of odd) await server().command('ZADD', key('leases'), 1, member);
    await server().command('SET', key('held:x:1'), 'precious');
    // What looks like what somebody held, with rubbish beside it.
    await server().command('RPUSH', key('held:y:1'), '{"type":"theirs"}', '{"type":"settled"}');
    await server().command('SADD', key('held:y:1:settled'), 'rubbish', 1);
    await server().command('RPUSH', key('held:z:1'), '{"type":"lost"}', '{"type":"lost"}');
    await server().command('SET', key('held:z:1:settled'), 'no set');
    expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 5 });
    expect(await take(queue)).toMatchObject({ event: { type: 'theirs' }, attempt: 2 });
    expect(await queue.pop({ timeoutMs: 0 })).toBeUndefined();
    expect(await Promise.all(deliveries.map((delivery) => codeOf(delivery.ack())))).toEqual(Array(5).fill('done'));
    expect(await server().command('GET', key('held:x:1'))).toBe('precious');
  });

  test('comes although the server has forgotten its scripts', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    await queue.pushMany(eventsOf(30));
    await server().command('SCRIPT', 'FLUSH');
    const deliveries = await queue.popMany(30);
    expect(deliveries.map(({ event }) => event.type)).toEqual(typesOf(30));
    await Promise.all(deliveries.map((delivery) => delivery.ack()));
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  test.for([3, 30])('is somebody else’s if its lease has ended before the answer came, of %i', async (count) => {
    const queueKey = newKey();
    const link = await server().link();
    await using queue = await openQueue(link, { queueKey, leaseMs: 300, requestTimeoutMs: 10_000 });
    await using other = await openQueue(server(), { queueKey });
    await queue.pushMany(eventsOf(count));
    link.cutBeforeAnswer();
    const popped = queue.popMany(count);
    await until('the answer to be lost', () => link.isCut);
    const theirs = [await take(other)];
    theirs.push(...(await other.popMany(count - 1)));
    expect(theirs.map(({ event, attempt }) => [event.type, attempt])).toEqual(typesOf(count).map((type) => [type, 2]));
    link.heal();
    await other.push({ type: 'later', data: null });
    expect((await popped).map(({ event, attempt }) => [event.type, attempt])).toEqual([['later', 1]]);
    for (const delivery of [...theirs, ...(await popped)]) await delivery.ack();
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  test.for([3, 30])('comes once if the answer was lost, of %i', async (count) => {
    const queueKey = newKey();
    const link = await server().link();
    await using queue = await openQueue(link, { queueKey });
    await queue.pushMany(eventsOf(count));
    link.cutBeforeAnswer();
    const popped = queue.popMany(count);
    await until('the answer to be lost', () => link.isCut);
    link.heal();
    const deliveries = await popped;
    expect(deliveries.map(({ event, attempt }) => [event.type, attempt])).toEqual(
      typesOf(count).map((type) => [type, 1]),
    );
    await Promise.all(deliveries.map((delivery) => delivery.ack()));
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  test('is given back where a queue is closed that holds it, in its order', async () => {
    const queueKey = newKey();
    const queue: MessageQueue = await openQueue(server(), { queueKey });
    await queue.pushMany(eventsOf(40));
    const deliveries = await queue.popMany(30);
    for (const at of [3, 7, 8]) await deliveries[at]?.ack();
    await queue.close();
    await using other = await openQueue(server(), { queueKey });
    expect(await drain(other)).toEqual(typesOf(40).filter((_, at) => ![3, 7, 8].includes(at)));
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });
});
