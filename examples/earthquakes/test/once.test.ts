import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createEvent, type HandlerContext, type QueueEvent } from '@nq/core';
import { describe, expect, test } from 'vitest';
import { OncePerEvent } from '../src/once.ts';

const context: HandlerContext = { attempt: 1, retry: 0, waitedMs: 0, signal: new AbortController().signal };
const marked = (once: OncePerEvent, line: number): QueueEvent =>
  createEvent(once.mark({ id: 'same', type: 'a' }, line));

/** Hands `event` out. @returns how often its handlers have run. */
async function handOut(once: OncePerEvent, event: QueueEvent): Promise<number> {
  let runs = 0;
  await once.middleware(event, context, async () => void runs++);
  return runs;
}

/** How much memory is in use once everything that nobody needs is gone. */
function usedBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

describe('OncePerEvent', () => {
  test('runs the handlers of an event once, whatever the number of its hand-outs', async () => {
    const once = new OncePerEvent();
    const [one, two] = [marked(once, 1), marked(once, 2)];
    const runs: number[] = [];
    for (const event of [one, one, two, one, two]) runs.push(await handOut(once, event));
    expect(runs).toEqual([1, 0, 1, 0, 0]);
  });

  test('runs them again after they failed', async () => {
    const once = new OncePerEvent();
    const event = marked(once, 1);
    const fail = (): Promise<never> => Promise.reject(new Error('no'));
    await expect(once.middleware(event, context, fail)).rejects.toThrow('no');
    expect([await handOut(once, event), await handOut(once, event)]).toEqual([1, 0]);
  });

  test('lets a second hand-out wait for the first one, and share its end', async () => {
    const once = new OncePerEvent();
    const event = marked(once, 1);
    let reject: (error: Error) => void = () => {};
    const promise = new Promise<never>((_resolve, no) => (reject = no));
    const first = once.middleware(event, context, () => promise);
    const second = once.middleware(event, context, () => Promise.reject(new Error('it ran')));
    reject(new Error('no'));
    await expect(first).rejects.toThrow('no');
    await expect(second).rejects.toThrow('no');
  });

  test('runs the handlers of an event that nobody has marked each time', async () => {
    const once = new OncePerEvent();
    const event = createEvent({ type: 'a' });
    expect([await handOut(once, event), await handOut(once, event)]).toEqual([1, 1]);
  });

  test('runs those of an event that an earlier run has marked once', async () => {
    const once = new OncePerEvent();
    const event = marked(new OncePerEvent(), 1);
    expect([await handOut(once, event), await handOut(once, event)]).toEqual([1, 0]);
  });

  test('keeps nothing of events that are recorded or were refused, and knows them still', async () => {
    const once = new OncePerEvent();
    const first = marked(once, 0);
    await handOut(once, first);
    const before = usedBytes();
    const count = 200_000;
    for (let line = 1; line <= count; line++) {
      const event = marked(once, line);
      if (line % 2 === 0) once.unmark(line);
      else await handOut(once, event);
    }
    // 5 bytes for each of them, where a key takes about 86.
    expect(usedBytes() - before).toBeLessThan(1_000_000);
    expect(await handOut(once, first)).toBe(0);
  });
});
