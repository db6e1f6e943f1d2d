import { setImmediate as nextTurn } from 'node:timers/promises';
import { createDispatcher, type Delivery, type MessageQueue } from '@nq/core';
import { until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { Program } from './support/process.ts';
import { codeOf, countsOf, nothing, openQueue, take, untilBlocked } from './support/queue.ts';
import { newKey, notOurs, offer, useServer } from './support/server.ts';

const event = (type: string) => ({ type, data: null });

describe.skipIf(offer.missing !== undefined)(`many at once on ${offer.name}`, () => {
  const server = useServer();
  /** How many scripts the server has run. */
  const scripts = async (): Promise<number> =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await server().command('INFO', 'commandstats')))?.[1]);

  test('a thousand callers push, pop and settle, and few requests are enough', async ({ skip }) => {
    skip(notOurs !== undefined, notOurs);
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey, capacity: Infinity });
    await queue.push(event('warm'));
    await (await take(queue)).ack();
    await server().command('CONFIG', 'RESETSTAT');
    const callers = Array.from({ length: 1000 }, (_, number) => number);
    await Promise.all(callers.map((number) => queue.push(event(`e${number}`))));
    const deliveries = await Promise.all(callers.map(() => take(queue)));
    expect(deliveries.map((delivery) => delivery.event.type)).toEqual(callers.map((number) => `e${number}`));
    await Promise.all(deliveries.map((delivery, at) => (at % 2 === 0 ? delivery.ack() : delivery.nack())));
    const again = await Promise.all(callers.slice(0, 500).map(() => take(queue)));
    expect(again.every(({ attempt }) => attempt === 2)).toBe(true);
    await Promise.all(again.map((delivery) => delivery.ack()));
    // 3,500 calls.
    expect(await scripts()).toBeLessThan(100);
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  test.for<[string, number, () => unknown]>([
    ['one worker whose handler returns nothing', 1, () => {}],
    ['one worker whose handler returns a promise', 1, () => Promise.resolve()],
    ['one worker whose handler ends in another turn', 1, () => nextTurn()],
    ['ten workers', 10, () => Promise.resolve()],
  ])('a dispatcher with %s acknowledges with the request that takes more', async ([, workers, handle], { skip }) => {
    skip(notOurs !== undefined, notOurs);
    const queueKey = newKey();
    await using queue: MessageQueue = await openQueue(server(), { queueKey, capacity: Infinity });
    const rounds = 300;
    const count = rounds * workers;
    await queue.pushMany(Array.from({ length: count }, () => event('a')));
    const before = await scripts();
    let handled = 0;
    const dispatcher = createDispatcher({ queue });
    dispatcher.on('a', () => {
      handled++;
      return handle();
    });
    await dispatcher.start(workers);
    await until('all to be handled', () => handled === count);
    await dispatcher.stop();
    // One each round; a fifth more for those that `Pace` puts off to the end of a turn, which then go alone.
    expect((await scripts()) - before).toBeLessThan(1.2 * rounds);
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  test('the capacity is never exceeded, whoever pushes', async () => {
    const queueKey = newKey();
    const capacity = 50;
    const queues = await Promise.all([1, 2, 3].map(() => openQueue(server(), { queueKey, capacity })));
    const over = new AbortController();
    let most = 0;
    // In one step: what wakes somebody between two counts is in both.
    const count = `return redis.call('LLEN', KEYS[1]) + redis.call('LLEN', KEYS[2]) + redis.call('ZCARD', KEYS[3])`;
    const keys = [queueKey, `{${queueKey}}:nq:staged`, `{${queueKey}}:nq:delayed`];
    const watching = (async () => {
      while (!over.signal.aborted) most = Math.max(most, Number(await server().command('EVAL', count, 3, ...keys)));
    })();
    const pushing = queues.flatMap((queue, at) =>
      Array.from({ length: 400 }, (_, number) => queue.push(event(`q${at}-${number}`), { timeoutMs: 60_000 })),
    );
    const seen = new Set<string>();
    const popping = queues.map(async (queue) => {
      while (seen.size < 1200) {
        const deliveries = await queue.popMany(7, { timeoutMs: 100 });
        for (const delivery of deliveries) seen.add(delivery.event.type);
        await Promise.all(deliveries.map((delivery) => delivery.ack()));
      }
    });
    await Promise.all([...pushing, ...popping]);
    over.abort();
    await watching;
    expect(most).toBeGreaterThan(10);
    expect(most).toBeLessThanOrEqual(capacity);
    await Promise.all(queues.map((queue) => queue.close()));
  });

  test('of two hundred idle consumers one is woken for each event, and the server has little to do meanwhile', async ({
    skip,
  }) => {
    skip(notOurs !== undefined, notOurs);
    const queueKey = newKey();
    await using producer = await openQueue(server(), { queueKey });
    const queues = await Promise.all(
      Array.from({ length: 200 }, () => openQueue(server(), { queueKey, requestTimeoutMs: 10_000 })),
    );
    const popped: Delivery[] = [];
    const popping = queues.map(async (queue) => {
      popped.push(await take(queue, 20_000));
    });
    const blocked = async (): Promise<number> =>
      Number(/blocked_clients:(\d+)/.exec(String(await server().command('INFO', 'clients')))?.[1]);
    await until('all to wait', async () => (await blocked()) >= 195);
    await server().command('CONFIG', 'RESETSTAT');
    await producer.pushMany(Array.from({ length: 10 }, (_, number) => event(`e${number}`)));
    await until('ten to be woken', () => popped.length === 10);
    // One of the push, one of each that was woken, and of those who asked again after their two seconds.
    expect(await scripts()).toBeLessThan(250);
    await producer.pushMany(Array.from({ length: 190 }, (_, number) => event(`f${number}`)));
    await Promise.all(popping);
    expect(new Set(popped.map((delivery) => delivery.event.type)).size).toBe(200);
    await Promise.all(popped.map((delivery) => delivery.ack()));
    await Promise.all(queues.map((queue) => queue.close()));
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  const open = (queueKey: string, place = server().url) =>
    `await redisQueue({ url: ${JSON.stringify(place)}, queueKey: ${JSON.stringify(queueKey)}, capacity: 1, onWarning: () => {} })`;

  /** How a program ends by itself, and what it printed. @param ready is waited for before it is told to go on. */
  async function end(text: string, ready?: () => Promise<void>): Promise<readonly [unknown, string]> {
    await using program = new Program(text);
    if (ready !== undefined) {
      await ready();
      program.tell();
    }
    // Only then: a busy machine takes its time to start one.
    await until('its last word', () => program.output.endsWith('\n'));
    const late = Symbol('it does not end');
    const how = await Promise.race([
      program.ended,
      until('nothing', () => false, { deadlineMs: 5000 }).catch(() => late),
    ]);
    return [how, program.output.trim()];
  }

  test('a process ends by itself after close(), with calls under way and a delivery that is open', async () => {
    const queueKey = newKey();
    const [how, printed] = await end(`
      const queue = ${open(queueKey)};
      await queue.push({ type: 'a' });
      await queue.pop();
      await queue.push({ type: 'b' });
      const calls = [queue.push({ type: 'c' }), queue.push({ type: 'd' }, { timeoutMs: 60_000 })];
      const ends = Promise.allSettled(calls);
      console.log(JSON.stringify(await queue.close()), (await ends).map(({ reason }) => reason.code).join());`);
    expect(how).toBe(0);
    expect(printed).toBe('{"returned":1,"abandoned":0,"deadLetters":0} NQ_CLOSED,NQ_CLOSED');
  });

  test('a process ends by itself after close(), with a pop that waits', async () => {
    const queueKey = newKey();
    const [how, printed] = await end(
      `
      const queue = ${open(queueKey)};
      const popping = queue.pop().catch(({ code }) => code);
      await told();
      await queue.close();
      console.log(await popping);`,
      () => untilBlocked(server(), queueKey),
    );
    expect([how, printed]).toEqual([0, 'NQ_CLOSED']);
  });

  test.each<[string, 'cut' | 'freeze']>([
    ['is cut', 'cut'],
    ['is silent', 'freeze'],
  ])('a process ends by itself after close(), also if its link %s', async (_what, fault) => {
    const queueKey = newKey();
    const link = await server().link();
    await using program = new Program(`
      const queue = ${open(queueKey, server().urlAt(link))};
      const codeOf = (call) => call.then(() => 'done', ({ code }) => code);
      await queue.push({ type: 'a' });
      const delivery = await queue.pop();
      const popping = codeOf(queue.pop());
      await told();
      const calls = [popping, codeOf(queue.push({ type: 'b' })), codeOf(delivery.ack())];
      await queue.close();
      console.log((await Promise.all(calls)).join(), 'closed');`);
    await untilBlocked(server(), queueKey);
    link[fault]();
    program.tell();
    await until('it to be closed', () => program.output.includes('closed'));
    const closedAt = performance.now();
    // The push has not left when the queue is closed, and nobody answers the acknowledgement.
    expect(program.output).toBe('NQ_CLOSED,NQ_CLOSED,NQ_OUTCOME_UNKNOWN closed\n');
    expect(await program.ended).toBe(0);
    // By itself, ioredis waits two seconds for a socket to end in peace.
    expect(performance.now() - closedAt).toBeLessThan(1900);
  });

  test('a process ends by itself after a queue that could not be opened', async () => {
    const [how, printed] = await end(`
      const opened = redisQueue({ addr: '127.0.0.1:1', queueKey: 'q', openTimeoutMs: 300 });
      console.log(await opened.catch(({ code }) => code));`);
    expect([how, printed]).toEqual([0, 'NQ_UNAVAILABLE']);
  });

  test('a queue that is closed by two callers while two hundred others use it answers all of them', async () => {
    const queueKey = newKey();
    const queue = await openQueue(server(), { queueKey, capacity: 20 });
    const calls = Array.from({ length: 200 }, (_, number) =>
      codeOf(number % 2 === 0 ? queue.push(event(`e${number}`)) : queue.pop().then((delivery) => delivery?.ack())),
    );
    // Of the pushes, twenty are answered together, for there is no room for more.
    expect(await Promise.race(calls)).toBe('done');
    const reports = await Promise.all([queue.close(), queue.close()]);
    expect(reports[0]).toBe(reports[1]);
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['done', 'NQ_CLOSED']));
    await using other = await openQueue(server(), { queueKey });
    expect(await other.size()).toMatchObject({ inFlight: 0 });
  });
});
