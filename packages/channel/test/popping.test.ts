import { virtualClock } from '@nq/core/testing';
import { channelQueue } from '@nq/channel';
import { describe, expect, test } from 'vitest';
import { dataOf, event, popAll, stateOf } from './support.ts';

describe('pop()', () => {
  test.each([1, 1000])(
    'is woken by a push, one per event, oldest to who waits longest (capacity %d)',
    async (capacity) => {
      const queue = channelQueue({ capacity });
      const got: string[] = [];
      const pops = ['a', 'b', 'c'].map(async (name) => got.push(name + dataOf(await queue.pop())));
      for (const data of [1, 2, 3]) await queue.push(event(data));
      await Promise.all(pops);
      expect(got).toEqual(['a1', 'b2', 'c3']);
    },
  );

  test('that comes later than waiting ones does not take their event', async () => {
    const queue = channelQueue();
    const waiting = queue.pop();
    queue.offer(event(1));
    expect(queue.tryPop()).toBeUndefined();
    expect(dataOf(await waiting)).toBe(1);
  });

  test('resolves undefined when its time is over, not before, and takes nothing afterwards', async () => {
    const clock = virtualClock();
    const queue = channelQueue({ clock });
    const pop = queue.pop({ timeoutMs: 60 });
    await clock.advance(59);
    expect(await stateOf(pop)).toBe('pending');
    await clock.advance(1);
    expect(await pop).toBeUndefined();
    await queue.push(event(1));
    expect((await popAll(queue)).map(dataOf)).toEqual([1]);
  });

  test('told not to wait answers at once', async () => {
    const queue = channelQueue();
    expect(await queue.pop({ timeoutMs: 0 })).toBeUndefined();
    await queue.push(event(1));
    expect(dataOf(await queue.pop({ timeoutMs: 0 }))).toBe(1);
  });

  test('aborted rejects with the reason and takes nothing afterwards', async () => {
    const queue = channelQueue();
    const reason = new Error('enough');
    await expect(queue.pop({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const pops = [queue.pop({ signal: controller.signal }), queue.pop({ signal: controller.signal })];
    controller.abort(reason);
    for (const pop of pops) await expect(pop).rejects.toBe(reason);
    await queue.push(event(1));
    expect((await popAll(queue)).map(dataOf)).toEqual([1]);
  });

  test('a thousand waiting calls are all served, in order', async () => {
    const queue = channelQueue({ capacity: 10 });
    const pops = Array.from({ length: 1000 }, () => queue.pop());
    await queue.pushMany(Array.from({ length: 1000 }, (_, index) => event(index)));
    expect((await Promise.all(pops)).map(dataOf)).toEqual(Array.from({ length: 1000 }, (_, index) => index));
  });

  test('refuses wrong options by name', async () => {
    const queue = channelQueue();
    await expect(queue.pop({ timeoutMs: -1 })).rejects.toThrow(
      new RangeError('Cannot pop: timeoutMs must be >= 0, got -1'),
    );
    await expect(queue.popMany(0)).rejects.toThrow(
      new RangeError('Cannot pop: max must be a whole number >= 1, got 0'),
    );
  });
});

describe('popMany()', () => {
  test('takes what is there, at most max, in order', async () => {
    const queue = channelQueue();
    await queue.pushMany([1, 2, 3].map(event));
    expect((await queue.popMany(2)).map(dataOf)).toEqual([1, 2]);
    expect((await queue.popMany(2)).map(dataOf)).toEqual([3]);
    expect(await queue.popMany(2, { timeoutMs: 0 })).toEqual([]);
  });

  test('waits for the first event only', async () => {
    const queue = channelQueue();
    const popped = queue.popMany(10);
    await queue.push(event(1));
    expect((await popped).map(dataOf)).toEqual([1]);
  });
});

describe('onReady()', () => {
  test('tells once per burst of pushes, until it is ended', async () => {
    const queue = channelQueue();
    let told = 0;
    const end = queue.onReady(() => told++);
    queue.offer(event(1));
    queue.offer(event(2));
    expect(await stateOf(Promise.resolve())).toBe('resolved');
    expect(told).toBe(1);
    end();
    queue.offer(event(3));
    await stateOf(Promise.resolve());
    expect(told).toBe(1);
  });

  test('tells of events that were there before', async () => {
    const queue = channelQueue();
    queue.offer(event(1));
    const told = new Promise<void>((resolve) => queue.onReady(resolve));
    await told;
    expect(dataOf(queue.tryPop())).toBe(1);
  });
});

describe('with capacity 0', () => {
  test('a push waits until its event is taken', async () => {
    const queue = channelQueue({ capacity: 0 });
    const push = queue.push(event(1));
    expect(await stateOf(push)).toBe('pending');
    expect((await queue.size()).ready).toBe(0);
    expect(dataOf(await queue.pop())).toBe(1);
    await push;
  });

  test('a push goes through at once to a pop that waits', async () => {
    const queue = channelQueue({ capacity: 0 });
    const pop = queue.pop();
    await queue.push(event(1), { timeoutMs: 0 });
    expect(dataOf(await pop)).toBe(1);
    await expect(queue.push(event(2), { timeoutMs: 0 })).rejects.toMatchObject({ code: 'NQ_FULL' });
  });

  test('order is kept among waiting pushes', async () => {
    const queue = channelQueue({ capacity: 0 });
    const pushes = [1, 2, 3].map((data) => queue.push(event(data)));
    expect((await popAll(queue, 3)).map(dataOf)).toEqual([1, 2, 3]);
    await Promise.all(pushes);
  });
});
