import { channelQueue } from '@nq/channel';
import { createDispatcher, type Delivery, NqError, type QueueEvent } from '@nq/core';
import { describe, expect, test, vi } from 'vitest';
import { deferred, event, queues, stage } from './dispatcher-support.ts';
import { stateOf } from './support.ts';

describe.each(queues)('dispatch() into a full queue, %s', (_, make) => {
  test('waits by default, until there is room, time is over, or its signal aborts', async () => {
    const { clock, queue, dispatcher } = stage(make, { capacity: 1 });
    expect(await dispatcher.dispatch(event(1))).toBe('queued');
    const waiting = dispatcher.dispatch(event(2));
    const late = dispatcher.dispatch(event(3), { timeoutMs: 50 });
    const controller = new AbortController();
    const aborted = dispatcher.dispatch(event(4), { signal: controller.signal });
    const ends = Promise.allSettled([late, aborted]);
    controller.abort(new Error('enough'));
    await clock.advance(60);
    expect(await ends).toMatchObject([{ reason: { code: 'NQ_TIMEOUT' } }, { reason: { message: 'enough' } }]);
    expect(await stateOf(waiting)).toBe('pending');
    await queue.pop();
    await clock.advance(100);
    expect(await waiting).toBe('queued');
    expect(await queue.size()).toMatchObject({ ready: 1 });
  });

  test('rejects with NQ_FULL under "reject", and stores nothing', async () => {
    const { queue, dispatcher } = stage(make, { capacity: 1, onFull: 'reject' });
    await dispatcher.dispatch(event(1));
    await expect(dispatcher.dispatch(event(2))).rejects.toMatchObject({ code: 'NQ_FULL' });
    expect(await queue.size()).toMatchObject({ ready: 1 });
  });

  test('under "reject" waits for the timeoutMs it is given', async () => {
    const { clock, queue, dispatcher } = stage(make, { capacity: 1, onFull: 'reject' });
    await dispatcher.dispatch(event(1));
    const waiting = dispatcher.dispatch(event(2), { timeoutMs: 1000 });
    await clock.advance(10);
    await queue.pop();
    await clock.advance(100);
    expect(await waiting).toBe('queued');
  });

  test('drops this event under "drop-newest", and tells it', async () => {
    const dropped: QueueEvent[] = [];
    const { queue, dispatcher } = stage(make, {
      capacity: 1,
      onFull: 'drop-newest',
      onDrop: (one) => void dropped.push(one),
    });
    await dispatcher.dispatch(event(1));
    expect(await dispatcher.dispatch(event(2))).toBe('dropped');
    expect(dropped.map(({ data }) => data)).toEqual([2]);
    expect((await queue.pop())?.event.data).toBe(1);
    expect(await dispatcher.stats()).toMatchObject({ dropped: 1 });
  });

  test('has nothing to drop for "drop-oldest" where nothing is bounded', () => {
    expect(() => stage(make, { capacity: Infinity, onFull: 'drop-oldest' })).toThrow(
      expect.objectContaining({ code: 'NQ_CONFIG', message: expect.stringContaining("capacity: 'hard'") }),
    );
  });

  test('drops the oldest event under "drop-oldest", and tells it', async () => {
    const dropped: QueueEvent[] = [];
    const { queue, dispatcher } = stage(make, {
      capacity: 2,
      onFull: 'drop-oldest',
      onDrop: (one) => void dropped.push(one),
    });
    for (const data of [1, 2, 3, 4]) expect(await dispatcher.dispatch(event(data))).toBe('queued');
    expect(dropped.map(({ data }) => data)).toEqual([1, 2]);
    expect((await queue.popMany(5)).map((delivery) => delivery.event.data)).toEqual([3, 4]);
    expect(await dispatcher.stats()).toMatchObject({ dropped: 2 });
  });

  test.each([
    ['NQ_OUTCOME_UNKNOWN', [1]],
    ['NQ_LEASE_LOST', []],
  ] as const)(
    'under "drop-oldest" goes on when the answer to the drop is %s, tells that, and what may be dropped',
    async (code, told) => {
      const dropped: unknown[] = [];
      const errors: unknown[] = [];
      const { queue, dispatcher } = stage(make, {
        capacity: 1,
        onFull: 'drop-oldest',
        onDrop: (one) => void dropped.push(one.data),
        onError: (error, { during }) => void errors.push([(error as NqError).code, during]),
      });
      const pop = queue.pop.bind(queue);
      vi.spyOn(queue, 'pop').mockImplementation(async (options) => {
        const oldest = (await pop(options)) as Delivery;
        const ack = oldest.ack.bind(oldest);
        const answerLost = async (): Promise<never> => {
          await ack();
          throw new NqError(code, 'no answer');
        };
        return Object.defineProperty(oldest, 'ack', { value: answerLost });
      });
      await dispatcher.dispatch(event(1));
      expect(await dispatcher.dispatch(event(2))).toBe('queued');
      expect({ dropped, errors }).toEqual({ dropped: told, errors: [[code, 'settle']] });
    },
  );

  test('runs the handlers in the caller under "run-inline", and resolves when they are done', async () => {
    const { clock, queue, dispatcher } = stage(make, { capacity: 1, onFull: 'run-inline' });
    const work = deferred();
    const seen: unknown[] = [];
    dispatcher.on('test', async (one) => {
      await work.promise;
      seen.push(one.data);
    });
    await dispatcher.dispatch(event(1));
    const inline = dispatcher.dispatch(event(2));
    await clock.settle();
    expect(await stateOf(inline)).toBe('pending');
    work.resolve();
    expect(await inline).toBe('ran');
    expect(seen).toEqual([2]);
    expect(await queue.size()).toMatchObject({ ready: 1, inFlight: 0 });
    expect(await dispatcher.stats()).toMatchObject({ ranInline: 1, handled: 1 });
  });

  test('under "run-inline" tries again in place, and tells the caller what failed in the end', async () => {
    const { clock, queue, dispatcher } = stage(make, {
      capacity: 1,
      onFull: 'run-inline',
      retry: { inPlace: 1, inPlaceDelayMs: 10, maxAttempts: 1 },
    });
    const cause = new Error('no');
    let runs = 0;
    dispatcher.on('test', () => {
      runs++;
      throw cause;
    });
    await dispatcher.dispatch(event(1));
    const inline = dispatcher.dispatch(event(2));
    const failure = inline.catch((error: unknown) => error);
    await clock.advance(10);
    expect(await failure).toMatchObject({ code: 'NQ_HANDLER_FAILED', cause });
    expect(runs).toBe(2);
    expect(await queue.size()).toMatchObject({ ready: 1 });
    expect(await queue.deadLetters.count()).toBe(0);
    await expect(dispatcher.dispatch(event(3, 'unknown'))).rejects.toMatchObject({
      code: 'NQ_HANDLER_FAILED',
      cause: { code: 'NQ_NO_HANDLER' },
    });
  });

  test('a thousand callers at once all get their turn', async () => {
    const { clock, dispatcher } = stage(make, { capacity: 3 });
    let handled = 0;
    dispatcher.on('test', async () => void handled++);
    await dispatcher.start(4);
    const all = Promise.all(Array.from({ length: 1000 }, (_unused, index) => dispatcher.dispatch(event(index))));
    while ((await stateOf(all)) === 'pending') await clock.advance(50);
    await clock.settle();
    expect(handled).toBe(1000);
  });
});

describe('a dispatcher on a channel of capacity 0', () => {
  test('takes an event from the hand of whoever dispatches it, as soon as a worker is free', async () => {
    const queue = channelQueue({ capacity: 0 });
    const dispatcher = createDispatcher({ queue }, { onFull: 'reject' });
    const works = [deferred(), deferred()];
    let started = 0;
    dispatcher.on('test', () => works[started++]?.promise);
    await dispatcher.start(1);
    expect(await dispatcher.dispatch(event(1))).toBe('queued');
    await stateOf(Promise.resolve());
    await expect(dispatcher.dispatch(event(2))).rejects.toMatchObject({ code: 'NQ_FULL' });
    works[0]?.resolve();
    await stateOf(Promise.resolve());
    expect(await dispatcher.dispatch(event(3))).toBe('queued');
    works[1]?.resolve();
    expect(await dispatcher.stop()).toMatchObject({ returned: 0, abandoned: 0 });
    expect(await dispatcher.stats()).toMatchObject({ handled: 2 });
    await queue.close();
  });
});

describe('an event loop under full load', () => {
  test('still turns: timers and I/O get their time while events are dispatched and handled without a pause', async () => {
    const dispatcher = createDispatcher(1000);
    let handled = 0;
    let turns = 0;
    dispatcher.on('test', async () => void handled++);
    await dispatcher.start(8);
    const turn = (): void => {
      turns++;
      if (handled < 50_000) setImmediate(turn);
    };
    turn();
    for (let index = 0; index < 50_000; index++) await dispatcher.dispatch(event(index));
    await dispatcher.drain();
    // 50,000 events are about 12 turns of 4,096; one turn for all of them is what starvation would look like.
    expect(turns).toBeGreaterThan(5);
    await dispatcher.stop();
  });
});
