import { virtualClock } from '@nq/core/testing';
import { channelQueue } from '@nq/channel';
import { describe, expect, test } from 'vitest';
import { dataOf, event, stateOf } from './support.ts';

describe('close()', () => {
  test('reports how many events are gone, and answers the same report again', async () => {
    const queue = channelQueue();
    await queue.pushMany([1, 2, 3, 4].map(event));
    await queue.pop();
    await (await queue.pop())?.nack({ delayMs: 1000 });
    const [report, same] = await Promise.all([queue.close(), queue.close({ drainMs: 50 })]);
    expect(report).toEqual({ returned: 0, abandoned: 4, deadLetters: 0 });
    expect(same).toBe(report);
    await queue[Symbol.asyncDispose]();
  });

  test('reports how many dead letters are gone, also those that came while it waited', async () => {
    const clock = virtualClock();
    const queue = channelQueue({ clock });
    await queue.pushMany([1, 2, 3, 4].map(event));
    const [first, second, third] = await queue.popMany(3);
    for (const delivery of [first, second]) await delivery?.nack({ deadLetter: true });
    await queue.deadLetters.remove([first?.event.id ?? '']);
    const closing = queue.close({ drainMs: 1000 });
    await third?.nack({ deadLetter: true });
    expect(await closing).toEqual({ returned: 0, abandoned: 1, deadLetters: 2 });
    expect((await channelQueue({ deadLetterCapacity: 0 }).close()).deadLetters).toBe(0);
  });

  test('releases waiting calls with NQ_CLOSED', async () => {
    const popping = channelQueue();
    const pushing = channelQueue({ capacity: 1 });
    await pushing.push(event(1));
    const waiting = [popping.pop(), popping.popMany(5), pushing.push(event(2)), pushing.pushMany([event(3)])];
    const ends = waiting.map((promise) => promise.catch((error: unknown) => error));
    await Promise.all([popping.close(), pushing.close()]);
    for (const end of await Promise.all(ends)) expect(end).toMatchObject({ code: 'NQ_CLOSED' });
  });

  test('makes every later call reject NQ_CLOSED, settlements too', async () => {
    const queue = channelQueue();
    await queue.pushMany([1, 2].map(event));
    const delivery = await queue.pop();
    const { signal } = delivery ?? {};
    await queue.close();
    const calls = [
      () => queue.push(event(3)),
      () => queue.pushMany([event(3)]),
      () => queue.pop(),
      () => queue.popMany(1),
      () => queue.size(),
      () => queue.deadLetters.count(),
      () => queue.deadLetters.list(),
      () => queue.deadLetters.replay(),
      () => queue.deadLetters.remove(),
      () => delivery?.ack(),
      () => delivery?.nack(),
      () => delivery?.extend(10),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'NQ_CLOSED' });
    expect(queue.tryPop()).toBeUndefined();
    expect(signal?.reason).toMatchObject({ code: 'NQ_CLOSED' });
    expect(queue.capacity).toBe(1000);
  });

  test('with drainMs waits for open deliveries, refusing new work meanwhile', async () => {
    const clock = virtualClock();
    const queue = channelQueue({ clock });
    await queue.pushMany([1, 2].map(event));
    const [first, second] = await queue.popMany(2);
    const closing = queue.close({ drainMs: 1000 });
    await expect(queue.push(event(3))).rejects.toMatchObject({ code: 'NQ_CLOSED' });
    await clock.advance(500);
    await first?.ack();
    expect(await stateOf(closing)).toBe('pending');
    await second?.ack();
    expect(await closing).toEqual({ returned: 0, abandoned: 0, deadLetters: 0 });
    expect(clock.timers).toBe(0);
  });

  test('stops waiting when drainMs is over', async () => {
    const clock = virtualClock();
    const queue = channelQueue({ clock });
    await queue.push(event(1));
    await queue.pop();
    const closing = queue.close({ drainMs: 1000 });
    await clock.advance(999);
    expect(await stateOf(closing)).toBe('pending');
    await clock.advance(1);
    expect(await closing).toEqual({ returned: 0, abandoned: 1, deadLetters: 0 });
  });

  test('leaves no timer and no listener behind, whatever was under way', async () => {
    const clock = virtualClock();
    const queue = channelQueue({ capacity: 1, clock });
    let listeners = 0;
    const { signal } = new AbortController();
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    };
    await queue.push(event(1));
    await (await queue.pop())?.nack({ delayMs: 5000 });
    const waiting = [1, 2, 3].map((data) => queue.push(event(data), { signal, timeoutMs: 9000 }).catch(() => {}));
    await clock.settle();
    expect(listeners).toBe(1);
    // The delay of the nack and the time of the calls: with the ticker of the leases there are three.
    expect(clock.timers).toBe(3);
    await queue.close();
    await Promise.all(waiting);
    await clock.settle();
    expect(listeners).toBe(0);
    expect(clock.timers).toBe(0);
  });

  test('has cut off every delivery before anybody hears of it', async () => {
    const queue = channelQueue();
    await queue.pushMany([1, 2, 3].map(event));
    const deliveries = await queue.popMany(3);
    const late: Promise<void>[] = [];
    deliveries[0]?.signal.addEventListener('abort', () => {
      for (const sibling of deliveries) late.push(sibling.ack(), sibling.nack(), sibling.extend(5));
    });
    expect(await queue.close()).toEqual({ returned: 0, abandoned: 3, deadLetters: 0 });
    const ends = await Promise.allSettled(late);
    expect(ends).toHaveLength(9);
    for (const end of ends) expect(end).toMatchObject({ status: 'rejected', reason: { code: 'NQ_CLOSED' } });
  });

  test('refuses wrong options and stays open', async () => {
    const queue = channelQueue();
    await expect(queue.close({ drainMs: -1 })).rejects.toThrow(
      new RangeError('Cannot close: drainMs must be >= 0, got -1'),
    );
    await expect(queue.close({ deadline: 1 } as never)).rejects.toBeInstanceOf(TypeError);
    await queue.push(event(1));
    await queue.close();
  });
});

describe('waiting calls', () => {
  test('let go of the listener and the timer as soon as none needs them any more', async () => {
    const clock = virtualClock();
    const queue = channelQueue({ clock });
    const controller = new AbortController();
    const pop = queue.pop({ timeoutMs: 60_000, signal: controller.signal });
    await clock.settle();
    expect(clock.timers).toBe(1);
    await queue.push(event(1));
    await (await pop)?.ack();
    await clock.settle();
    // What is left is the ticker of the leases, which does not keep a process alive.
    expect(clock.timers).toBe(1);
    await clock.advance(4000);
    expect(clock.timers).toBe(0);
  });
});

describe('for await', () => {
  test('runs over deliveries until the queue closes', async () => {
    const queue = channelQueue();
    await queue.pushMany([1, 2, 3].map(event));
    const seen: unknown[] = [];
    for await (const delivery of queue) {
      seen.push(dataOf(delivery));
      await delivery.ack();
      if (seen.length === 3) void queue.close();
    }
    expect(seen).toEqual([1, 2, 3]);
  });
});

describe('size()', () => {
  test('counts ready, in flight and delayed, and knows the age of the oldest', async () => {
    const clock = virtualClock();
    const queue = channelQueue({ clock });
    await queue.push(event(1));
    await clock.advance(30);
    await queue.push(event(2));
    await clock.advance(10);
    expect(await queue.size()).toEqual({ ready: 2, inFlight: 0, delayed: 0, oldestAgeMs: 40, exact: true });
    const first = await queue.pop();
    expect(await queue.size()).toEqual({ ready: 1, inFlight: 1, delayed: 0, oldestAgeMs: 10, exact: true });
    await first?.nack();
    expect(await queue.size()).toMatchObject({ ready: 2, inFlight: 0, oldestAgeMs: 40 });
  });
});

describe('channelQueue()', () => {
  test('declares what it does, frozen, and the same at every time', async () => {
    const queue = channelQueue({ capacity: 5, leaseMs: 100 });
    expect(queue.capabilities).toEqual({
      order: 'fifo',
      strictRetry: true,
      ack: 'individual',
      nackDelay: true,
      deadLetter: true,
      lease: { ms: 100, extend: true },
      capacity: 'hard',
      size: 'exact',
      multiInstance: false,
      groups: false,
      durable: 'none',
      isolation: 'reference',
      definiteTimeout: true,
      fairness: true,
      replay: false,
      maxPayloadBytes: Infinity,
    });
    expect(Object.isFrozen(queue.capabilities)).toBe(true);
    expect(queue.capabilities).toBe(queue.capabilities);
    expect(channelQueue({ capacity: Infinity }).capabilities.capacity).toBe('none');
    await expect(queue.rewind({ time: 0 })).rejects.toMatchObject({ code: 'NQ_UNSUPPORTED' });
  });

  test.each([
    [{ capacity: -1 }, RangeError, 'capacity must be a whole number >= 0, got -1'],
    [{ capacity: 1.5 }, RangeError, 'capacity must be a whole number >= 0, got 1.5'],
    [{ capacity: '10' }, TypeError, 'capacity must be a number, got "10"'],
    [{ leaseMs: 0 }, RangeError, 'leaseMs must be >= 1, got 0'],
    [{ isolation: 'clone' }, RangeError, 'isolation must be one of reference, copy, got "clone"'],
    [{ maxAttempts: 0 }, RangeError, 'maxAttempts must be a whole number >= 1, got 0'],
    [
      { maxPayloadBytes: 5 },
      TypeError,
      "maxPayloadBytes needs isolation: 'copy', for nothing is serialised without it",
    ],
    [
      { bufferSize: 5 },
      TypeError,
      'unknown option "bufferSize"; known are capacity, leaseMs, isolation, maxPayloadBytes, maxAttempts, deadLetterCapacity, clock',
    ],
    [{ clock: {} }, TypeError, 'clock must be a Clock, got an object'],
    [
      { maxAttempts: 3, deadLetterCapacity: 0 },
      TypeError,
      'maxAttempts needs a deadLetterCapacity above 0, for there is nowhere to put the event',
    ],
    [5, TypeError, 'options must be an object, got 5'],
  ])('refuses %j', (options, kind, message) => {
    expect(() => channelQueue(options as never)).toThrow(new kind(`Cannot open a channel: ${message}`));
  });
});
