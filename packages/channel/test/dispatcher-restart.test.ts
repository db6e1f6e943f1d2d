import { channelQueue } from '@nq/channel';
import { createDispatcher, type MessageQueue, registerQueueType } from '@nq/core';
import { virtualClock } from '@nq/core/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { deferred, event } from './dispatcher-support.ts';
import { stateOf } from './support.ts';

const undo: (() => void)[] = [];
afterEach(() => undo.splice(0).forEach((one) => one()));

/** Registers a queue type that opens when the test says so, and notes what is opened and closed of it. */
function slowType() {
  const asked: ((queue: MessageQueue) => void)[] = [];
  const closed: MessageQueue[] = [];
  const open = async (): Promise<MessageQueue> => {
    const opened = deferred<MessageQueue>();
    asked.push(opened.resolve);
    const queue = await opened.promise;
    const close = queue.close.bind(queue);
    queue.close = (options) => {
      closed.push(queue);
      return close(options);
    };
    return queue;
  };
  undo.push(registerQueueType({ type: 'slow', options: {}, open }));
  return { asked, closed };
}

const overtaken = { code: 'NQ_STOPPED', message: 'Cannot start: the dispatcher was stopped meanwhile' };

describe('start() after a stop() that did not wait until the queue was open', () => {
  test('works on a queue of its own, and the first start() is told that it was overtaken', async () => {
    const dispatcher = createDispatcher('channel://?capacity=10');
    let handled = 0;
    dispatcher.on('test', () => void handled++);
    const first = dispatcher.start(1).catch((error: unknown) => error);
    await dispatcher.stop({ deadlineMs: 0 });
    await dispatcher.start(2);
    expect(await first).toMatchObject(overtaken);
    expect(await dispatcher.dispatch(event(1))).toBe('queued');
    await dispatcher.drain({ timeoutMs: 1000 });
    expect(handled).toBe(1);
    expect(await dispatcher.stats()).toMatchObject({ workers: 2 });
    await dispatcher.stop();
  });

  test.each(['start', 'dispatch'] as const)(
    'opens a second queue at once, whenever the first one comes, and the %s() that asked for that is released',
    async (call) => {
      const { asked, closed } = slowType();
      const clock = virtualClock();
      const dispatcher = createDispatcher({ type: 'slow' }, { clock });
      let handled = 0;
      dispatcher.on('test', () => void handled++);
      const asks = call === 'start' ? dispatcher.start() : dispatcher.dispatch(event(0));
      const first = asks.catch((error: unknown) => error);
      await clock.settle();
      const stopping = dispatcher.stop({ deadlineMs: 20 });
      await clock.advance(20);
      await stopping;
      expect(await first).toMatchObject({
        code: 'NQ_STOPPED',
        message: `Cannot ${call}: the dispatcher was stopped meanwhile`,
      });
      const second = dispatcher.start(2);
      await clock.settle();
      const [late, fresh] = [channelQueue({ clock }), channelQueue({ clock })];
      asked[0]?.(late);
      await clock.settle();
      expect(closed).toEqual([late]);
      asked[1]?.(fresh);
      await second;
      expect(await dispatcher.queue()).toBe(fresh);
      expect(await dispatcher.dispatch(event(1))).toBe('queued');
      await clock.settle();
      expect(handled).toBe(1);
      await dispatcher.stop();
      expect(closed).toEqual([late, fresh]);
      expect(clock.timers).toBe(0);
    },
  );

  test('is not disturbed when the first opening fails in the end', async () => {
    const down = deferred<MessageQueue>();
    const queues = [down.promise, Promise.resolve(channelQueue())];
    undo.push(registerQueueType({ type: 'slow', options: {}, open: () => queues.shift() as Promise<MessageQueue> }));
    const dispatcher = createDispatcher({ type: 'slow' });
    const first = dispatcher.start().catch((error: unknown) => error);
    await dispatcher.stop({ deadlineMs: 0 });
    await dispatcher.start(3);
    down.reject(new Error('down'));
    expect(await first).toMatchObject(overtaken);
    expect(await stateOf(dispatcher.dispatch(event(1)))).toBe('resolved');
    expect(await dispatcher.stats()).toMatchObject({ workers: 3 });
    await dispatcher.stop();
  });

  test('five calls in one go: the last start() has the last word', async () => {
    const dispatcher = createDispatcher(10);
    const calls = [dispatcher.start(1), dispatcher.stop(), dispatcher.start(2), dispatcher.stop(), dispatcher.start(3)];
    const ends = await Promise.allSettled(calls);
    expect(ends[0]).toMatchObject({ reason: overtaken });
    expect(ends.at(-1)).toMatchObject({ status: 'fulfilled' });
    expect((await dispatcher.stats()).workers).toBe(3);
    await dispatcher.stop();
  });
});
