import { channelQueue } from '@nq/channel';
import { createDispatcher } from '@nq/core';
import { describe, expect, test } from 'vitest';
import { deferred, event, queues, stage } from './dispatcher-support.ts';
import { stateOf } from './support.ts';

const makeChannel: (typeof queues)[number][1] = (clock, capacity) => channelQueue({ clock, capacity });

/** What people write at first. */
const firstGuesses: readonly (readonly [readonly unknown[], string])[] = [
  [[{}], 'event.type must be a non-empty string, got undefined'],
  [[{ type: 't', key: 7 }], 'event.key must be a string, got 7'],
  [[{ type: 't', headers: { a: 1 } }], 'event.headers["a"] must be a string, got 1'],
  [['order.created'], 'event must be an object, as in dispatch({ type, data }), got "order.created"'],
  [['order.created', { total: 42 }], 'event must be an object, as in dispatch({ type, data }), got "order.created"'],
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
        message: expect.stringMatching(/^Cannot push: .*; the dispatcher is not started$/),
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
