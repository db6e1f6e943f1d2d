import { channelQueue } from '@nq/channel';
import { createDispatcher, createQueue, type StopReport } from '@nq/core';
import { memoryDriver } from '@nq/core/testing';
import { describe, expect, test } from 'vitest';
import { deferred, event, queues, stage } from './dispatcher-support.ts';
import { stateOf } from './support.ts';

describe.each(queues)('stop() of a dispatcher on %s', (_, make) => {
  test('takes nothing any more, lets running handlers end, and leaves the queue open', async () => {
    const { clock, queue, dispatcher } = stage(make);
    const work = deferred();
    dispatcher.on('test', () => work.promise);
    await dispatcher.start(1);
    for (const data of [1, 2, 3]) await dispatcher.dispatch(event(data));
    await clock.settle();
    const stopping = dispatcher.stop();
    await clock.settle();
    expect(await stateOf(stopping)).toBe('pending');
    work.resolve();
    expect(await stopping).toEqual({ completed: 1, returned: 0, abandoned: 0, deadLetters: 0 });
    expect(await queue.size()).toMatchObject({ ready: 2, inFlight: 0 });
  });

  test('at the deadline aborts what still runs and gives its event back', async () => {
    const { clock, queue, dispatcher } = stage(make);
    const signals: AbortSignal[] = [];
    dispatcher.on('test', (one, { signal }) => {
      signals.push(signal);
      return one.data === 'hangs' ? new Promise(() => {}) : new Promise<void>((end) => clock.schedule(end, 500));
    });
    await dispatcher.start(2);
    await dispatcher.dispatch(event('hangs'));
    await dispatcher.dispatch(event('ends'));
    await clock.settle();
    const stopping = dispatcher.stop({ deadlineMs: 1000 });
    await clock.advance(999);
    expect(await stateOf(stopping)).toBe('pending');
    await clock.advance(1);
    expect(await stopping).toEqual({ completed: 1, returned: 1, abandoned: 0, deadLetters: 0 });
    expect(signals[0]?.reason).toMatchObject({ code: 'NQ_STOPPED' });
    expect(await queue.size()).toMatchObject({ ready: 1, inFlight: 0 });
  });

  test('with a deadline of 0 does not wait at all', async () => {
    const { clock, dispatcher } = stage(make);
    dispatcher.on('test', () => new Promise(() => {}));
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    await clock.settle();
    const stopping = dispatcher.stop({ deadlineMs: 0 });
    await clock.advance(0);
    expect(await stopping).toEqual({ completed: 0, returned: 1, abandoned: 0, deadLetters: 0 });
  });

  test('answers every call with the same report, and before start() with zeros', async () => {
    const { dispatcher } = stage(make);
    const [first, second] = await Promise.all([dispatcher.stop(), dispatcher.stop({ deadlineMs: 5 })]);
    expect(first).toEqual({ completed: 0, returned: 0, abandoned: 0, deadLetters: 0 });
    expect(second).toBe(first);
    await dispatcher[Symbol.asyncDispose]();
  });

  test('ends dispatch() with NQ_STOPPED, and start() begins anew', async () => {
    const { clock, dispatcher } = stage(make);
    let handled = 0;
    dispatcher.on('test', () => void handled++);
    await dispatcher.start();
    await dispatcher.stop();
    await expect(dispatcher.dispatch(event(1))).rejects.toMatchObject({ code: 'NQ_STOPPED' });
    await dispatcher.start(2);
    await dispatcher.dispatch(event(2));
    await clock.settle();
    expect(handled).toBe(1);
    expect(await dispatcher.stats()).toMatchObject({ workers: 2, handled: 1 });
  });

  test('called and awaited by a handler answers it at once, and its own event is acknowledged', async () => {
    const { clock, queue, dispatcher } = stage(make);
    let report: StopReport | undefined;
    dispatcher.on('test', async () => {
      report = await dispatcher.stop();
    });
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    await clock.settle();
    expect(report).toEqual({ completed: 0, returned: 0, abandoned: 0, deadLetters: 0 });
    expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0 });
    expect(await dispatcher.stats()).toMatchObject({ handled: 1 });
  });

  test('called by a handler and not awaited lets that handler end as well', async () => {
    const { clock, dispatcher } = stage(make);
    dispatcher.on('test', () => void dispatcher.stop());
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    await clock.settle();
    expect(await dispatcher.stop()).toMatchObject({ returned: 0, abandoned: 0 });
    expect(await dispatcher.stats()).toMatchObject({ handled: 1 });
  });

  test('awaited by a handler after its first await is answered at the deadline, and the event goes back', async () => {
    const { clock, queue, dispatcher } = stage(make);
    let report: StopReport | undefined;
    dispatcher.on('test', async () => {
      await Promise.resolve();
      report = await dispatcher.stop({ deadlineMs: 100 });
    });
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    await clock.advance(100);
    expect(report).toEqual({ completed: 0, returned: 1, abandoned: 0, deadLetters: 0 });
    expect(await queue.size()).toMatchObject({ ready: 1 });
  });

  test('gives an event back that waits to be run again in place', async () => {
    const { clock, queue, dispatcher } = stage(make, { retry: { inPlace: 1, inPlaceDelayMs: 60_000 } });
    dispatcher.on('test', () => Promise.reject(new Error('no')));
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    await clock.settle();
    const stopping = dispatcher.stop({ deadlineMs: 10 });
    await clock.advance(10);
    expect(await stopping).toEqual({ completed: 0, returned: 1, abandoned: 0, deadLetters: 0 });
    expect(await queue.size()).toMatchObject({ ready: 1 });
  });

  test('leaves no timer behind', async () => {
    const { clock, queue, dispatcher } = stage(make);
    dispatcher.on('test', (one) => (one.data === 1 ? Promise.reject(new Error('no')) : new Promise(() => {})));
    await dispatcher.start(2);
    for (const data of [1, 2]) await dispatcher.dispatch(event(data));
    await clock.settle();
    const stopping = dispatcher.stop({ deadlineMs: 100 });
    await clock.advance(100);
    await stopping;
    await queue.close();
    await clock.settle();
    expect(clock.timers).toBe(0);
  });

  test('counts no dead letters: the queue stays open, and they are still in it', async () => {
    const { clock, queue, dispatcher } = stage(make, { retry: { maxAttempts: 1 } });
    let report: StopReport | undefined;
    dispatcher.on('test', async (one) => {
      if (one.data === 'stops') report = await dispatcher.stop();
      else throw new Error('no');
    });
    await dispatcher.start();
    for (const data of ['fails', 'stops']) await dispatcher.dispatch(event(data));
    await clock.settle();
    expect(report?.deadLetters).toBe(0);
    await dispatcher.start();
    expect((await dispatcher.stop()).deadLetters).toBe(0);
    expect(await queue.deadLetters.count()).toBe(1);
  });

  test('refuses a deadline that is none', async () => {
    const { dispatcher } = stage(make);
    await expect(dispatcher.stop({ deadlineMs: -1 })).rejects.toThrow(
      new RangeError('Cannot stop: deadlineMs must be >= 0, got -1'),
    );
    await expect(dispatcher.stop({ timeoutMs: 1 } as never)).rejects.toBeInstanceOf(TypeError);
  });
});

describe('a queue that somebody else closes', () => {
  test.each(queues)('ends the work of a dispatcher without an error (%s)', async (_, make) => {
    const { clock, queue, dispatcher, errors } = stage(make);
    dispatcher.on('test', () => {});
    await dispatcher.start();
    await clock.settle();
    await queue.close();
    await clock.advance(60_000);
    expect(errors).toEqual([]);
    expect(await dispatcher.stats()).toMatchObject({ ready: 0, handled: 0 });
    await dispatcher.stop();
  });
});

describe('a queue that never answers when events are given back', () => {
  test('does not keep stop() from settling; the events are reported as not accounted for', async () => {
    const { clock, queue, dispatcher } = stage((time) => {
      const driver = memoryDriver({ clock: time });
      driver.nack = () => new Promise(() => {});
      return createQueue(driver, { clock: time });
    });
    dispatcher.on('test', () => new Promise(() => {}));
    await dispatcher.start();
    await queue.push(event(1));
    await clock.settle();
    const stopping = dispatcher.stop({ deadlineMs: 10 });
    await clock.advance(10);
    await clock.advance(1000);
    expect(await stopping).toEqual({ completed: 0, returned: 0, abandoned: 1, deadLetters: 0 });
  });
});

describe('a queue whose pop fails', () => {
  test('is told, and tried again after growing pauses, without a tight loop, until it works', async () => {
    const [, make] = queues[1] ?? [];
    if (make === undefined) throw new Error('expected a queue of a driver');
    let failures = 4;
    let calls = 0;
    const { clock, dispatcher, errors } = stage((time, capacity) => {
      const queue = make(time, capacity);
      const pop = queue.popMany.bind(queue);
      queue.popMany = (...args) => {
        calls++;
        return failures-- > 0 ? Promise.reject(new Error('down')) : pop(...args);
      };
      return queue;
    });
    let handled = 0;
    dispatcher.on('test', () => void handled++);
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    await clock.advance(99);
    expect(calls).toBe(1);
    await clock.advance(1 + 200 + 400 + 799);
    expect(calls).toBe(4);
    await clock.advance(1);
    expect(handled).toBe(1);
    expect(errors).toEqual(Array.from({ length: 4 }, () => 'pop down'));
    const stopping = dispatcher.stop();
    await clock.settle();
    await stopping;
  });
});

describe('a dispatcher that opens its queue itself', () => {
  test('stop() closes it, and reports what is gone with it', async () => {
    const dispatcher = createDispatcher('channel://?capacity=10');
    await dispatcher.dispatch(event(1));
    await dispatcher.dispatch(event(2));
    const queue = await dispatcher.queue();
    expect(queue.capacity).toBe(10);
    expect(await dispatcher.stop()).toEqual({ completed: 0, returned: 0, abandoned: 2, deadLetters: 0 });
    await expect(queue.size()).rejects.toMatchObject({ code: 'NQ_CLOSED' });
  });

  test('stop() reports how many dead letters are gone with it', async () => {
    const dispatcher = createDispatcher(10, { retry: { maxAttempts: 1, inPlace: 0 }, onError: () => {} });
    dispatcher.on('test', () => Promise.reject(new Error('no')));
    await dispatcher.start();
    for (const data of [1, 2]) await dispatcher.dispatch(event(data));
    await dispatcher.drain();
    expect(await dispatcher.stop()).toEqual({ completed: 0, returned: 0, abandoned: 0, deadLetters: 2 });
  });

  test.each([
    [5, 5],
    [{ type: 'channel', bufferSize: 7, extra: { leaseMs: 50 } }, 7],
    ['channel:?capacity=9', 9],
  ])('opens %j', async (source, capacity) => {
    const dispatcher = createDispatcher(source);
    let handled = 0;
    dispatcher.on('test', () => void handled++);
    void dispatcher.start(2);
    await dispatcher.dispatch(event(1));
    await dispatcher.drain();
    expect(handled).toBe(1);
    expect((await dispatcher.queue()).capacity).toBe(capacity);
    await dispatcher.stop();
  });

  test('says what is wrong with its source: at once, or when it is opened', async () => {
    expect(() => createDispatcher(-1)).toThrow(RangeError);
    expect(() => createDispatcher(null as never)).toThrow(TypeError);
    expect(() => createDispatcher({ queue: {} } as never)).toThrow(TypeError);
    expect(() => createDispatcher(channelQueue() as never)).toThrow('a queue is given as { queue }');
    expect(() => createDispatcher('no url')).toThrow(expect.objectContaining({ code: 'NQ_CONFIG' }));
    expect(() => createDispatcher({ type: 'channel', size: 5 } as never)).toThrow(
      expect.objectContaining({ code: 'NQ_CONFIG' }),
    );
    const dispatcher = createDispatcher('channel://?capacty=5');
    const wrong = { code: 'NQ_CONFIG', message: expect.stringContaining('unknown URL parameter "capacty"') };
    await expect(dispatcher.start()).rejects.toMatchObject(wrong);
    await expect(dispatcher.dispatch(event(1))).rejects.toMatchObject(wrong);
    expect(await dispatcher.stop()).toEqual({ completed: 0, returned: 0, abandoned: 0, deadLetters: 0 });
  });

  test('can be started again after stop(), on a new queue', async () => {
    const dispatcher = createDispatcher(10);
    let handled = 0;
    dispatcher.on('test', () => void handled++);
    await dispatcher.start();
    const first = await dispatcher.queue();
    await dispatcher.stop();
    await dispatcher.start();
    expect(await dispatcher.queue()).not.toBe(first);
    await dispatcher.dispatch(event(1));
    await dispatcher.drain();
    expect(handled).toBe(1);
    await dispatcher.stop();
  });

  test('closes the queue after a handler that has called stop() has ended', async () => {
    const dispatcher = createDispatcher(10);
    const called = deferred();
    dispatcher.on('test', async () => {
      called.resolve();
      await dispatcher.stop();
    });
    await dispatcher.start();
    const queue = await dispatcher.queue();
    await dispatcher.dispatch(event(1));
    await called.promise;
    for await (const _ of queue) throw new Error('expected no event any more');
    expect(await dispatcher.stats()).toMatchObject({ handled: 1 });
  });
});
