import { setTimeout as sleep } from 'node:timers/promises';
import { channelQueue } from '@nq/channel';
import { createDispatcher, createQueue, type MessageQueue, registerQueueType } from '@nq/core';
import { memoryDriver, virtualClock } from '@nq/core/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { deferred, event, queues, stage } from './dispatcher-support.ts';
import { stateOf } from './support.ts';

const undo: (() => void)[] = [];
afterEach(() => undo.splice(0).forEach((one) => one()));

/** Registers a queue type and counts what is opened and closed of it. */
function countedType(open: () => MessageQueue | Promise<MessageQueue> = () => channelQueue()) {
  const count = { opened: 0, closed: 0 };
  const remove = registerQueueType({
    type: 'counted',
    options: {},
    open: async () => {
      const queue = await open();
      count.opened++;
      const close = queue.close.bind(queue);
      queue.close = async (options) => {
        count.closed++;
        return close(options);
      };
      return queue;
    },
  });
  undo.push(remove);
  return count;
}

describe('stop()', () => {
  test.each(queues)('called right after start() has the last word (%s)', async (_, make) => {
    const { clock, queue, dispatcher } = stage(make);
    const starting = dispatcher.start().catch((error: unknown) => error);
    await dispatcher.stop();
    expect(await starting).toMatchObject({
      code: 'NQ_STOPPED',
      message: 'Cannot start: the dispatcher was stopped meanwhile',
    });
    await expect(dispatcher.dispatch(event(1))).rejects.toMatchObject({ code: 'NQ_STOPPED' });
    await queue.push(event(2));
    await clock.settle();
    expect(await queue.size()).toMatchObject({ ready: 1, inFlight: 0 });
    expect(await dispatcher.stats()).toMatchObject({ running: 0, workers: 0 });
  });

  test('called while the queue is being opened ends that start, and closes the queue', async () => {
    const count = countedType();
    const dispatcher = createDispatcher({ type: 'counted' });
    const starting = dispatcher.start();
    const stopping = dispatcher.stop();
    await expect(starting).rejects.toMatchObject({
      code: 'NQ_STOPPED',
      message: 'Cannot start: the dispatcher was stopped meanwhile',
    });
    await stopping;
    expect(count).toEqual({ opened: 1, closed: 1 });
  });

  test('settles although the queue never opens, and closes it if it opens late', async () => {
    const opened = deferred<MessageQueue>();
    const count = countedType(() => opened.promise);
    const clock = virtualClock();
    const dispatcher = createDispatcher({ type: 'counted' }, { clock });
    const dispatched = dispatcher.dispatch(event(1)).catch((error: unknown) => error);
    await clock.settle();
    const stopping = dispatcher.stop({ deadlineMs: 100 });
    await clock.advance(100);
    expect(await stopping).toEqual({ completed: 0, returned: 0, abandoned: 0, deadLetters: 0 });
    opened.resolve(channelQueue());
    expect(await dispatched).toMatchObject({ code: 'NQ_STOPPED' });
    await clock.settle();
    expect(count).toEqual({ opened: 1, closed: 1 });
    expect(clock.timers).toBe(0);
  });

  test('ends drain() and queue() with NQ_STOPPED instead of opening a queue that nobody closes', async () => {
    const count = countedType();
    const dispatcher = createDispatcher({ type: 'counted' });
    await dispatcher.start();
    await dispatcher.stop();
    await expect(dispatcher.drain()).rejects.toMatchObject({ code: 'NQ_STOPPED' });
    await expect(dispatcher.queue()).rejects.toMatchObject({ code: 'NQ_STOPPED' });
    expect(count).toEqual({ opened: 1, closed: 1 });
  });

  test('ends a dispatch() that still waits for its schema', async () => {
    const count = countedType();
    const checked = deferred();
    const schema = {
      '~standard': { version: 1 as const, validate: (value: unknown) => checked.promise.then(() => ({ value })) },
    };
    const dispatcher = createDispatcher({ type: 'counted' }, { schemas: { test: schema } });
    await dispatcher.start();
    const dispatched = dispatcher.dispatch(event(1)).catch((error: unknown) => error);
    await dispatcher.stop();
    checked.resolve();
    expect(await dispatched).toMatchObject({ code: 'NQ_STOPPED' });
    expect(count).toEqual({ opened: 1, closed: 1 });
  });

  test('and start() from within a handler: the new start works on a queue of its own', async () => {
    const count = countedType();
    const dispatcher = createDispatcher({ type: 'counted' });
    const restarted = deferred();
    const second = deferred();
    dispatcher.on('first', async () => {
      await dispatcher.stop();
      await dispatcher.start();
      restarted.resolve();
    });
    dispatcher.on('second', () => second.resolve());
    await dispatcher.start();
    await dispatcher.dispatch(event(1, 'first'));
    await restarted.promise;
    await stateOf(Promise.resolve());
    await dispatcher.dispatch(event(2, 'second'));
    await second.promise;
    await dispatcher.drain();
    expect(await dispatcher.stats()).toMatchObject({ handled: 2 });
    await dispatcher.stop();
    expect(count).toEqual({ opened: 2, closed: 2 });
  });

  test('called by a handler has it told when the queue cannot be closed afterwards', async () => {
    countedType(() => Object.assign(channelQueue(), { close: () => Promise.reject(new Error('stuck')) }));
    const told = deferred<unknown>();
    const dispatcher = createDispatcher({ type: 'counted' }, { onError: (error) => told.resolve(error) });
    dispatcher.on('test', async () => void (await dispatcher.stop()));
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    expect(await told.promise).toMatchObject({ message: 'stuck' });
  });

  test('called by a handler reports what is gone with the queue as well', async () => {
    const dispatcher = createDispatcher(10);
    const reported = deferred<unknown>();
    dispatcher.on('test', async () => reported.resolve(await dispatcher.stop()));
    await Promise.all([1, 2, 3].map((data) => dispatcher.dispatch(event(data))));
    await dispatcher.start(1);
    expect(await reported.promise).toEqual({ completed: 0, returned: 0, abandoned: 2, deadLetters: 0 });
  });

  test('called by a handler reports the dead letters that are gone with the queue, too', async () => {
    const dispatcher = createDispatcher(10, { retry: { maxAttempts: 1, inPlace: 0 }, onError: () => {} });
    const reported = deferred<unknown>();
    dispatcher.on('test', async (one) => {
      if (one.data === 'stops') reported.resolve(await dispatcher.stop());
      else throw new Error('no');
    });
    await dispatcher.start(1);
    await dispatcher.dispatch(event('fails'));
    await dispatcher.drain();
    await dispatcher.dispatch(event('stops'));
    expect(await reported.promise).toEqual({ completed: 0, returned: 0, abandoned: 0, deadLetters: 1 });
  });

  test.each([[true], [false]])(
    'counts nothing as gone with a queue that others hold, too (called by a handler: %s)',
    async (byHandler) => {
      const clock = virtualClock();
      countedType(() => {
        const driver = memoryDriver({ clock });
        const capabilities = { ...driver.capabilities, multiInstance: true };
        return createQueue(Object.defineProperty(driver, 'capabilities', { value: capabilities }), { clock });
      });
      const dispatcher = createDispatcher({ type: 'counted' }, { clock });
      const queue = await dispatcher.queue();
      await queue.pushMany([event('dead'), event('first'), event('left')]);
      await (await queue.pop())?.nack({ deadLetter: true });
      const reported = deferred<unknown>();
      dispatcher.on('test', async () => {
        if (!byHandler) return new Promise(() => {});
        return reported.resolve(await dispatcher.stop());
      });
      await dispatcher.start(1);
      await clock.settle();
      if (!byHandler) reported.resolve(dispatcher.stop({ deadlineMs: 10 }));
      await clock.advance(10);
      const report = { completed: 0, returned: byHandler ? 0 : 1, abandoned: 0, deadLetters: 0 };
      expect(await reported.promise).toEqual(report);
    },
  );

  test.each<[string, () => Promise<never>]>([
    ['has no answer', () => new Promise(() => {})],
    ['fails', () => Promise.reject(new Error('no'))],
  ])('called by a handler is answered although counting what the queue holds %s', async (_how, count) => {
    const clock = virtualClock();
    countedType(() => {
      const driver = memoryDriver({ clock });
      Object.assign(driver.deadLetters ?? {}, { count });
      return createQueue(driver, { clock });
    });
    const dispatcher = createDispatcher({ type: 'counted' }, { clock });
    const reported = deferred<unknown>();
    dispatcher.on('test', async () => reported.resolve(await dispatcher.stop()));
    await (await dispatcher.queue()).pushMany([event(1), event(2)]);
    await dispatcher.start(1);
    for (let second = 0; second < 3; second++) await clock.advance(1000);
    expect(await reported.promise).toEqual({ completed: 0, returned: 0, abandoned: 1, deadLetters: 0 });
  });

  test.each(queues)(
    'is recognised in a handler with a schema, behind a middleware, and second in line (%s)',
    async (_, make) => {
      const schema = { '~standard': { version: 1 as const, validate: (value: unknown) => ({ value }) } };
      const { clock, dispatcher } = stage(make, { schemas: { test: schema } });
      let report: unknown;
      dispatcher.use(async (_event, _context, next) => {
        await Promise.resolve();
        await next();
      });
      dispatcher.on('test', async () => {});
      dispatcher.on('test', async () => {
        report = await dispatcher.stop();
      });
      await dispatcher.start();
      await dispatcher.dispatch(event(1));
      await clock.settle();
      expect(report).toEqual({ completed: 0, returned: 0, abandoned: 0, deadLetters: 0 });
      expect(await dispatcher.stats()).toMatchObject({ handled: 1 });
    },
  );

  test('counts an event once although giving it back never ends', async () => {
    const clock = virtualClock();
    const driver = memoryDriver({ clock });
    driver.nack = () => new Promise(() => {});
    countedType(() => createQueue(driver, { clock }));
    const dispatcher = createDispatcher({ type: 'counted' }, { clock });
    const called = deferred();
    dispatcher.on('test', () => (called.resolve(), new Promise(() => {})));
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    await called.promise;
    const stopping = dispatcher.stop({ deadlineMs: 10 });
    for (let second = 0; second < 10; second++) await clock.advance(1000);
    expect(await stopping).toEqual({ completed: 0, returned: 0, abandoned: 1, deadLetters: 0 });
  });

  test('does not count an event that ran inline: whoever dispatched it is told', async () => {
    const { clock, queue, dispatcher } = stage((time) => channelQueue({ clock: time, capacity: 1 }), {
      onFull: 'run-inline',
    });
    dispatcher.on('test', () => new Promise(() => {}));
    await dispatcher.dispatch(event(1));
    const inline = dispatcher.dispatch(event(2)).catch((error: unknown) => error);
    await clock.settle();
    const stopping = dispatcher.stop({ deadlineMs: 10 });
    await clock.advance(10);
    expect(await stopping).toEqual({ completed: 0, returned: 0, abandoned: 0, deadLetters: 0 });
    expect(await inline).toMatchObject({ code: 'NQ_HANDLER_FAILED' });
    await queue.close();
  });

  test('gives back at once what fails while it waits, on a queue that cannot delay', async () => {
    const work = deferred();
    const { clock, queue, dispatcher } = stage(withoutDelay);
    dispatcher.on('test', () => work.promise);
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    await clock.settle();
    const stopping = dispatcher.stop();
    await clock.settle();
    work.reject(new Error('no'));
    await stopping;
    expect(await queue.size()).toMatchObject({ ready: 1, inFlight: 0 });
    await queue.close();
    await clock.settle();
    expect(clock.timers).toBe(0);
  });

  test('counts what was popped and not started as returned', async () => {
    const popped = deferred();
    const { clock, queue, dispatcher } = stage((time) => {
      const driver = memoryDriver({ clock: time });
      const pop = driver.pop.bind(driver);
      driver.pop = async (...args) => {
        const leases = await pop(...args);
        await popped.promise;
        return leases;
      };
      return createQueue(driver, { clock: time });
    });
    const popMany = queue.popMany.bind(queue);
    // As a queue would be that does not hear of the abort in time.
    queue.popMany = (max) => popMany(max);
    await queue.push(event(1));
    await dispatcher.start();
    await clock.settle();
    const stopping = dispatcher.stop();
    popped.resolve();
    await clock.settle();
    expect(await stopping).toEqual({ completed: 0, returned: 1, abandoned: 0, deadLetters: 0 });
  });
});

/** A queue that declares no delays. */
function withoutDelay(clock: ReturnType<typeof virtualClock>): MessageQueue {
  const driver = memoryDriver({ clock, leaseMs: 3000 });
  const capabilities = { ...driver.capabilities, nackDelay: false };
  return createQueue(Object.defineProperty(driver, 'capabilities', { value: capabilities }), { clock });
}

describe('a queue that cannot delay', () => {
  test('does not get a failed event back before its time, and keeps its lease until then', async () => {
    const { clock, dispatcher } = stage(withoutDelay, { retry: { delayMs: 10_000, maxAttempts: 2 } });
    const attempts: [number, number][] = [];
    dispatcher.on('test', (_event, { attempt }) => {
      attempts.push([attempt, clock.now()]);
      if (attempt === 1) throw new Error('no');
    });
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    for (let step = 0; step < 40; step++) await clock.advance(500);
    expect(attempts).toEqual([
      [1, 0],
      [2, 10_000],
    ]);
    expect(await dispatcher.stats()).toMatchObject({ handled: 1, unsettled: 0 });
  });

  test('that does not take an event back after its delay has that told', async () => {
    const { clock, queue, dispatcher, errors } = stage(withoutDelay, { retry: { delayMs: 1000 } });
    dispatcher.on('test', () => {
      throw new Error('no');
    });
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    await clock.settle();
    await queue.close();
    await clock.advance(1000);
    expect(errors).toEqual(['handle no', 'settle NQ_CLOSED']);
    expect(await dispatcher.stats()).toMatchObject({ unsettled: 1 });
  });
});

describe('an event that is being given up', () => {
  test('keeps its lease as long as the dead-letter queue takes, and becomes one dead letter', async () => {
    const clock = virtualClock();
    const queue = channelQueue({ clock, leaseMs: 2000 });
    const letters = channelQueue({ capacity: 1, clock });
    await letters.push(event('full'));
    const dispatcher = createDispatcher(
      { queue },
      { clock, deadLetterQueue: letters, retry: { maxAttempts: 1, inPlace: 0 } },
    );
    let runs = 0;
    dispatcher.on('test', () => {
      runs++;
      throw new Error('no');
    });
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    for (let step = 0; step < 25; step++) await clock.advance(200);
    await (await letters.pop())?.ack();
    await clock.settle();
    expect(runs).toBe(1);
    expect(await letters.size()).toMatchObject({ ready: 1 });
    expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0 });
  });
});

describe('opening', () => {
  test('that answers late does not answer in time only if it had the time: then drain() tells how much is left', async () => {
    const driver = memoryDriver();
    const size = driver.size.bind(driver);
    driver.size = async () => {
      // So the first one has its answer in time, and the second one cannot.
      await sleep(600);
      return size();
    };
    const queue = createQueue(driver);
    await queue.push(event('a'));
    const dispatcher = createDispatcher({ queue });
    const draining = dispatcher.drain({ timeoutMs: 1000 });
    await expect(draining).rejects.toMatchObject({ code: 'NQ_TIMEOUT', message: 'Cannot drain: 1 events are left' });
    await dispatcher.stop();
    await queue.close();
  });

  test('that hangs is bounded for dispatch() and drain() by their time and their signal', async () => {
    countedType(() => new Promise(() => {}));
    const clock = virtualClock();
    const dispatcher = createDispatcher({ type: 'counted' }, { clock });
    const calls = [
      dispatcher.dispatch(event(1), { timeoutMs: 100 }),
      dispatcher.dispatch(event(2), { signal: AbortSignal.abort(new Error('enough')) }),
      dispatcher.drain({ timeoutMs: 100 }),
    ];
    const ends = Promise.allSettled(calls);
    await clock.advance(100);
    expect(await ends).toMatchObject([
      { reason: { code: 'NQ_TIMEOUT' } },
      { reason: { message: 'enough' } },
      { reason: { code: 'NQ_TIMEOUT' } },
    ]);
  });

  test('that fails is told to everybody who waits, and tried again by the next call', async () => {
    let works = false;
    const count = countedType(() => {
      if (!works) throw new Error('down');
      return channelQueue();
    });
    const dispatcher = createDispatcher({ type: 'counted' });
    const ends = await Promise.allSettled([dispatcher.start(), dispatcher.dispatch(event(1))]);
    expect(ends).toMatchObject([{ reason: { message: 'down' } }, { reason: { message: 'down' } }]);
    works = true;
    expect(await dispatcher.dispatch(event(1))).toBe('queued');
    await dispatcher.stop();
    expect(count).toEqual({ opened: 1, closed: 1 });
  });
});
