import { channelQueue } from '@nq/channel';
import { createDispatcher, type MessageQueue, NqError } from '@nq/core';
import { describe, expect, test } from 'vitest';
import { deferred, event, queues, stage } from './dispatcher-support.ts';
import { stateOf } from './support.ts';

const makeChannel: (typeof queues)[number][1] = (clock, capacity) => channelQueue({ clock, capacity });

/** What people write at first. */
const firstGuesses: readonly (readonly [readonly unknown[], string])[] = [
  [[{}], 'event.type must be a non-empty string, got undefined'],
  [[{ type: 't', key: 7 }], 'event.key must be a string, got 7'],
  [[{ type: 't', headers: { a: 1 } }], 'event.headers["a"] must be a string, got 1'],
  [['order.created'], 'event must be an object, as in dispatch({ type, data }), got a string'],
  [['order.created', { total: 42 }], 'event must be an object, as in dispatch({ type, data }), got a string'],
  [
    [{ type: 't', payload: 1 }],
    'event has no data, and "payload" is no member of an event; known are id, type, key, data, headers, time',
  ],
];

describe('dispatch() of what is no event', () => {
  test.each(firstGuesses)(
    '%j says so in its own name, as the first call, which opens the queue',
    async (args, message) => {
      const dispatcher = createDispatcher(10);
      const dispatch = dispatcher.dispatch.bind(dispatcher) as (...wrong: readonly unknown[]) => Promise<unknown>;
      await expect(dispatch(...args)).rejects.toThrow(new TypeError(`Cannot dispatch: ${message}`));
    },
  );

  test.each(firstGuesses)('%j says so in its own name under every onFull', async (args, message) => {
    for (const onFull of ['wait', 'reject', 'drop-newest', 'drop-oldest', 'run-inline'] as const) {
      const { queue, dispatcher } = stage(makeChannel, { onFull });
      const dispatch = dispatcher.dispatch.bind(dispatcher) as (...wrong: readonly unknown[]) => Promise<unknown>;
      await expect(dispatch(...args)).rejects.toThrow(new TypeError(`Cannot dispatch: ${message}`));
      expect(await queue.size()).toMatchObject({ ready: 0 });
    }
  });
});

describe.each(queues)('a full queue (%s)', (_, make) => {
  test.each(['wait', 'reject'] as const)(
    'is told with the start() that was forgotten, if it is to %s',
    async (onFull) => {
      const { clock, dispatcher } = stage(make, { capacity: 1, onFull });
      await dispatcher.dispatch(event(1));
      const full = {
        code: 'NQ_FULL',
        message: expect.stringMatching(/^Cannot dispatch: .*; the dispatcher is not started$/),
      };
      await expect(dispatcher.dispatch(event(2), { timeoutMs: 0 })).rejects.toMatchObject(full);
      const late = dispatcher.dispatch(event(3), { timeoutMs: 100 }).catch((error: unknown) => error);
      await clock.advance(100);
      expect(await late).toMatchObject({ ...full, code: 'NQ_TIMEOUT' });
    },
  );

  test('is told alone when the dispatcher is started', async () => {
    const { clock, dispatcher } = stage(make, { capacity: 1, onFull: 'reject' });
    const work = deferred();
    dispatcher.on('test', () => work.promise);
    await dispatcher.start(1);
    for (const data of [1, 2]) {
      await dispatcher.dispatch(event(data));
      await clock.settle();
    }
    const third = await dispatcher.dispatch(event(3)).catch((error: unknown) => error);
    expect(third).toMatchObject({ code: 'NQ_FULL', message: expect.not.stringContaining('not started') });
    work.resolve();
    expect(await stateOf(dispatcher.stop())).toBe('resolved');
  });
});

const policies = ['wait', 'reject', 'drop-newest', 'drop-oldest', 'run-inline'] as const;

describe.each(queues)('what dispatch() rejects with (%s)', (_, make) => {
  test.each<[unknown, string]>([
    [{ timeoutMs: -1 }, 'timeoutMs must be >= 0, got -1'],
    [{ timeoutMs: '1' }, 'timeoutMs must be a number, got "1"'],
    [{ timeout: 1 }, 'unknown option "timeout"; known are timeoutMs, signal'],
    [{ signal: {} }, 'signal must be an AbortSignal, got an object'],
    [5, 'options must be an object, got 5'],
    [null, 'options must be an object, got null'],
  ])('for the options %j speaks of a dispatch', async (options, message) => {
    for (const onFull of policies) {
      const { queue, dispatcher } = stage(make, { onFull });
      const dispatched = dispatcher.dispatch(event(1), options as never);
      await expect(dispatched).rejects.toThrow(`Cannot dispatch: ${message}`);
      expect(await queue.size()).toMatchObject({ ready: 0 });
    }
  });

  test('of a queue that somebody closes speaks of a dispatch', async () => {
    for (const onFull of ['wait', 'reject'] as const) {
      const { clock, queue, dispatcher } = stage(make, { capacity: 1, onFull });
      await dispatcher.dispatch(event(1));
      const waiting = dispatcher.dispatch(event(2), { timeoutMs: 9999 }).catch((error: unknown) => error);
      await clock.settle();
      const closing = queue.close();
      const closed = { code: 'NQ_CLOSED', message: expect.stringMatching(/^Cannot dispatch: .*closed/) };
      expect(await waiting).toMatchObject(closed);
      await clock.settle();
      await closing;
      await expect(dispatcher.dispatch(event(3))).rejects.toMatchObject(closed);
    }
  });

  test.each(['wait', 'reject'] as const)(
    'is the reason of its signal, whatever has become of the event, under %s',
    async (onFull) => {
      for (const reason of [new Error('mine'), new TypeError('mine'), new NqError('NQ_FULL', 'Cannot push: mine')]) {
        const { clock, dispatcher } = stage(make, { capacity: 1, onFull });
        await dispatcher.dispatch(event(1));
        const controller = new AbortController();
        const changed = { ...event(2), id: 'e', time: 1 };
        const options = { timeoutMs: 9999, signal: controller.signal };
        const waiting = dispatcher.dispatch(changed, options).catch((error: unknown) => error);
        await clock.settle();
        changed.type = '';
        Object.assign(options, { timeoutMs: -1 });
        controller.abort(reason);
        expect(await waiting).toBe(reason);
      }
    },
  );

  test('is what the queue said, if the event was changed while it waited', async () => {
    const { clock, dispatcher } = stage(make, { capacity: 1 });
    await dispatcher.dispatch(event(1));
    const changed = event(2);
    const waiting = dispatcher.dispatch(changed, { timeoutMs: 10 }).catch((error: unknown) => error);
    await clock.settle();
    changed.type = '';
    await clock.advance(10);
    expect(await waiting).toMatchObject({ code: 'NQ_TIMEOUT' });
  });
});

describe('what dispatch() rejects with', () => {
  test('has the code, the cause and the members of what the queue rejected with', async () => {
    const cause = new Error('the client library');
    const error = new NqError('NQ_FULL', 'Cannot push: no room', { cause, stored: 3 });
    const push = (): Promise<never> => Promise.reject(error);
    for (const onFull of ['wait', 'reject'] as const) {
      const { queue } = stage((clock) => Object.assign(channelQueue({ clock }), { push, offer: push }));
      const dispatcher = createDispatcher({ queue: queue as MessageQueue }, { onFull });
      const refused = await dispatcher.dispatch(event(1)).catch((one: unknown) => one);
      expect(refused).toMatchObject({ code: 'NQ_FULL', stored: 3 });
      expect((refused as Error).message).toBe('Cannot dispatch: no room; the dispatcher is not started');
      expect((refused as Error).cause).toBe(cause);
    }
  });

  test.each(['wait', 'reject'] as const)(
    'is NQ_STOPPED, if stop() closes its queue while it waits under %s',
    async (onFull) => {
      const dispatcher = createDispatcher(1, { onFull });
      await dispatcher.dispatch(event(1));
      const waiting = dispatcher.dispatch(event(2), { timeoutMs: 5000 }).catch((error: unknown) => error);
      await stateOf(Promise.resolve());
      expect(await dispatcher.stop()).toEqual({ completed: 0, returned: 0, abandoned: 1, deadLetters: 0 });
      const stopped = { code: 'NQ_STOPPED', message: 'Cannot dispatch: the dispatcher was stopped meanwhile' };
      expect(await waiting).toMatchObject(stopped);
    },
  );

  test('is NQ_STOPPED, also if it was the first one and is started again by now', async () => {
    const dispatcher = createDispatcher(10);
    const first = dispatcher.dispatch(event(1)).catch((error: unknown) => error);
    const stopping = dispatcher.stop();
    await dispatcher.start();
    await stopping;
    expect(await first).toMatchObject({ code: 'NQ_STOPPED' });
    await dispatcher.stop();
  });
});

describe('start()', () => {
  test('that waits for a stop() and is overtaken by another one says so', async () => {
    const { dispatcher } = stage(makeChannel);
    await dispatcher.start();
    const stopping = dispatcher.stop();
    const before = dispatcher.start();
    const again = stopping.then(() => dispatcher.stop());
    const after = dispatcher.start();
    const overtaken = { code: 'NQ_STOPPED', message: 'Cannot start: the dispatcher was stopped meanwhile' };
    expect(await Promise.allSettled([before, after])).toMatchObject([{ reason: overtaken }, { reason: overtaken }]);
    await again;
    await expect(dispatcher.dispatch(event(2))).rejects.toMatchObject({
      message: 'Cannot dispatch: the dispatcher is stopped',
    });
  });
});
