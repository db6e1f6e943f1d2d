import { describe, expect, test } from 'vitest';
import { createDispatcher, createQueue, type MessageQueue, registerQueueType } from '../src/index.ts';
import { memoryDriver, virtualClock, type VirtualClock } from '../src/testing.ts';
import { oddities } from './conformance/oddities.ts';

/** A queue on which acknowledging an event acknowledges those before it. */
function cumulativeQueue(clock: VirtualClock, nackDelay = true): MessageQueue {
  const oddity = oddities.find(({ capabilities }) => capabilities?.ack === 'cumulative');
  const inner = memoryDriver({ clock });
  const capabilities = { ...inner.capabilities, ...oddity?.capabilities, nackDelay };
  const upTo = oddity?.driver?.(inner, undefined as never, { number: 0, clock });
  if (upTo === undefined) throw new Error('there is no such oddity');
  return createQueue(
    new Proxy(upTo, { get: (target, name) => (name === 'capabilities' ? capabilities : Reflect.get(target, name)) }),
    { clock },
  );
}

const retry = { inPlace: 0, delayMs: 100, jitter: 0, maxAttempts: 2 } as const;
const onError = (): void => {};

describe('a dispatcher on a queue that acknowledges cumulatively', () => {
  test.each([
    ['still runs', 2, true],
    ['waits here for its next attempt', 1, false],
  ])('does not lose an event that fails after a later one was done, while it %s', async (_, workers, nackDelay) => {
    const clock = virtualClock();
    const queue = cumulativeQueue(clock, nackDelay);
    const dispatcher = createDispatcher({ queue }, { clock, onError, retry });
    const runs: string[] = [];
    dispatcher.on('first', async (_event, { attempt }) => {
      runs.push(`first ${attempt}`);
      if (attempt > 1) return;
      if (workers > 1) await new Promise<void>((resolve) => void clock.schedule(resolve, 50));
      throw new Error('fails once');
    });
    dispatcher.on('second', () => void runs.push('second'));
    await queue.pushMany([{ type: 'first' }, { type: 'second' }]);
    await dispatcher.start(workers);
    await clock.advance(1000);
    expect(runs.toSorted()).toEqual(['first 1', 'first 2', 'second']);
    expect(await dispatcher.stats()).toMatchObject({ handled: 2, unsettled: 0, ready: 0, inFlight: 0, delayed: 0 });
  });

  test('keeps what waits for a dead-letter queue that takes its time', async () => {
    const clock = virtualClock();
    const queue = cumulativeQueue(clock);
    const letters = createQueue(memoryDriver({ clock, capacity: 1 }), { clock });
    await letters.push({ type: 'in the way' });
    const dispatcher = createDispatcher(
      { queue },
      { clock, onError, retry: { ...retry, maxAttempts: 1 }, deadLetterQueue: letters },
    );
    dispatcher.on('bad', () => {
      throw new Error('always');
    });
    dispatcher.on('good', () => {});
    await queue.pushMany([{ type: 'bad' }, { type: 'good' }]);
    await dispatcher.start(2);
    await clock.advance(1000);
    expect(await queue.size()).toMatchObject({ inFlight: 2 });
    await (await letters.pop())?.ack();
    await clock.advance(1000);
    expect(await dispatcher.stats()).toMatchObject({ handled: 1, deadLettered: 1, inFlight: 0 });
    expect(await letters.size()).toMatchObject({ ready: 1 });
  });

  test('renews the lease of what is done and waits for its turn', async () => {
    const clock = virtualClock();
    const queue = cumulativeQueue(clock);
    const dispatcher = createDispatcher({ queue }, { clock, onError, handlerTimeoutMs: Infinity });
    let runs = 0;
    dispatcher.on('long', () => new Promise<void>((resolve) => void clock.schedule(resolve, 100_000)));
    dispatcher.on('short', () => void runs++);
    await queue.pushMany([{ type: 'long' }, { type: 'short' }]);
    await dispatcher.start(2);
    await clock.advance(99_000);
    expect([runs, (await queue.size()).inFlight]).toEqual([1, 2]);
    await clock.advance(2000);
    expect(await dispatcher.stats()).toMatchObject({ handled: 2, unsettled: 0, inFlight: 0 });
  });

  test('cannot drop the oldest event of the queue, and closes the one that it has opened', async () => {
    const clock = virtualClock();
    const queue = cumulativeQueue(clock);
    const wrong = { code: 'NQ_CONFIG', message: expect.stringContaining("onFull: 'drop-oldest'") };
    expect(() => createDispatcher({ queue }, { clock, onFull: 'drop-oldest' })).toThrow(expect.objectContaining(wrong));
    registerQueueType({ type: 'cumulative', options: {}, open: async () => queue });
    await expect(createDispatcher('cumulative://', { clock, onFull: 'drop-oldest' }).start()).rejects.toMatchObject(
      wrong,
    );
    await expect(queue.pop({ timeoutMs: 0 })).rejects.toMatchObject({ code: 'NQ_CLOSED' });
  });
});
