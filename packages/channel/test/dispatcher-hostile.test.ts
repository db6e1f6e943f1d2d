import { channelQueue } from '@nq/channel';
import { createDispatcher, createQueue } from '@nq/core';
import { memoryDriver } from '@nq/core/testing';
import { describe, expect, test } from 'vitest';
import { deferred, event, queues, stage } from './dispatcher-support.ts';
import { stateOf } from './support.ts';

const odd = (message: unknown) => Object.defineProperty(new Error('x'), 'message', { value: message });
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const throwing = () => {
  throw new Error('trap');
};

describe.each(queues)('a dispatcher on %s', (_, make) => {
  test.each([
    ['an error whose message is an object without a form', () => odd(Object.create(null))],
    ['an error whose message is a symbol', () => odd(Symbol('s'))],
    ['an error whose message throws', () => Object.defineProperty(new Error('x'), 'message', { get: throwing })],
    ['a revoked Proxy', revoked],
    ['a frozen object', () => Object.freeze({})],
    ['null', () => null],
    ['a function whose toString throws', () => Object.assign(() => {}, { toString: throwing })],
  ])('survives a handler that throws %s, at once and later', async (_what, make_) => {
    const { clock, queue, dispatcher } = stage(make, { retry: { maxAttempts: 1 } });
    let fine = 0;
    dispatcher.on('at once', () => {
      throw make_();
    });
    dispatcher.on('later', async () => {
      throw make_();
    });
    dispatcher.on('fine', () => void fine++);
    await dispatcher.start(1);
    for (const type of ['at once', 'later', 'fine']) await dispatcher.dispatch(event(1, type));
    await clock.settle();
    expect(fine).toBe(1);
    expect(await dispatcher.stats()).toMatchObject({ handled: 1, failed: 2, deadLettered: 2, running: 0 });
    expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0 });
  });

  test('survives handlers that answer with what throws when it is looked at', async () => {
    const { clock, dispatcher } = stage(make, { retry: { maxAttempts: 1 } });
    const hostile = new Proxy({}, { get: throwing, getPrototypeOf: throwing, has: throwing });
    dispatcher.on('sync', () => hostile);
    // oxlint-disable-next-line no-thenable -- a hostile one is the subject
    dispatcher.on('async', () => ({ then: (resolve: (value: unknown) => void) => resolve(1) }));
    dispatcher.on('proxy of a promise', () => new Proxy(Promise.resolve(1), {}));
    dispatcher.on('traps', async () => [hostile]);
    await dispatcher.start(1);
    for (const type of ['sync', 'async', 'proxy of a promise', 'traps']) await dispatcher.dispatch(event(1, type));
    await clock.settle();
    expect(await dispatcher.stats()).toMatchObject({ handled: 2, failed: 2, deadLettered: 2, running: 0 });
  });

  test('settles an event once although its promise calls back twice', async () => {
    const { clock, dispatcher } = stage(make);
    class Twice<Value> extends Promise<Value> {
      // oxlint-disable-next-line no-thenable -- a hostile one is the subject
      override then(...args: Parameters<Promise<Value>['then']>): never {
        super.then(...args);
        super.then(...args);
        return undefined as never;
      }
    }
    const second = deferred();
    dispatcher.on('twice', () => Twice.resolve());
    dispatcher.on('waits', () => second.promise);
    await dispatcher.start(1);
    await dispatcher.dispatch(event(1, 'twice'));
    await dispatcher.dispatch(event(2, 'waits'));
    await clock.settle();
    expect(await dispatcher.stats()).toMatchObject({ handled: 1, running: 1 });
    second.resolve();
    await clock.settle();
    expect(await dispatcher.stats()).toMatchObject({ handled: 2, running: 0 });
  });

  test('takes the outcome of another installed copy of the package for what it is', async () => {
    const { clock, queue, dispatcher } = stage(make);
    dispatcher.on('test', () => ({
      [Symbol.for('@nq/outcome')]: true,
      kind: 'dead-letter',
      delayMs: 0,
      reason: 'theirs',
    }));
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    await clock.settle();
    expect(await queue.deadLetters.list()).toMatchObject([{ reason: 'theirs' }]);
  });

  test('fails an event whose middleware has not waited for the handler that fails', async () => {
    const { clock, dispatcher } = stage(make, { retry: { maxAttempts: 1 } });
    dispatcher.use((_event, _context, next) => void next());
    dispatcher.on('test', async () => {
      throw new Error('no');
    });
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    await clock.settle();
    expect(await dispatcher.stats()).toMatchObject({ handled: 0, failed: 1, deadLettered: 1 });
  });

  test('fails an event whose middleware calls next() twice, and runs its handler once', async () => {
    const { clock, queue, dispatcher } = stage(make, { retry: { maxAttempts: 1 } });
    let runs = 0;
    dispatcher.use(async (_event, _context, next) => {
      await next();
      await next();
    });
    dispatcher.on('test', () => void runs++);
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    await clock.settle();
    expect(runs).toBe(1);
    expect(await queue.deadLetters.list()).toMatchObject([
      { reason: 'TypeError: A middleware has called next() twice' },
    ]);
  });

  test('ignores hooks that fail later', async () => {
    const { clock, dispatcher } = stage(make, {
      retry: { maxAttempts: 1 },
      onError: (async () => {
        throw new Error('hook');
      }) as () => void,
    });
    dispatcher.on('test', () => {
      throw new Error('no');
    });
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    await clock.settle();
    expect(await dispatcher.stats()).toMatchObject({ deadLettered: 1 });
  });

  test('gives every handler its own runs in place', async () => {
    const { clock, dispatcher } = stage(make, { retry: { inPlace: 1, inPlaceDelayMs: 10 } });
    const runs: string[] = [];
    for (const name of ['a', 'b']) {
      dispatcher.on('test', (_event, { retry }) => {
        runs.push(`${name}${retry}`);
        if (retry === 0) throw new Error('no');
      });
    }
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    await clock.advance(20);
    expect(runs).toEqual(['a0', 'a1', 'b0', 'b1']);
    expect(await dispatcher.stats()).toMatchObject({ handled: 1, failed: 2 });
  });

  test('removes the registration that was asked for, of several of one handler', async () => {
    const { clock, dispatcher } = stage(make);
    const order: string[] = [];
    const a = () => void order.push('a');
    dispatcher.on('test', a);
    dispatcher.on('test', () => void order.push('b'));
    dispatcher.on('test', a)();
    await dispatcher.start();
    await dispatcher.dispatch(event(1));
    await clock.settle();
    expect(order).toEqual(['a', 'b']);
  });

  test.each(['wait', 'reject', 'drop-newest', 'drop-oldest', 'run-inline'] as const)(
    'refuses a misspelt option of dispatch() under onFull %s',
    async (onFull) => {
      const { queue, dispatcher } = stage(make, { onFull });
      const dispatched = dispatcher.dispatch(event(1), { timeout: 5 } as never);
      await expect(dispatched).rejects.toThrow('unknown option "timeout"');
      expect(await queue.size()).toMatchObject({ ready: 0 });
    },
  );

  test('waits under "drop-oldest" for the time it is given, and not for each try', async () => {
    const { clock, queue, dispatcher } = stage(make, { capacity: 1, onFull: 'drop-oldest' });
    await queue.push(event(1));
    await (await queue.pop())?.nack({ delayMs: 60_000 });
    const dispatched = dispatcher.dispatch(event(2), { timeoutMs: 100 }).catch((error: unknown) => error);
    await clock.advance(99);
    expect(await stateOf(dispatched)).toBe('pending');
    await clock.advance(60);
    expect(await dispatched).toMatchObject({ code: 'NQ_FULL' });
  });
});

describe('deliveries for which no worker is free any more', () => {
  test('are all given back, also if the first of them cannot be', async () => {
    const answer = deferred();
    let nacks = 0;
    const { clock, queue, dispatcher, errors } = stage((time) => {
      const driver = memoryDriver({ clock: time });
      const pop = driver.pop.bind(driver);
      const nack = driver.nack.bind(driver);
      driver.pop = async (...args) => {
        const leases = await pop(...args);
        await answer.promise;
        return leases;
      };
      driver.nack = async (returns) => {
        if (nacks++ === 0) throw new Error('down');
        return nack(returns);
      };
      return createQueue(driver, { clock: time });
    });
    dispatcher.on('test', () => new Promise(() => {}));
    for (let index = 0; index < 4; index++) await queue.push(event(index));
    await dispatcher.start(4);
    await clock.settle();
    await dispatcher.start(1);
    answer.resolve();
    await clock.settle();
    expect(await queue.size()).toMatchObject({ ready: 2, inFlight: 2 });
    expect(errors).toEqual(['settle NQ_BACKEND']);
  });
});

describe('callers that never let a turn of the event loop end', () => {
  test.each([
    ['a channel of capacity 0', () => channelQueue({ capacity: 0 })],
    ['a driver that answers at once', () => createQueue(memoryDriver())],
  ])('do not keep timers from running (%s)', async (_, open) => {
    const queue = open();
    const dispatcher = createDispatcher({ queue });
    dispatcher.on('test', () => {});
    await dispatcher.start(2);
    const timer = { over: false };
    setTimeout(() => (timer.over = true), 20);
    // Bounded, so that this ends also where it should not: a million events take seconds.
    for (let index = 0; index < 1_000_000 && !timer.over; index++) await dispatcher.dispatch(event(index));
    expect(timer.over).toBe(true);
    await dispatcher.stop();
    await queue.close();
  });
});
