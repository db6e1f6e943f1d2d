import { channelQueue } from '@nq/channel';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { event, stateOf } from './support.ts';

let restore = (): void => {};
afterEach(() => restore());

/** Collects what nobody catches, which would end a process, until the test has ended. */
function uncaught(): unknown[] {
  const errors: unknown[] = [];
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => errors.push(error));
  restore = () => {
    process.removeAllListeners('uncaughtException');
    for (const listener of before) process.on('uncaughtException', listener);
  };
  return errors;
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('onReady()', () => {
  test('a listener that throws is an uncaught exception, and the others are told', async () => {
    const errors = uncaught();
    const queue = channelQueue();
    const told = vi.fn<() => void>();
    const bug = new Error('bug');
    queue.onReady(() => {
      throw bug;
    });
    queue.onReady(told);
    await queue.push(event(1));
    await nextTurn();
    expect(told).toHaveBeenCalledTimes(1);
    expect(errors).toEqual([bug]);
    expect(await queue.size()).toMatchObject({ ready: 1, inFlight: 0 });
  });

  test('a listener that throws does not keep the queue from closing', async () => {
    const errors = uncaught();
    const queue = channelQueue();
    const told = vi.fn<() => void>();
    queue.onReady(() => {
      throw new Error('bug');
    });
    queue.onReady(told);
    const closing = queue.close();
    expect(await stateOf(closing)).toBe('resolved');
    expect(await closing).toEqual({ returned: 0, abandoned: 0, deadLetters: 0 });
    expect(told).toHaveBeenCalledTimes(1);
    expect(errors).toHaveLength(1);
    await expect(queue.size()).rejects.toMatchObject({ code: 'NQ_CLOSED' });
  });

  test('a listener that another one ends is not called any more', async () => {
    const queue = channelQueue();
    const told = vi.fn<() => void>();
    queue.onReady(() => end());
    const end = queue.onReady(told);
    await queue.push(event(1));
    await nextTurn();
    expect(told).not.toHaveBeenCalled();
  });

  test('a function that listens twice is told twice, and when one of them is ended the other goes on', async () => {
    const queue = channelQueue();
    const told = vi.fn<() => void>();
    const end = queue.onReady(told);
    queue.onReady(told);
    await queue.push(event(1));
    await nextTurn();
    expect(told).toHaveBeenCalledTimes(2);
    end();
    end();
    await queue.push(event(2));
    await nextTurn();
    expect(told).toHaveBeenCalledTimes(3);
  });

  test('refuses what is no function', () => {
    expect(() => channelQueue().onReady(5 as never)).toThrow(
      new TypeError('Cannot listen: listener must be a function, got 5'),
    );
  });
});
