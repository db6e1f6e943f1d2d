import { createDispatcher, deadLetter, type HandlerContext, retryAfter } from '@nq/core';
import { virtualClock } from '@nq/core/testing';
import { describe, expect, test } from 'vitest';
import { deferred, event, queues, stage } from './dispatcher-support.ts';
import { stateOf } from './support.ts';

describe.each(queues)('a dispatcher on %s', (_, make) => {
  describe('handling', () => {
    test('calls the handler of the type with the event, and acknowledges it when the handler is done', async () => {
      const { clock, queue, dispatcher } = stage(make);
      const seen: unknown[] = [];
      dispatcher.on('a', (one) => void seen.push(['a', one.data]));
      dispatcher.on('b', async (one) => void seen.push(['b', one.data]));
      await dispatcher.start(2);
      await dispatcher.dispatch(event(1, 'a'));
      await dispatcher.dispatch(event(2, 'b'));
      await clock.settle();
      expect(seen).toEqual([
        ['a', 1],
        ['b', 2],
      ]);
      expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0 });
      expect(await dispatcher.stats()).toMatchObject({ handled: 2, failed: 0, running: 0, workers: 2 });
    });

    test('keeps the event in flight until an asynchronous handler has ended', async () => {
      const { clock, queue, dispatcher } = stage(make);
      const work = deferred();
      dispatcher.on('test', () => work.promise);
      await dispatcher.start();
      await dispatcher.dispatch(event(1));
      await clock.settle();
      expect(await queue.size()).toMatchObject({ inFlight: 1 });
      work.resolve();
      await clock.settle();
      expect(await queue.size()).toMatchObject({ inFlight: 0, ready: 0 });
    });

    test('runs several handlers of a type one after the other, in the order of registration', async () => {
      const { clock, dispatcher } = stage(make);
      const order: number[] = [];
      const work = deferred();
      dispatcher.on('test', () => void order.push(1));
      dispatcher.on('test', async () => {
        await work.promise;
        order.push(2);
      });
      dispatcher.on('test', () => void order.push(3));
      await dispatcher.start();
      await dispatcher.dispatch(event(1));
      await clock.settle();
      expect(order).toEqual([1]);
      work.resolve();
      await clock.settle();
      expect(order).toEqual([1, 2, 3]);
      expect(await dispatcher.stats()).toMatchObject({ handled: 1 });
    });

    test('runs no more handlers at once than there are workers, and as many; their number can change', async () => {
      const { clock, dispatcher } = stage(make);
      let running = 0;
      const gates: (() => void)[] = [];
      dispatcher.on('test', async () => {
        running++;
        await new Promise<void>((resolve) => gates.push(resolve));
        running--;
      });
      await dispatcher.start(3);
      for (let index = 0; index < 20; index++) await dispatcher.dispatch(event(index));
      await clock.settle();
      expect(running).toBe(3);
      await dispatcher.start(5);
      await clock.settle();
      expect(running).toBe(5);
      await dispatcher.start(1);
      gates.splice(0).forEach((open) => open());
      await clock.settle();
      expect(running).toBe(1);
      while (gates.length > 0) {
        gates.splice(0).forEach((open) => open());
        await clock.settle();
      }
      expect(await dispatcher.stats()).toMatchObject({ handled: 20 });
    });

    test('takes no more deliveries than it has free workers, so that another dispatcher gets work', async () => {
      const { clock, queue, dispatcher } = stage(make);
      dispatcher.on('test', () => new Promise(() => {}));
      await dispatcher.start(2);
      for (let index = 0; index < 5; index++) await dispatcher.dispatch(event(index));
      await clock.settle();
      expect(await queue.size()).toMatchObject({ inFlight: 2, ready: 3 });
    });

    test('knows for how long an event has waited, and which attempt it is', async () => {
      const { clock, dispatcher } = stage(make);
      const contexts: Pick<HandlerContext, 'attempt' | 'retry' | 'waitedMs'>[] = [];
      dispatcher.on('test', (_event, { attempt, retry, waitedMs }) => void contexts.push({ attempt, retry, waitedMs }));
      await dispatcher.dispatch(event(1));
      await clock.advance(40);
      await dispatcher.start();
      await clock.settle();
      expect(contexts).toEqual([{ attempt: 1, retry: 0, waitedMs: 40 }]);
      const { timeInQueueMs } = await dispatcher.stats();
      expect(timeInQueueMs).toMatchObject({ count: 1, p50: 40, max: 40 });
    });

    test('a handler that was removed is not called any more, and its twin is', async () => {
      const { clock, dispatcher } = stage(make);
      let calls = 0;
      const handler = () => void calls++;
      const remove = dispatcher.on('test', handler);
      dispatcher.on('test', handler);
      remove();
      remove();
      await dispatcher.start();
      await dispatcher.dispatch(event(1));
      await clock.settle();
      expect(calls).toBe(1);
    });

    test('a thenable that calls back twice settles its event once', async () => {
      const { clock, dispatcher, errors } = stage(make);
      dispatcher.on('test', () => ({
        // oxlint-disable-next-line no-thenable -- a hostile one is the subject
        then(resolve: (value?: unknown) => void, reject: (reason: unknown) => void) {
          resolve();
          resolve();
          reject(new Error('late'));
        },
      }));
      await dispatcher.start();
      await dispatcher.dispatch(event(1));
      await dispatcher.dispatch(event(2));
      await clock.settle();
      expect(await dispatcher.stats()).toMatchObject({ handled: 2, failed: 0 });
      expect(errors).toEqual([]);
    });
  });

  describe('failure', () => {
    test.each([
      [
        'throws',
        () => {
          throw new Error('no');
        },
        'handle no',
      ],
      ['rejects', () => Promise.reject(new Error('no')), 'handle no'],
      [
        'throws what is no Error',
        () => {
          throw 'text';
        },
        'handle text',
      ],
      ['rejects with undefined', () => Promise.reject(), 'handle undefined'],
    ])('of a handler that %s gives the event back, and the next attempt may do it', async (_name, fail, told) => {
      const { clock, queue, dispatcher, errors } = stage(make);
      const attempts: number[] = [];
      dispatcher.on('test', (_event, { attempt }) => {
        attempts.push(attempt);
        return attempt < 3 ? fail() : undefined;
      });
      await dispatcher.start();
      await dispatcher.dispatch(event(1));
      await clock.settle();
      expect(await queue.size()).toMatchObject({ delayed: 1, inFlight: 0 });
      await clock.advance(999);
      expect(attempts).toEqual([1]);
      await clock.advance(1);
      expect(attempts).toEqual([1, 2]);
      await clock.advance(2000);
      expect(attempts).toEqual([1, 2, 3]);
      expect(errors).toEqual([told, told]);
      expect(await dispatcher.stats()).toMatchObject({ handled: 1, failed: 2, retried: 2 });
    });

    test('is first tried again in place, with growing delays, from the handler that failed', async () => {
      const { clock, dispatcher } = stage(make, { retry: { inPlace: 2, inPlaceDelayMs: 10 } });
      const calls: string[] = [];
      dispatcher.on('test', () => void calls.push('first'));
      dispatcher.on('test', (_event, { attempt, retry }) => {
        calls.push(`second ${attempt}.${retry}`);
        if (attempt === 1) throw new Error('no');
      });
      await dispatcher.start();
      await dispatcher.dispatch(event(1));
      await clock.advance(9);
      expect(calls).toEqual(['first', 'second 1.0']);
      await clock.advance(1);
      expect(calls).toEqual(['first', 'second 1.0', 'second 1.1']);
      await clock.advance(20);
      expect(calls).toEqual(['first', 'second 1.0', 'second 1.1', 'second 1.2']);
      await clock.advance(1000);
      expect(calls.slice(4)).toEqual(['first', 'second 2.0']);
      expect(await dispatcher.stats()).toMatchObject({ handled: 1, failed: 3, retried: 3 });
    });

    test('of the last attempt makes the event a dead letter with the reason', async () => {
      const { clock, queue, dispatcher } = stage(make, { retry: { maxAttempts: 2 } });
      dispatcher.on('test', () => {
        throw new TypeError('never');
      });
      await dispatcher.start();
      await dispatcher.dispatch(event('bad'));
      await clock.advance(1000);
      expect(await queue.deadLetters.list()).toMatchObject([
        { event: { data: 'bad' }, attempts: 2, reason: 'TypeError: never' },
      ]);
      expect(await queue.size()).toMatchObject({ ready: 0, delayed: 0, inFlight: 0 });
      expect(await dispatcher.stats()).toMatchObject({ deadLettered: 1, failed: 2, handled: 0 });
    });

    test('does not hold the worker while the event waits in the queue', async () => {
      const { clock, dispatcher } = stage(make);
      const seen: unknown[] = [];
      dispatcher.on('test', (one, { attempt }) => {
        if (one.data === 'bad' && attempt === 1) throw new Error('no');
        seen.push(one.data);
      });
      await dispatcher.start(1);
      await dispatcher.dispatch(event('bad'));
      await dispatcher.dispatch(event('good'));
      await clock.settle();
      expect(seen).toEqual(['good']);
      await clock.advance(1000);
      expect(seen).toEqual(['good', 'bad']);
    });

    test('of an onError that throws changes nothing', async () => {
      const { clock, dispatcher } = stage(make, {
        onError: () => {
          throw new Error('hook');
        },
      });
      dispatcher.on('test', (_event, { attempt }) => (attempt === 1 ? Promise.reject(new Error('no')) : undefined));
      await dispatcher.start();
      await dispatcher.dispatch(event(1));
      await clock.advance(1000);
      expect(await dispatcher.stats()).toMatchObject({ handled: 1 });
    });
  });

  describe('outcomes', () => {
    test('retryAfter() brings the event back after its delay, whatever the number of attempts', async () => {
      const { clock, dispatcher, errors } = stage(make, { retry: { maxAttempts: 1 } });
      const attempts: number[] = [];
      dispatcher.on('test', async (_event, { attempt }) => {
        attempts.push(attempt);
        return attempt < 4 ? retryAfter(500) : undefined;
      });
      await dispatcher.start();
      await dispatcher.dispatch(event(1));
      await clock.advance(499);
      expect(attempts).toEqual([1]);
      await clock.advance(1001);
      expect(attempts).toEqual([1, 2, 3, 4]);
      expect(errors).toEqual([]);
      expect(await dispatcher.stats()).toMatchObject({ handled: 1, retried: 3, failed: 0 });
    });

    test('deadLetter() gives the event up at once, and the handlers after it do not run', async () => {
      const { clock, queue, dispatcher } = stage(make);
      let ran = false;
      dispatcher.on('test', () => deadLetter('no such account'));
      dispatcher.on('test', () => void (ran = true));
      await dispatcher.start();
      await dispatcher.dispatch(event(1));
      await clock.settle();
      expect(await queue.deadLetters.list()).toMatchObject([{ attempts: 1, reason: 'no such account' }]);
      expect(ran).toBe(false);
    });

    test('are refused when they make no sense', () => {
      expect(() => retryAfter(-1)).toThrow(new RangeError('Cannot retry: ms must be >= 0, got -1'));
      expect(() => retryAfter(Infinity)).toThrow(RangeError);
      expect(() => deadLetter(5 as never)).toThrow(TypeError);
    });
  });

  describe('an event of an unknown type', () => {
    test('is never acknowledged: it comes back, can be handled later, and is a dead letter in the end', async () => {
      const { clock, queue, dispatcher, errors } = stage(make, { retry: { maxAttempts: 3 } });
      await dispatcher.start();
      await dispatcher.dispatch(event(1, 'late'));
      await dispatcher.dispatch(event(2, 'never'));
      await clock.settle();
      expect(await queue.size()).toMatchObject({ delayed: 2 });
      let handled = 0;
      dispatcher.on('late', () => void handled++);
      await clock.advance(3000);
      expect(handled).toBe(1);
      expect(await queue.deadLetters.list()).toMatchObject([{ event: { type: 'never' }, attempts: 3 }]);
      expect(errors).toEqual(Array.from({ length: 4 }, () => 'handle NQ_NO_HANDLER'));
      expect(await dispatcher.stats()).toMatchObject({ unknownType: 4, deadLettered: 1, handled: 1, failed: 0 });
    });
  });

  describe('onUnknownType()', () => {
    test('registers a handler for every type that has none of its own, inside the middleware', async () => {
      const { clock, dispatcher } = stage(make);
      const seen: string[] = [];
      dispatcher.use((_event, _context, next) => (seen.push('middleware'), next()));
      dispatcher.on('a', () => void seen.push('own a'));
      const remove = dispatcher.onUnknownType(({ type }) => void seen.push(`unknown ${type}`));
      await dispatcher.start();
      for (const type of ['a', 'b', 'c']) await dispatcher.dispatch(event(1, type));
      await clock.settle();
      expect(seen).toEqual(['middleware', 'own a', 'middleware', 'unknown b', 'middleware', 'unknown c']);
      expect(await dispatcher.stats()).toMatchObject({ handled: 3, unknownType: 0 });
      remove();
      await dispatcher.dispatch(event(1, 'b'));
      await clock.settle();
      expect(await dispatcher.stats()).toMatchObject({ handled: 3, unknownType: 1 });
    });

    test('and on() for the type afterwards takes its place', async () => {
      const { clock, dispatcher } = stage(make);
      const seen: string[] = [];
      dispatcher.onUnknownType(() => void seen.push('unknown'));
      await dispatcher.start();
      await dispatcher.dispatch(event(1, 'b'));
      await clock.settle();
      const remove = dispatcher.on('b', () => void seen.push('own'));
      await dispatcher.dispatch(event(1, 'b'));
      await clock.settle();
      remove();
      await dispatcher.dispatch(event(1, 'b'));
      await clock.settle();
      expect(seen).toEqual(['unknown', 'own', 'unknown']);
    });
  });

  describe('handlerTimeoutMs', () => {
    test('bounds a handler that never returns: its signal aborts, the event is retried, the worker is free', async () => {
      const { clock, dispatcher, errors } = stage(make, { handlerTimeoutMs: 1600 });
      const signals: AbortSignal[] = [];
      dispatcher.on('test', (_event, { attempt, signal }) => {
        signals.push(signal);
        return attempt === 1 ? new Promise(() => {}) : undefined;
      });
      await dispatcher.start(1);
      await dispatcher.dispatch(event(1));
      await clock.advance(1600);
      expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
      await clock.advance(100);
      expect(signals[0]?.reason).toMatchObject({ code: 'NQ_HANDLER_TIMEOUT' });
      expect(errors).toEqual(['handle NQ_HANDLER_TIMEOUT']);
      expect(await dispatcher.stats()).toMatchObject({ running: 0, timedOut: 1, failed: 1 });
      await clock.advance(1000);
      expect(await dispatcher.stats()).toMatchObject({ handled: 1 });
    });

    test('a handler that ends after its time has no say any more', async () => {
      const { clock, queue, dispatcher } = stage(make, { handlerTimeoutMs: 1600 });
      const works = [deferred(), deferred()];
      dispatcher.on('test', (_event, { attempt }) => works[attempt - 1]?.promise);
      await dispatcher.start(1);
      await dispatcher.dispatch(event(1));
      await clock.advance(1700);
      await clock.advance(1000);
      works[0]?.resolve();
      await clock.settle();
      expect(await queue.size()).toMatchObject({ inFlight: 1 });
      expect(await dispatcher.stats()).toMatchObject({ handled: 0, running: 1 });
      works[1]?.resolve();
      await clock.settle();
      expect(await dispatcher.stats()).toMatchObject({ handled: 1, running: 0 });
    });

    test('counts each run in place anew, and not the pause between them', async () => {
      const { clock, dispatcher } = stage(make, {
        handlerTimeoutMs: 1600,
        retry: { inPlace: 1, inPlaceDelayMs: 5000 },
      });
      const second = deferred();
      dispatcher.on('test', (_event, { retry }) => (retry === 0 ? Promise.reject(new Error('no')) : second.promise));
      await dispatcher.start();
      await dispatcher.dispatch(event(1));
      await clock.advance(5000);
      await clock.advance(1500);
      second.resolve();
      await clock.settle();
      expect(await dispatcher.stats()).toMatchObject({ handled: 1, timedOut: 0 });
    });
  });

  describe('leases', () => {
    test('of long work are renewed until the handler ends', async () => {
      const { clock, queue, dispatcher } = stage(make, { handlerTimeoutMs: Infinity });
      const work = deferred();
      let runs = 0;
      dispatcher.on('test', () => {
        runs++;
        return work.promise;
      });
      await dispatcher.start(2);
      await dispatcher.dispatch(event(1));
      for (let second = 0; second < 60; second++) await clock.advance(1000);
      expect(runs).toBe(1);
      expect(await queue.size()).toMatchObject({ inFlight: 1 });
      work.resolve();
      await clock.settle();
      expect(await dispatcher.stats()).toMatchObject({ handled: 1, unsettled: 0 });
    });
  });

  describe('middleware', () => {
    test('wraps the handlers of every event, the first one outermost, and sees what they throw', async () => {
      const { clock, dispatcher } = stage(make);
      const steps: string[] = [];
      dispatcher.use(async (one, _context, next) => {
        steps.push(`outer ${one.data} in`);
        await next().catch((error: Error) => {
          steps.push(`outer saw ${error.message}`);
          throw error;
        });
        steps.push('outer out');
      });
      dispatcher.use(async (_event, _context, next) => {
        steps.push('inner in');
        await next();
      });
      dispatcher.on('test', (_event, { attempt }) => {
        steps.push('handler');
        if (attempt === 1) throw new Error('no');
      });
      await dispatcher.start();
      await dispatcher.dispatch(event(1));
      await clock.settle();
      expect(steps.splice(0)).toEqual(['outer 1 in', 'inner in', 'handler', 'outer saw no']);
      await clock.advance(1000);
      expect(steps).toEqual(['outer 1 in', 'inner in', 'handler', 'outer out']);
      expect(await dispatcher.stats()).toMatchObject({ handled: 1, failed: 1 });
    });

    test('learns from next() what outcome a handler, or a middleware inside, has returned', async () => {
      const { clock, dispatcher } = stage(make);
      const seen: unknown[] = [];
      dispatcher.use(async (_event, _context, next) => void seen.push((await next())?.kind));
      dispatcher.use((one, _context, next) => (one.data === 'refuse' ? deadLetter('refused') : next()));
      dispatcher.on('test', (one) => (one.data === 'later' ? retryAfter(60_000) : 'done'));
      await dispatcher.start();
      for (const data of ['refuse', 'later', 'fine']) await dispatcher.dispatch(event(data));
      await clock.settle();
      expect(seen).toEqual(['dead-letter', 'retry', undefined]);
    });

    test('that does not call next() stands for the handlers; an outcome passes through it and can be its own', async () => {
      const { clock, queue, dispatcher } = stage(make);
      let handled = 0;
      dispatcher.use((one, _context, next) => (one.data === 'skip' ? undefined : next()));
      dispatcher.use((one, _context, next) => (one.data === 'refuse' ? deadLetter('refused') : next()));
      dispatcher.on('test', (one) => {
        handled++;
        return one.data === 'up' ? deadLetter('given up') : undefined;
      });
      await dispatcher.start();
      for (const data of ['skip', 'refuse', 'up', 'fine']) await dispatcher.dispatch(event(data));
      await clock.settle();
      expect(handled).toBe(2);
      const reasons = (await queue.deadLetters.list()).map(({ reason }) => reason);
      expect(reasons).toEqual(['refused', 'given up']);
      expect(await dispatcher.stats()).toMatchObject({ handled: 2, deadLettered: 2 });
    });
  });

  describe('a deadLetterQueue', () => {
    test('gets the event with reason and attempts, and only then is it acknowledged', async () => {
      const letters = make(virtualClock(), 10);
      const { clock, queue, dispatcher } = stage(make, { retry: { maxAttempts: 1 }, deadLetterQueue: letters });
      dispatcher.on('test', () => {
        throw new Error('no');
      });
      await dispatcher.start();
      await dispatcher.dispatch({ ...event(1), headers: { trace: 'x' } });
      await clock.settle();
      const letter = await letters.pop();
      expect(letter?.event).toMatchObject({
        data: 1,
        headers: { trace: 'x', nqreason: 'Error: no', nqattempts: '1' },
      });
      expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0 });
    });

    test('that cannot take the event does not lose it: it is kept, told, and tried again', async () => {
      const letters = make(virtualClock(), 10);
      await letters.close();
      const { clock, queue, dispatcher, errors } = stage(make, {
        retry: { maxAttempts: 1, maxDelayMs: 5000 },
        deadLetterQueue: letters,
      });
      dispatcher.on('test', () => {
        throw new Error('no');
      });
      await dispatcher.start();
      await dispatcher.dispatch(event(1));
      await clock.settle();
      expect(errors).toEqual(['handle no', 'dead-letter NQ_CLOSED']);
      expect(await queue.size()).toMatchObject({ delayed: 1 });
      expect(await dispatcher.stats()).toMatchObject({ kept: 1, deadLettered: 0 });
      await clock.advance(5000);
      expect(await dispatcher.stats()).toMatchObject({ kept: 2 });
    });
  });

  describe('schemas', () => {
    const isNumber = {
      '~standard': {
        version: 1 as const,
        validate: (value: unknown) =>
          typeof value === 'number'
            ? { value: value * 2 }
            : { issues: [{ message: `bad ${String(value)}`, path: ['n'] }] },
      },
    };

    test('refuse wrong data at dispatch, before anything happens and without telling the data', async () => {
      const { queue, dispatcher } = stage(make, { schemas: { test: isNumber } });
      const refused = dispatcher.dispatch(event('secret'));
      await expect(refused).rejects.toMatchObject({
        code: 'NQ_PAYLOAD',
        message: 'The data of an event of type "test" does not fit its schema at data.n',
      });
      expect((await queue.size()).ready).toBe(0);
    });

    test('give handlers what they make of the data; wrong data from the queue is a dead letter', async () => {
      const { clock, queue, dispatcher } = stage(make, { schemas: { test: isNumber } });
      const seen: unknown[] = [];
      dispatcher.on('test', (one) => void seen.push(one.data));
      await dispatcher.start();
      await dispatcher.dispatch(event(21));
      await queue.push(event('wrong'));
      await clock.settle();
      expect(seen).toEqual([42]);
      expect(await queue.deadLetters.count()).toBe(1);
    });
  });

  describe('stats()', () => {
    test('tells what is ready, in flight, delayed and running', async () => {
      const { clock, dispatcher } = stage(make);
      dispatcher.on('fails', () => Promise.reject(new Error('no')));
      dispatcher.on('waits', () => new Promise(() => {}));
      await dispatcher.start(2);
      await dispatcher.dispatch(event(1, 'fails'));
      await clock.settle();
      for (let index = 0; index < 5; index++) await dispatcher.dispatch(event(index, 'waits'));
      await clock.settle();
      expect(await dispatcher.stats()).toMatchObject({ ready: 3, inFlight: 2, delayed: 1, running: 2, workers: 2 });
    });

    test('measures how long handlers take, runs in place included', async () => {
      const { clock, dispatcher } = stage(make, { retry: { inPlace: 1, inPlaceDelayMs: 100 } });
      dispatcher.on('test', async (_event, { retry }) => {
        await new Promise<void>((end) => clock.schedule(end, 50));
        if (retry === 0) throw new Error('no');
      });
      await dispatcher.start();
      await dispatcher.dispatch(event(1));
      await clock.advance(300);
      const { handlerMs } = await dispatcher.stats();
      expect(handlerMs).toMatchObject({ count: 1, max: 200 });
      expect(handlerMs.p50).toBeLessThanOrEqual(200);
      expect(handlerMs.p50).toBeGreaterThan(200 / 1.07);
    });

    test('measures one event in sampleEvery, and the first of what comes together', async () => {
      const { clock, dispatcher } = stage(make, { sampleEvery: 7 });
      dispatcher.on('test', () => {});
      for (let index = 0; index < 33; index++) await dispatcher.dispatch(event(index));
      await dispatcher.start(100);
      await clock.settle();
      // Rounded up to 8: the events 0, 8, 16, 24 and 32, and the first is event 0.
      expect((await dispatcher.stats()).timeInQueueMs.count).toBe(5);
    });
  });

  test('events that failed together do not come back together: chance shortens their delays', async () => {
    const { clock, dispatcher } = stage(make, { retry: { delayMs: 1000, jitter: 0.5 } });
    const times: number[] = [];
    dispatcher.on('test', (_event, { attempt }) => {
      if (attempt === 1) throw new Error('no');
      times.push(clock.now());
    });
    await dispatcher.start();
    for (let index = 0; index < 20; index++) await dispatcher.dispatch(event(index));
    for (let step = 0; step < 110; step++) await clock.advance(10);
    expect(times).toHaveLength(20);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...times)).toBeLessThanOrEqual(1000);
    expect(new Set(times).size).toBeGreaterThan(10);
  });

  describe('start()', () => {
    test('refuses a number of workers that is none', async () => {
      const { dispatcher } = stage(make);
      for (const workers of [0, -1, 1.5]) await expect(dispatcher.start(workers)).rejects.toBeInstanceOf(RangeError);
      await expect(dispatcher.start('2' as never)).rejects.toBeInstanceOf(TypeError);
    });

    test('handles what was dispatched before', async () => {
      const { clock, dispatcher } = stage(make);
      let handled = 0;
      dispatcher.on('test', () => void handled++);
      for (let index = 0; index < 10; index++) await dispatcher.dispatch(event(index));
      await dispatcher.start(2);
      await clock.settle();
      expect(handled).toBe(10);
    });
  });

  describe('drain()', () => {
    test('resolves when everything is handled, delayed retries too', async () => {
      const { clock, dispatcher } = stage(make);
      dispatcher.on('test', (_event, { attempt }) => (attempt === 1 ? Promise.reject(new Error('no')) : undefined));
      await dispatcher.start();
      await dispatcher.dispatch(event(1));
      const drained = dispatcher.drain();
      await clock.advance(900);
      expect(await stateOf(drained)).toBe('pending');
      await clock.advance(200);
      expect(await stateOf(drained)).toBe('resolved');
      await dispatcher.drain();
    });

    test('rejects when its time is over, or its signal aborts', async () => {
      const { clock, dispatcher } = stage(make);
      await dispatcher.dispatch(event(1));
      const late = dispatcher.drain({ timeoutMs: 100 });
      const controller = new AbortController();
      const aborted = dispatcher.drain({ signal: controller.signal });
      const ends = Promise.allSettled([late, aborted]);
      controller.abort(new Error('enough'));
      await clock.advance(200);
      expect(await ends).toMatchObject([{ reason: { code: 'NQ_TIMEOUT' } }, { reason: { message: 'enough' } }]);
    });
  });

  test('a time-out of any length, and options of any kind, are checked before anything happens', () => {
    const { queue } = stage(make);
    for (const [options, message] of [
      [
        { onFull: 'explode' },
        'onFull must be one of wait, reject, drop-newest, drop-oldest, run-inline, got "explode"',
      ],
      [{ handlerTimeoutMs: 0 }, 'handlerTimeoutMs must be >= 1, got 0'],
      [{ retry: { maxAttempts: 0 } }, 'retry.maxAttempts must be a whole number >= 1, got 0'],
      [{ retry: { jitter: 2 } }, 'retry.jitter must be <= 1, got 2'],
      [
        { retry: { delay: 5 } },
        'retry: unknown option "delay"; known are maxAttempts, inPlace, inPlaceDelayMs, delayMs, maxDelayMs, jitter',
      ],
      [
        { workers: 5 },
        'unknown option "workers"; known are onFull, onDrop, onError, handlerTimeoutMs, retry, deadLetterQueue, schemas, sampleEvery, clock',
      ],
      [{ clock: 5 }, 'clock must be a Clock, got 5'],
      [{ onError: 'log' }, 'onError must be a function, got "log"'],
      [{ deadLetterQueue: {} }, 'deadLetterQueue must be a MessageQueue, got an object'],
      [{ schemas: { a: {} } }, 'schemas["a"] must be a Standard Schema, got an object'],
    ] as const) {
      expect(() => createDispatcher({ queue }, options as never)).toThrow(`Cannot create a dispatcher: ${message}`);
    }
  });
});
