import { channelQueue } from '@nq/channel';
import {
  createDispatcher,
  createQueue,
  deadLetter,
  type Dispatcher,
  type DispatcherOptions,
  type ErrorContext,
  type MessageQueue,
  registerQueueType,
  type StopReport,
} from '@nq/core';
import { memoryDriver, type VirtualClock, virtualClock } from '@nq/core/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { event } from './dispatcher-support.ts';

const undo: (() => void)[] = [];
afterEach(() => undo.splice(0).forEach((one) => one()));

const makes: readonly (readonly [string, (clock: VirtualClock) => MessageQueue])[] = [
  ['a channel', (clock) => channelQueue({ clock, leaseMs: 10_000 })],
  ['a queue of a driver', (clock) => createQueue(memoryDriver({ clock, leaseMs: 10_000 }), { clock })],
];

/** A dispatcher that opens its queue itself, and what its `onError` is told during 'settle'. */
function ownQueue(make: (clock: VirtualClock) => MessageQueue, options: DispatcherOptions = {}) {
  const clock = virtualClock();
  undo.push(registerQueueType({ type: 'own', options: {}, open: () => make(clock) }));
  const told: { readonly error: unknown; readonly context: ErrorContext }[] = [];
  const dispatcher: Dispatcher = createDispatcher(
    { type: 'own' },
    {
      clock,
      onError: (error, context) => void (context.during === 'settle' && told.push({ error, context })),
      retry: { inPlace: 0, maxAttempts: 2, delayMs: 1000 },
      ...options,
    },
  );
  return { clock, dispatcher, told };
}

describe.each(makes)('stop() called by a handler, on %s that the dispatcher opened', (_, make) => {
  test.each(['a handler', 'somebody else'])('by %s: counts an event that hangs once', async (by) => {
    const { clock, dispatcher, told } = ownQueue(make);
    let report: StopReport | undefined;
    const stop = async (): Promise<void> => void (report = await dispatcher.stop({ deadlineMs: 50 }));
    dispatcher.on('hangs', () => new Promise(() => {}));
    dispatcher.on('stops', stop);
    await dispatcher.start(2);
    await dispatcher.dispatch(event(1, 'hangs'));
    await clock.settle();
    if (by === 'a handler') await dispatcher.dispatch(event(2, 'stops'));
    else void stop();
    await clock.settle();
    await clock.advance(50);
    await clock.advance(2000);
    expect(report).toEqual({ completed: 0, returned: 0, abandoned: 1, deadLetters: 0 });
    expect(told).toEqual([]);
  });

  test('counts what went back, if the queue does not say what it holds', async () => {
    const { clock, dispatcher, told } = ownQueue((time) =>
      Object.assign(make(time), { size: () => Promise.reject(new Error('no')) }),
    );
    let report: StopReport | undefined;
    dispatcher.on('hangs', () => new Promise(() => {}));
    dispatcher.on('stops', async () => void (report = await dispatcher.stop({ deadlineMs: 50 })));
    await dispatcher.start(2);
    await dispatcher.dispatch(event(1, 'hangs'));
    await dispatcher.dispatch(event(2, 'stops'));
    await clock.settle();
    await clock.advance(50);
    await clock.advance(2000);
    expect(report).toEqual({ completed: 0, returned: 0, abandoned: 1, deadLetters: 0 });
    expect(told).toEqual([]);
  });

  test.each<[string, () => unknown]>([
    ['throws', () => Promise.reject(new Error('no'))],
    ['gives its event up', () => deadLetter('no')],
    ['hangs', () => new Promise(() => {})],
  ])('that then %s: the event is gone with the queue, and that is told', async (_how, end) => {
    const { clock, dispatcher, told } = ownQueue(make);
    let report: StopReport | undefined;
    dispatcher.on('test', async () => {
      report = await dispatcher.stop({ deadlineMs: 100 });
      return end();
    });
    await dispatcher.start();
    await dispatcher.dispatch({ ...event(1), id: 'e-1' });
    for (let step = 0; step < 40; step++) await clock.advance(100);
    expect(report).toEqual({ completed: 0, returned: 0, abandoned: 0, deadLetters: 0 });
    expect(told).toMatchObject([
      {
        error: {
          code: 'NQ_STOPPED',
          message: 'Event "e-1" is gone with the queue: its handler called stop(), and it was not done in the end',
        },
        context: { event: { id: 'e-1', data: 1 } },
      },
    ]);
  });

  test('that ends well, or whose event is safe in a dead-letter queue, has nothing told', async () => {
    for (const end of [undefined, deadLetter('no')]) {
      const deadLetterQueue = channelQueue();
      const { clock, dispatcher, told } = ownQueue(make, { deadLetterQueue });
      dispatcher.on('test', async () => {
        await dispatcher.stop({ deadlineMs: 100 });
        return end;
      });
      await dispatcher.start();
      await dispatcher.dispatch(event(1));
      await clock.advance(1000);
      expect(told).toEqual([]);
      expect(await deadLetterQueue.size()).toMatchObject({ ready: end === undefined ? 0 : 1 });
      undo.splice(0).forEach((one) => one());
    }
  });
});

describe('a queue that the dispatcher opened and that lasts', () => {
  test('has what its stopping handler has not done go back, and nothing told', async () => {
    const { clock, dispatcher, told } = ownQueue((time) => {
      const driver = memoryDriver({ clock: time });
      const capabilities = { ...driver.capabilities, durable: 'process' as const };
      return createQueue(Object.defineProperty(driver, 'capabilities', { value: capabilities }), { clock: time });
    });
    let report: StopReport | undefined;
    dispatcher.on('test', async () => {
      report = await dispatcher.stop({ deadlineMs: 100 });
      throw new Error('no');
    });
    dispatcher.on('hangs', () => new Promise(() => {}));
    await dispatcher.start(2);
    await dispatcher.dispatch(event(1, 'hangs'));
    await dispatcher.dispatch(event(2));
    await clock.settle();
    await clock.advance(1000);
    expect(report).toEqual({ completed: 0, returned: 1, abandoned: 0, deadLetters: 0 });
    expect(told).toEqual([]);
  });

  test('may answer a report without deadLetters: that is none', async () => {
    const { clock, dispatcher } = ownQueue((time) =>
      Object.assign(channelQueue({ clock: time }), { close: async () => ({ returned: 0, abandoned: 0 }) as never }),
    );
    await dispatcher.start();
    const stopping = dispatcher.stop();
    await clock.settle();
    expect(await stopping).toEqual({ completed: 0, returned: 0, abandoned: 0, deadLetters: 0 });
  });
});
