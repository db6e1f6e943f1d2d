import { describe, expect, test } from 'vitest';
import { type Capabilities, createQueue, type DeadLetters, type LeasedEvent } from '../src/index.ts';
import { memoryDriver, virtualClock } from '../src/testing.ts';
import { countedSignal } from './support/counted-signal.ts';
import { event, openQueueOn, take } from './support/open-queue.ts';
import { deferred, never, rejection, watch } from './support/promises.ts';

/** The longest that `close()` may take without `drainMs`: three steps of a second each. */
const longestCloseMs = 3000;

describe('close()', () => {
  test('gives unsettled deliveries back, never acks, and reports how many', async () => {
    const { queue, backend, callsOf } = openQueueOn();
    await queue.pushMany(['a', 'b', 'c'].map(event));
    const [first] = await queue.popMany(3);
    await first?.ack();
    expect(await queue.close()).toEqual({ returned: 2, abandoned: 0, deadLetters: 0 });
    expect(callsOf('ack')).toHaveLength(1);
    expect(callsOf('nack').flatMap(([returns]) => returns)).toMatchObject([
      { delayMs: 0, deadLetter: false },
      { delayMs: 0, deadLetter: false },
    ]);
    expect(await backend.size()).toMatchObject({ ready: 2, inFlight: 0 });
    const leases = await backend.pop(9, 0, new AbortController().signal);
    expect(leases.map(({ event: { id }, attempt }) => [id, attempt])).toEqual([
      ['b', 2],
      ['c', 2],
    ]);
  });

  test('counts as abandoned what could not be given back', async () => {
    const { queue } = openQueueOn({}, () => ({ nack: async (returns) => returns.map((_, index) => index === 0) }));
    await queue.pushMany(['a', 'b', 'c'].map(event));
    await queue.popMany(3);
    expect(await queue.close()).toEqual({ returned: 1, abandoned: 2, deadLetters: 0 });
  });

  test('counts as abandoned what is gone with a backend that keeps nothing and that nobody else holds', async () => {
    const { queue } = openQueueOn({ capabilities: { durable: 'none' } });
    await queue.pushMany(['a', 'b', 'c', 'd'].map(event));
    await queue.popMany(2);
    await (await take(queue)).nack({ delayMs: 1000 });
    expect(await queue.close()).toEqual({ returned: 0, abandoned: 4, deadLetters: 0 });
    const shared = openQueueOn({ capabilities: { durable: 'none', multiInstance: true } });
    await shared.queue.pushMany(['a', 'b'].map(event));
    await shared.queue.pop();
    expect(await shared.queue.close()).toEqual({ returned: 1, abandoned: 0, deadLetters: 0 });
  });

  test('counts the dead letters that are gone with such a backend, and of others none', async () => {
    const withLetters = async (capabilities: Partial<Capabilities>) => {
      const { queue } = openQueueOn({ capabilities: { durable: 'none', ...capabilities } });
      await queue.pushMany(['a', 'b', 'c'].map(event));
      for (const delivery of await queue.popMany(2)) await delivery.nack({ deadLetter: true });
      return queue.close();
    };
    expect(await withLetters({})).toEqual({ returned: 0, abandoned: 1, deadLetters: 2 });
    expect(await withLetters({ durable: 'process' })).toEqual({ returned: 0, abandoned: 0, deadLetters: 0 });
    expect(await withLetters({ multiInstance: true })).toEqual({ returned: 0, abandoned: 0, deadLetters: 0 });
    const { queue } = openQueueOn({ capabilities: { durable: 'none', deadLetter: false } });
    expect(await queue.close()).toEqual({ returned: 0, abandoned: 0, deadLetters: 0 });
  });

  test.for<[string, () => Promise<never>]>([
    ['has no answer', never],
    ['fails', () => Promise.reject(new Error('no'))],
    ['answers no number', async () => undefined as never],
  ])('leaves out what cannot be counted any more, because the count of dead letters %s', async ([, count]) => {
    const { queue, clock } = openQueueOn({ capabilities: { durable: 'none' } }, ({ deadLetters }) => ({
      deadLetters: { ...deadLetters, count } as DeadLetters,
    }));
    await queue.push(event('a'));
    const closing = watch(queue.close());
    await clock.advance(longestCloseMs);
    expect(closing.value).toEqual({ returned: 0, abandoned: 1, deadLetters: 0 });
    expect(clock.timers).toBe(0);
  });

  test('counts dead letters although the size has no answer, and takes no longer for both', async () => {
    const { queue, clock } = openQueueOn({ capabilities: { durable: 'none' } }, ({ deadLetters }, { schedule }) => ({
      size: never,
      deadLetters: { ...deadLetters, count: () => new Promise((resolve) => schedule(() => resolve(7), 900)) } as never,
    }));
    const closing = watch(queue.close());
    await clock.advance(1000);
    expect(closing.value).toEqual({ returned: 0, abandoned: 0, deadLetters: 7 });
  });

  test('answers the same frozen report however often and however it is called', async () => {
    const { queue, callsOf } = openQueueOn();
    await queue.push(event('a'));
    await take(queue);
    const [first, second] = await Promise.all([queue.close(), queue.close({ drainMs: 1000 })]);
    expect(first).toEqual({ returned: 1, abandoned: 0, deadLetters: 0 });
    expect(second).toBe(first);
    expect(await queue.close()).toBe(first);
    await queue[Symbol.asyncDispose]();
    expect(Object.isFrozen(first)).toBe(true);
    expect(callsOf('close')).toHaveLength(1);
  });

  test('is what `await using` does', async () => {
    const { queue, callsOf } = openQueueOn();
    {
      await using used = queue;
      expect(await used.size()).toMatchObject({ ready: 0 });
    }
    expect(callsOf('close')).toHaveLength(1);
  });

  test('releases waiting pops and pushes with NQ_CLOSED, and nothing of theirs happens afterwards', async () => {
    const { queue, clock, callsOf } = openQueueOn({ capacity: 1 });
    const { signal, listeners } = countedSignal();
    const pops = [watch(queue.pop({ signal })), watch(queue.popMany(3, { timeoutMs: 5000 }))];
    await clock.settle();
    const other = openQueueOn({ capacity: 1 });
    await other.queue.push(event('a'));
    const pushes = [
      watch(other.queue.push(event('b'), { signal })),
      watch(other.queue.push(event('c'), { timeoutMs: 5000 })),
    ];
    await other.clock.settle();
    const closing = Promise.all([queue.close(), other.queue.close()]);
    expect(listeners()).toBe(0);
    await closing;
    await clock.settle();
    for (const { reason } of [...pops, ...pushes]) expect(reason).toMatchObject({ code: 'NQ_CLOSED' });
    expect(listeners()).toBe(0);
    const asked = callsOf('pop').length;
    await clock.advance(20_000);
    await other.clock.advance(20_000);
    expect(callsOf('pop')).toHaveLength(asked);
    expect(await other.backend.size()).toMatchObject({ ready: 1 });
    expect([clock.timers, other.clock.timers]).toEqual([0, 0]);
  });

  test('says how many events of a waiting pushMany() are stored', async () => {
    const { queue, clock } = openQueueOn({ capacity: 2 });
    const waiting = watch(queue.pushMany(['a', 'b', 'c'].map(event)));
    await clock.settle();
    await queue.close();
    expect(waiting.reason).toMatchObject({ code: 'NQ_CLOSED', stored: 2 });
  });

  test('makes every call reject NQ_CLOSED, while it closes and afterwards', async () => {
    const closed = deferred();
    const { queue, clock, callsOf } = openQueueOn({ capabilities: { replay: true } }, () => ({
      close: () => closed.promise,
      rewind: async () => {},
    }));
    await queue.push(event('a'));
    const delivery = await take(queue);
    const before = callsOf('push').length + callsOf('pop').length;
    const closing = watch(queue.close());
    for (const state of ['pending', 'resolved']) {
      expect(await rejection(queue.push(event('b')))).toMatchObject({ code: 'NQ_CLOSED' });
      expect(await rejection(queue.pushMany([event('b')]))).toMatchObject({ code: 'NQ_CLOSED' });
      expect(await rejection(queue.pop({ timeoutMs: 0 }))).toMatchObject({ code: 'NQ_CLOSED' });
      expect(await rejection(queue.popMany(2))).toMatchObject({ code: 'NQ_CLOSED' });
      expect(await rejection(queue.rewind({ time: 0 }))).toMatchObject({ code: 'NQ_CLOSED' });
      expect(await rejection(delivery.ack())).toMatchObject({ code: 'NQ_CLOSED' });
      expect(await rejection(delivery.nack())).toMatchObject({ code: 'NQ_CLOSED' });
      expect(await rejection(delivery.extend(5))).toMatchObject({ code: 'NQ_CLOSED' });
      await delivery[Symbol.asyncDispose]();
      expect(closing.state).toBe(state);
      closed.resolve();
      await clock.settle();
    }
    expect(callsOf('push').length + callsOf('pop').length).toBe(before);
    expect(callsOf('ack')).toEqual([]);
  });

  test('aborts the signal of what it gives back, with NQ_CLOSED', async () => {
    const { queue } = openQueueOn();
    await queue.push(event('a'));
    const { signal } = await take(queue);
    await queue.close();
    expect(signal.reason).toMatchObject({ code: 'NQ_CLOSED' });
  });

  test('may be called by who hears of the abort: it happens once all the same', async () => {
    const { queue, callsOf } = openQueueOn();
    await queue.pushMany(['a', 'b'].map(event));
    const reports: Promise<unknown>[] = [];
    for (const { signal } of await queue.popMany(2)) {
      signal.addEventListener('abort', () => reports.push(queue.close()));
    }
    const report = await queue.close();
    expect(report).toEqual({ returned: 2, abandoned: 0, deadLetters: 0 });
    expect(await Promise.all(reports)).toEqual([report, report]);
    expect(callsOf('close')).toHaveLength(1);
    expect(callsOf('nack')).toHaveLength(1);
  });

  test('makes size() and dead letters reject NQ_CLOSED once it has ended', async () => {
    const { queue } = openQueueOn();
    await queue.close();
    expect(await rejection(queue.size())).toMatchObject({ code: 'NQ_CLOSED' });
    expect(await rejection(queue.deadLetters.count())).toMatchObject({ code: 'NQ_CLOSED' });
    expect(await rejection(queue.deadLetters.replay())).toMatchObject({ code: 'NQ_CLOSED' });
  });

  test('leaves no timer behind', async () => {
    const { queue, clock } = openQueueOn({ capacity: 1 });
    await queue.push(event('a'));
    await take(queue);
    await queue.push(event('b'));
    const waiting = watch(queue.push(event('c'), { timeoutMs: 1000 }));
    await clock.advance(3);
    expect(clock.timers).toBeGreaterThan(1);
    await queue.close();
    await clock.settle();
    expect(waiting.state).toBe('rejected');
    expect(clock.timers).toBe(0);
  });

  test.for<[string, unknown, typeof TypeError | typeof RangeError]>([
    ['drainMs must be >= 0', { drainMs: -1 }, RangeError],
    ['drainMs must be a number', { drainMs: '5' }, TypeError],
    ['unknown option "drain"', { drain: 5 }, TypeError],
    ['options must be an object', null, TypeError],
  ])('refuses misuse and closes nothing: %s', async ([message, options, type]) => {
    const { queue } = openQueueOn();
    const error = await rejection(queue.close(options as never));
    expect(error).toBeInstanceOf(type);
    expect((error as Error).message).toContain(`Cannot close: ${message}`);
    await queue.push(event('a'));
  });
});

describe('close({ drainMs })', () => {
  test('waits for open deliveries to be settled, and no longer', async () => {
    const { queue, clock } = openQueueOn();
    await queue.pushMany(['a', 'b'].map(event));
    const [a, b] = await queue.popMany(2);
    const closing = watch(queue.close({ drainMs: 10_000 }));
    await clock.advance(500);
    await a?.ack();
    await clock.advance(500);
    expect(closing.state).toBe('pending');
    await b?.nack();
    await clock.settle();
    expect(closing.value).toEqual({ returned: 0, abandoned: 0, deadLetters: 0 });
    expect(clock.timers).toBe(0);
  });

  test('gives the rest back when its time is over', async () => {
    const { queue, clock } = openQueueOn();
    await queue.pushMany(['a', 'b'].map(event));
    const [a, b] = await queue.popMany(2);
    const closing = watch(queue.close({ drainMs: 1000 }));
    await a?.ack();
    await clock.advance(999);
    expect(closing.state).toBe('pending');
    expect(b?.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(closing.value).toEqual({ returned: 1, abandoned: 0, deadLetters: 0 });
    expect(b?.signal.reason).toMatchObject({ code: 'NQ_CLOSED' });
  });

  test('does not wait where nothing is open', async () => {
    const { queue, clock } = openQueueOn();
    const closing = watch(queue.close({ drainMs: 1000 }));
    await clock.settle();
    expect(closing.value).toEqual({ returned: 0, abandoned: 0, deadLetters: 0 });
  });

  test('does not wait for a delivery whose lease has ended', async () => {
    const { queue, clock } = openQueueOn({ leaseMs: 1000 });
    await queue.push(event('a'));
    await take(queue);
    const closing = watch(queue.close({ drainMs: 60_000 }));
    await clock.advance(2000);
    expect(closing.value).toEqual({ returned: 0, abandoned: 0, deadLetters: 0 });
  });

  test('lets size() and extend() work meanwhile', async () => {
    const { queue, clock } = openQueueOn({ leaseMs: 1000 });
    await queue.push(event('a'));
    const delivery = await take(queue);
    const closing = watch(queue.close({ drainMs: 60_000 }));
    await delivery.extend(30_000);
    await clock.advance(20_000);
    expect(await queue.size()).toMatchObject({ inFlight: 1 });
    await delivery.ack();
    await clock.settle();
    expect(closing.value).toEqual({ returned: 0, abandoned: 0, deadLetters: 0 });
  });
});

describe('close() while requests are under way', () => {
  test.for(['ack', 'nack'] as const)('lets an %s that came before have its answer', async (verb) => {
    for (const underWay of [true, false]) {
      const answer = deferred();
      const { queue, clock, callsOf } = openQueueOn({}, (backend) => ({
        [verb]: async (items: never) => {
          await answer.promise;
          return backend[verb](items);
        },
      }));
      await queue.push(event('a'));
      const delivery = await take(queue);
      const settled = watch(delivery[verb]());
      if (underWay) await clock.settle();
      const closing = watch(queue.close());
      await clock.settle();
      expect(closing.state).toBe('pending');
      answer.resolve();
      await clock.settle();
      expect(settled.state).toBe('resolved');
      expect(closing.value).toEqual({ returned: 0, abandoned: 0, deadLetters: 0 });
      expect([...callsOf('ack'), ...callsOf('nack')]).toHaveLength(1);
    }
  });

  test('gives back a delivery whose settlement failed', async () => {
    const answer = deferred();
    const { queue, clock } = openQueueOn({}, () => ({
      ack: async () => {
        await answer.promise;
        throw new Error('gone');
      },
    }));
    await queue.push(event('a'));
    const ack = watch((await take(queue)).ack());
    const closing = watch(queue.close());
    await clock.settle();
    answer.resolve();
    await clock.settle();
    expect(ack.reason).toMatchObject({ code: 'NQ_BACKEND' });
    expect(closing.value).toEqual({ returned: 1, abandoned: 0, deadLetters: 0 });
  });

  test('releases a settlement that is never answered with NQ_OUTCOME_UNKNOWN, and those behind it with NQ_CLOSED', async () => {
    const { queue, clock } = openQueueOn({}, () => ({ ack: () => never() }));
    await queue.pushMany(['a', 'b'].map(event));
    const [a, b] = await queue.popMany(2);
    const first = watch(a?.ack() ?? never<void>());
    await clock.settle();
    const second = watch(b?.ack() ?? never<void>());
    const closing = watch(queue.close());
    await clock.advance(longestCloseMs);
    expect(first.reason).toMatchObject({ code: 'NQ_OUTCOME_UNKNOWN' });
    expect(second.reason).toMatchObject({ code: 'NQ_CLOSED' });
    expect(closing.value).toEqual({ returned: 2, abandoned: 0, deadLetters: 0 });
  });

  test('resolves the push whose request stores its event, and then closes the driver', async () => {
    const answer = deferred();
    const { queue, clock, backend, callsOf } = openQueueOn({}, (memory) => ({
      push: async (events) => {
        await answer.promise;
        return memory.push(events);
      },
    }));
    const stored = watch(queue.push(event('a')));
    await clock.settle();
    const waiting = watch(queue.push(event('b')));
    const closing = watch(queue.close());
    await clock.settle();
    expect(waiting.reason).toMatchObject({ code: 'NQ_CLOSED' });
    expect([stored.state, closing.state]).toEqual(['pending', 'pending']);
    expect(callsOf('close')).toEqual([]);
    answer.resolve();
    await clock.settle();
    expect([stored.state, closing.state]).toEqual(['resolved', 'resolved']);
    expect(callsOf('push')).toHaveLength(1);
    expect(await backend.size()).toMatchObject({ ready: 1 });
  });

  test('rejects the push whose request finds no room with NQ_CLOSED', async () => {
    const answer = deferred<number>();
    const { queue, clock } = openQueueOn({}, () => ({ push: () => answer.promise }));
    const pushed = watch(queue.push(event('a')));
    await clock.settle();
    const closing = watch(queue.close());
    answer.resolve(0);
    await clock.settle();
    expect(pushed.reason).toMatchObject({ code: 'NQ_CLOSED' });
    expect(closing.state).toBe('resolved');
    expect(clock.timers).toBe(0);
  });

  test('gives back what a pop brings too late, before it closes the driver', async () => {
    const answer = deferred<readonly LeasedEvent[]>();
    const { queue, clock, backend, calls } = openQueueOn({}, () => ({ pop: () => answer.promise }));
    const pop = watch(queue.pop());
    await clock.settle();
    await queue.push(event('a'));
    const closing = watch(queue.close());
    await clock.settle();
    expect(pop.reason).toMatchObject({ code: 'NQ_CLOSED' });
    answer.resolve(await backend.pop(1, 0, new AbortController().signal));
    await clock.settle();
    expect(closing.value).toEqual({ returned: 0, abandoned: 0, deadLetters: 0 });
    expect(calls.map(({ method }) => method).slice(-2)).toEqual(['nack', 'close']);
    expect(await backend.size()).toMatchObject({ ready: 1, inFlight: 0 });
  });

  test('finds a delivery that was handed out in the same moment', async () => {
    const answer = deferred<readonly LeasedEvent[]>();
    const { queue, clock, backend } = openQueueOn({}, () => ({ pop: () => answer.promise }));
    const pop = watch(queue.pop());
    await queue.push(event('a'));
    await clock.settle();
    const leases = await backend.pop(1, 0, new AbortController().signal);
    // Closes in the turn in which the answer is dealt with, before the caller of pop() hears of it.
    const closing = answer.promise.then(() => queue.close());
    answer.resolve(leases);
    expect((await closing).abandoned).toBe(0);
    await clock.settle();
    expect(pop.state).not.toBe('pending');
    expect(await backend.size()).toMatchObject({ ready: 1, inFlight: 0 });
  });
});

describe('close() of an unreachable backend', () => {
  const methods = ['push', 'pop', 'ack', 'nack', 'extend', 'size', 'close'] as const;
  const ways: Record<string, () => never> = {
    'never answers': () => never() as never,
    rejects: () => Promise.reject(new Error('gone')) as never,
    'throws at once': () => {
      throw new Error('gone');
    },
  };

  test.for(
    Object.keys(ways).flatMap((way) => [...methods, 'every method' as const].map((method) => [method, way] as const)),
  )('settles in time when %s %s', async ([method, way]) => {
    let isBroken = false;
    const broken = method === 'every method' ? methods : [method];
    const { queue, clock, backend } = openQueueOn({}, (memory) =>
      Object.fromEntries(
        methods.map((name) => [
          name,
          (...args: never[]) =>
            isBroken && broken.includes(name) ? ways[way]?.() : (memory[name] as (...all: never[]) => unknown)(...args),
        ]),
      ),
    );
    await queue.pushMany(['a', 'b', 'c', 'd'].map(event));
    const [a, b, c] = await queue.popMany(3);
    isBroken = true;
    const calls = [
      watch(a?.ack() ?? never()),
      watch(b?.nack() ?? never()),
      watch(queue.push(event('e'))),
      watch(queue.popMany(9)),
    ];
    await clock.settle();
    calls.push(watch(queue.push(event('f'))), watch(queue.pop()));
    const closing = watch(queue.close({ drainMs: 100 }));
    await clock.advance(100 + longestCloseMs);
    expect(closing.state).toBe('resolved');
    expect(calls.map(({ state }) => state)).not.toContain('pending');
    expect(c?.signal.aborted).toBe(true);
    // The driver may not have been told; its timer is not the queue's.
    await backend.close();
    expect(clock.timers).toBe(0);
  });
});

describe('two queues on two drivers', () => {
  test('do not disturb each other when one closes', async () => {
    const clock = virtualClock();
    const [one, other] = [0, 1].map(() => createQueue(memoryDriver({ clock }), { clock }));
    const waiting = watch(other?.pop() ?? never());
    await clock.settle();
    await one?.close();
    await other?.push(event('a'));
    await clock.settle();
    expect(waiting.state).toBe('resolved');
  });
});
