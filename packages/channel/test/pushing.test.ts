import { createEvent, isNqError, NqError } from '@nq/core';
import { virtualClock } from '@nq/core/testing';
import { channelQueue } from '@nq/channel';
import { describe, expect, test } from 'vitest';
import { dataOf, event, popAll, stateOf } from './support.ts';

describe('push()', () => {
  test('stores events in order, as they are', async () => {
    const queue = channelQueue({ capacity: 10 });
    const events = [1, 2, 3].map((data) => createEvent({ type: 't', data, key: 'k', headers: { h: 'v' } }));
    for (const one of events) await queue.push(one);
    const popped = (await popAll(queue)).map((delivery) => delivery.event);
    expect(popped).toEqual(events);
    expect(popped[0]).toBe(events[0]);
  });

  test('fills in the id and the time that are missing, from the clock', async () => {
    const clock = virtualClock({ startDate: 1_500_000_000_000 });
    const queue = channelQueue({ clock });
    await clock.advance(250);
    await queue.push({ type: 'a' });
    await queue.push({ type: 'b' });
    const [first, second] = await popAll(queue);
    expect(first?.event.time).toBe(1_500_000_000_250);
    expect(first?.event.id).not.toBe(second?.event.id);
  });

  test('on a full queue waits, and is admitted when an event is taken', async () => {
    const queue = channelQueue({ capacity: 2 });
    await queue.push(event(1));
    await queue.push(event(2));
    const third = queue.push(event(3));
    expect(await stateOf(third)).toBe('pending');
    expect((await queue.size()).ready).toBe(2);
    expect(dataOf(await queue.pop())).toBe(1);
    await third;
    expect((await popAll(queue)).map(dataOf)).toEqual([2, 3]);
  });

  test.each([1, 2, 63, 64, 1000])('never lets more than its capacity of %d in', async (capacity) => {
    const queue = channelQueue({ capacity });
    const pushes = Array.from({ length: capacity + 50 }, (_, index) => queue.push(event(index)));
    expect((await queue.size()).ready).toBe(capacity);
    const seen: unknown[] = [];
    for (let delivery = queue.tryPop(); delivery !== undefined; delivery = queue.tryPop()) {
      seen.push(dataOf(delivery));
      expect((await queue.size()).ready).toBeLessThanOrEqual(capacity);
      await delivery.ack();
    }
    await Promise.all(pushes);
    expect(seen).toEqual(Array.from({ length: capacity + 50 }, (_, index) => index));
  });

  test('admits waiting pushes in the order of their calls, and lets no newcomer overtake', async () => {
    const queue = channelQueue({ capacity: 1 });
    await queue.push(event('first'));
    const waiting = ['a', 'b', 'c'].map((data) => queue.push(event(data)));
    const popped = [dataOf(await queue.pop())];
    const late = queue.push(event('late'));
    popped.push(...(await popAll(queue)).map(dataOf));
    await Promise.all([...waiting, late]);
    expect(popped).toEqual(['first', 'a', 'b', 'c', 'late']);
  });

  test('told not to wait, rejects with NQ_FULL and stores nothing', async () => {
    const queue = channelQueue({ capacity: 1 });
    await queue.push(event(1));
    await expect(queue.push(event(2), { timeoutMs: 0 })).rejects.toMatchObject({ code: 'NQ_FULL' });
    expect((await popAll(queue)).map(dataOf)).toEqual([1]);
  });

  test('rejects with NQ_TIMEOUT not before its time, and stores nothing afterwards', async () => {
    const clock = virtualClock();
    const queue = channelQueue({ capacity: 1, clock });
    await queue.push(event(1));
    const push = queue.push(event(2), { timeoutMs: 60 });
    await clock.advance(59);
    expect(await stateOf(push)).toBe('pending');
    await clock.advance(1);
    await expect(push).rejects.toMatchObject({ code: 'NQ_TIMEOUT', name: 'NqError' });
    expect((await popAll(queue)).map(dataOf)).toEqual([1]);
  });

  test('aborted before or while it waits, rejects with the reason and stores nothing', async () => {
    const queue = channelQueue({ capacity: 1 });
    const reason = new Error('enough');
    await expect(queue.push(event(0), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await queue.push(event(1));
    const controller = new AbortController();
    const push = queue.push(event(2), { signal: controller.signal, timeoutMs: 10_000 });
    controller.abort(reason);
    await expect(push).rejects.toBe(reason);
    expect((await popAll(queue)).map(dataOf)).toEqual([1]);
    await queue.close();
  });

  test('of data that no broker could carry rejects with NQ_PAYLOAD and stores nothing', async () => {
    const queue = channelQueue();
    for (const data of [() => 1, Symbol('s'), 1n]) {
      await expect(queue.push({ type: 't', data })).rejects.toMatchObject({ code: 'NQ_PAYLOAD' });
    }
    expect((await queue.size()).ready).toBe(0);
  });

  test.each([
    [undefined, 'event must be an object, as in push({ type, data }), got undefined'],
    [{ type: '' }, 'event.type must be a non-empty string, got ""'],
    [{ type: 't', id: 7 }, 'event.id must be a non-empty string, got 7'],
    [{ type: 't', key: 7 }, 'event.key must be a string, got 7'],
    [{ type: 't', time: Number.NaN }, 'event.time must be milliseconds since the Unix epoch, got NaN'],
    [{ type: 't', headers: { a: 1 } }, 'event.headers["a"] must be a string, got 1'],
  ])('refuses %j by name', async (wrong, message) => {
    const queue = channelQueue();
    await expect(queue.push(wrong as never)).rejects.toThrow(new TypeError(`Cannot push: ${message}`));
    expect((await queue.size()).ready).toBe(0);
  });

  test.each(['push', 'offer'] as const)('%s(type, data) is told of the event, not of options', async (call) => {
    const queue = channelQueue();
    const wrong = queue[call].bind(queue) as (...args: readonly unknown[]) => Promise<void>;
    for (const options of [{ total: 1 }, 5, { timeoutMs: -1 }]) {
      await expect(wrong('greeting', options)).rejects.toThrow(
        new TypeError('Cannot push: event must be an object, as in push({ type, data }), got a string'),
      );
    }
    await expect(wrong({ type: 'greeting', data: 1 }, { total: 1 })).rejects.toThrow('unknown option "total"');
  });

  test('pushMany(type, data) is told of the events, not of options', async () => {
    const queue = channelQueue();
    await expect(queue.pushMany('greeting' as never, { total: 1 } as never)).rejects.toThrow(
      new TypeError('Cannot push: events must be an array, got a string'),
    );
  });

  test.each([
    [{ timeoutMs: -1 }, RangeError, 'Cannot push: timeoutMs must be >= 0, got -1'],
    [{ timeoutMs: Number.NaN }, RangeError, 'Cannot push: timeoutMs must be >= 0, got NaN'],
    [{ timeoutMs: '5' }, TypeError, 'Cannot push: timeoutMs must be a number, got "5"'],
    [{ signal: {} }, TypeError, 'Cannot push: signal must be an AbortSignal, got an object'],
    [null, TypeError, 'Cannot push: options must be an object, got null'],
  ])('refuses the options %j', async (options, kind, message) => {
    const queue = channelQueue();
    await expect(queue.push(event(1), options as never)).rejects.toThrow(new kind(message));
    expect((await queue.size()).ready).toBe(0);
  });
});

describe('offer()', () => {
  test('answers undefined when the event is stored at once, and a promise when it waits', async () => {
    const queue = channelQueue({ capacity: 1 });
    expect(queue.offer(event(1))).toBeUndefined();
    const waiting = queue.offer(event(2));
    expect(waiting).toBeInstanceOf(Promise);
    queue.tryPop();
    await waiting;
  });
});

describe('pushMany()', () => {
  test('stores all in order, waiting for room', async () => {
    const queue = channelQueue({ capacity: 2 });
    const pushed = queue.pushMany([1, 2, 3, 4, 5].map((data) => event(data)));
    expect(await stateOf(pushed)).toBe('pending');
    expect((await popAll(queue, 5)).map(dataOf)).toEqual([1, 2, 3, 4, 5]);
    await pushed;
  });

  test('says how many are stored when time is over', async () => {
    const clock = virtualClock();
    const queue = channelQueue({ capacity: 2, clock });
    const pushed = queue.pushMany(
      [1, 2, 3, 4].map((data) => event(data)),
      { timeoutMs: 50 },
    );
    const failure = pushed.catch((error: unknown) => error);
    expect(dataOf(await queue.pop())).toBe(1);
    await clock.advance(50);
    const error = (await failure) as NqError;
    expect(isNqError(error, 'NQ_TIMEOUT')).toBe(true);
    expect(error.stored).toBe(3);
    expect((await popAll(queue)).map(dataOf)).toEqual([2, 3]);
  });

  test('with one event that is none stores nothing at all', async () => {
    const queue = channelQueue();
    await expect(queue.pushMany([event(1), {} as never])).rejects.toBeInstanceOf(TypeError);
    expect((await queue.size()).ready).toBe(0);
  });

  test('that is aborted between two of its events rejects with the reason and stores no more', async () => {
    const queue = channelQueue({ capacity: 64 });
    await queue.pushMany(Array.from({ length: 64 }, (_, index) => event(index)));
    const controller = new AbortController();
    const pushed = queue.pushMany([event('x'), event('y')], { signal: controller.signal });
    const failure = pushed.catch((error: unknown) => error);
    // Makes room for the first, and the call goes on at the end of the turn only.
    queue.tryPop();
    const reason = new NqError('NQ_LEASE_LOST', 'enough');
    controller.abort(reason);
    expect(await stateOf(pushed)).toBe('rejected');
    expect(await failure).toBe(reason);
    expect((await popAll(queue)).map(dataOf)).not.toContain('y');
  });

  test('rejects NQ_TIMEOUT, not NQ_FULL, when its time is over between two of its events', async () => {
    const virtual = virtualClock();
    let held = 0;
    const clock = { ...virtual, now: () => virtual.now() + held };
    const queue = channelQueue({ capacity: 64, clock });
    await queue.pushMany(Array.from({ length: 64 }, (_, index) => event(index)));
    const failure = queue.pushMany([event('x'), event('y')], { timeoutMs: 50 }).catch((error: unknown) => error);
    queue.tryPop();
    held = 60;
    expect(await failure).toMatchObject({ code: 'NQ_TIMEOUT', stored: 1 });
    await expect(queue.pushMany([event('z')], { timeoutMs: 0 })).rejects.toMatchObject({ code: 'NQ_FULL', stored: 0 });
  });

  test.each([[5], [{}], ['ab'], [null]])('refuses %j', async (events) => {
    const queue = channelQueue();
    const error: unknown = await queue.pushMany(events as never).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain('Cannot push: events must be an array, got ');
    expect((await queue.size()).ready).toBe(0);
  });

  test('of nothing resolves', async () => {
    await expect(channelQueue().pushMany([])).resolves.toBeUndefined();
  });
});

describe('with isolation "copy"', () => {
  test('later changes by producer and consumer never reach a delivery', async () => {
    const queue = channelQueue({ isolation: 'copy' });
    const data = { list: [1] };
    await queue.push({ type: 't', data });
    data.list.push(2);
    const first = await queue.pop();
    expect(first?.event.data).toEqual({ list: [1] });
    (dataOf(first) as typeof data).list.push(3);
    await first?.nack();
    expect((await queue.pop())?.event.data).toEqual({ list: [1] });
  });

  test('data that JSON cannot carry, or that is too large, rejects with NQ_PAYLOAD and is not stored', async () => {
    const queue = channelQueue({ isolation: 'copy', maxPayloadBytes: 200 });
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    for (const data of [circle, { big: 1n }, 'x'.repeat(200)]) {
      await expect(queue.push({ type: 't', data })).rejects.toMatchObject({ code: 'NQ_PAYLOAD' });
    }
    expect((await queue.size()).ready).toBe(0);
  });
});
