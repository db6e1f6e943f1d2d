import { createEvent, type HandlerContext } from '@nq/core';
import { describe, expect, test } from 'vitest';
import { markEntry, oncePerEvent } from '../src/once.ts';

const context: HandlerContext = { attempt: 1, retry: 0, waitedMs: 0, signal: new AbortController().signal };
const event = (line: number) => createEvent(markEntry({ id: 'same', type: 'a' }, line));

describe('oncePerEvent()', () => {
  test('runs the handlers of an event once, whatever the number of its hand-outs', async () => {
    const once = oncePerEvent();
    let runs = 0;
    for (const line of [1, 1, 2, 1, 2]) await once(event(line), context, async () => void runs++);
    expect(runs).toBe(2);
  });

  test('runs them again after they failed', async () => {
    const once = oncePerEvent();
    const fail = (): Promise<void> => Promise.reject(new Error('no'));
    await expect(once(event(1), context, fail)).rejects.toThrow('no');
    let runs = 0;
    await once(event(1), context, async () => void runs++);
    expect(runs).toBe(1);
  });

  test('lets a second hand-out wait for the first one, and share its end', async () => {
    const once = oncePerEvent();
    let reject: (error: Error) => void = () => {};
    const promise = new Promise<void>((_resolve, no) => (reject = no));
    const first = once(event(1), context, () => promise);
    const second = once(event(1), context, () => Promise.reject(new Error('it ran')));
    reject(new Error('no'));
    await expect(first).rejects.toThrow('no');
    await expect(second).rejects.toThrow('no');
  });

  test('runs the handlers of an event that is not of this run each time', async () => {
    const once = oncePerEvent();
    let runs = 0;
    for (let count = 0; count < 2; count++) {
      await once(createEvent({ type: 'a' }), context, async () => void runs++);
    }
    expect(runs).toBe(2);
  });
});
