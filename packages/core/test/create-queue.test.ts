import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createQueue, isNqError, isSynchronousQueue, type QueueDriver, type RewindPosition } from '../src/index.ts';
import { memoryDriver, virtualClock } from '../src/testing.ts';
import { event, openQueueOn, take } from './support/open-queue.ts';
import { rejection } from './support/promises.ts';

const sound = (): QueueDriver<string> => memoryDriver({ clock: virtualClock() });

/** A driver that lacks, or has otherwise, what `changes` says. */
function driverWith(changes: Record<string, unknown>): QueueDriver<string> {
  const driver = sound();
  const names = ['encode', 'push', 'pop', 'ack', 'nack', 'extend', 'size', 'classify', 'close'] as const;
  const methods = Object.fromEntries(names.map((name) => [name, driver[name]?.bind(driver as never)]));
  const { capabilities, capacity, deadLetters } = driver;
  return { ...methods, capabilities, capacity, deadLetters, ...changes } as never;
}

describe('createQueue()', () => {
  test('shows the capacity and the capabilities of the driver, frozen and the same at all times', async () => {
    const { queue, driver } = openQueueOn({ capacity: 7 });
    const { capabilities } = queue;
    expect(capabilities).toEqual(driver.capabilities);
    expect(queue.capacity).toBe(7);
    expect(Object.isFrozen(capabilities) && Object.isFrozen(capabilities.lease)).toBe(true);
    await queue.push(event('a'));
    await queue.close();
    expect(queue.capabilities).toBe(capabilities);
  });

  test('gives deliveries that can be logged as JSON: what a driver keeps in a receipt is none of theirs', async () => {
    const { queue } = openQueueOn();
    await queue.push(event('a'));
    const delivery = await take(queue);
    expect(JSON.parse(JSON.stringify(delivery))).toMatchObject({ attempt: 1, event: event('a') });
    expect(Object.keys(delivery)).not.toContain('receipt');
  });

  test('reads the capabilities once: the driver cannot change its mind', () => {
    const capabilities = { ...sound().capabilities };
    const queue = createQueue(driverWith({ capabilities }));
    Object.assign(capabilities, { nackDelay: false });
    expect(queue.capabilities.nackDelay).toBe(true);
  });

  test.for(['encode', 'push', 'pop', 'ack', 'nack', 'size', 'classify', 'close'])(
    'refuses a driver without %s()',
    (method) => {
      const create = () => createQueue(driverWith({ [method]: undefined }));
      expect(create).toThrow(TypeError);
      expect(create).toThrow(`Cannot create a queue: driver.${method} must be a function`);
    },
  );

  test.for<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['driver.rewind', {}, { replay: true }],
    ['driver.extend', { extend: undefined }, {}],
    ['driver.deadLetters', { deadLetters: undefined }, {}],
  ])('refuses a driver that declares what it lacks: %s', ([name, changes, declared]) => {
    const capabilities = { ...sound().capabilities, ...declared };
    const create = () => createQueue(driverWith({ ...changes, capabilities }));
    expect(create).toThrow(TypeError);
    expect(create).toThrow(name);
  });

  test('accepts a driver that lacks what it does not declare', () => {
    const capabilities = { ...sound().capabilities, deadLetter: false, lease: false };
    expect(() => createQueue(driverWith({ extend: undefined, deadLetters: undefined, capabilities }))).not.toThrow();
  });

  test.for([-1, 1.5, NaN, '5', undefined])('refuses %o as the capacity of a driver', (capacity) => {
    expect(() => createQueue(driverWith({ capacity }))).toThrow('Cannot create a queue: driver.capacity must be a');
  });

  test.for([null, undefined, 5, 'redis'])('refuses %o as a driver', (driver) => {
    expect(() => createQueue(driver as never)).toThrow('Cannot create a queue: expected a QueueDriver');
  });

  test('refuses capabilities that are not total', () => {
    const { order: _, ...capabilities } = sound().capabilities;
    expect(() => createQueue(driverWith({ capabilities }))).toThrow('order must be one of');
    expect(() => createQueue(driverWith({ capabilities: undefined }))).toThrow(TypeError);
  });

  test('refuses an option that it does not know', () => {
    expect(() => createQueue(sound(), { colck: virtualClock() } as never)).toThrow('unknown option "colck"');
  });

  test('asks the driver for nothing before the first call', () => {
    expect(openQueueOn().calls).toEqual([]);
  });

  test('makes a queue without the synchronous fast path', () => {
    expect(isSynchronousQueue(openQueueOn().queue)).toBe(false);
  });

  test('makes queues on the clock of this machine, too', async () => {
    const queue = createQueue(memoryDriver());
    const waiting = queue.pop();
    await queue.push({ type: 't', data: 1 });
    await (await waiting)?.ack();
    expect(await queue.close()).toEqual({ returned: 0, abandoned: 0, deadLetters: 0 });
  });
});

describe('size()', () => {
  test('counts ready, in flight and delayed events, and the age of the oldest ready one', async () => {
    const { queue, clock } = openQueueOn();
    expect(await queue.size()).toEqual({ ready: 0, inFlight: 0, delayed: 0, oldestAgeMs: 0, exact: true });
    await queue.pushMany(['a', 'b', 'c', 'd'].map(event));
    await clock.advance(30);
    await (await take(queue)).nack({ delayMs: 500 });
    await take(queue);
    expect(await queue.size()).toEqual({ ready: 2, inFlight: 1, delayed: 1, oldestAgeMs: 30, exact: true });
    expect(await queue.size()).toEqual({ ready: 2, inFlight: 1, delayed: 1, oldestAgeMs: 30, exact: true });
  });

  test.for([true, false])('that fails is named by classify() (thrown at once: %o)', async (atOnce) => {
    const raw = new Error('redis://:hunter2@host');
    const { queue } = openQueueOn({}, () => ({
      size: () => {
        if (atOnce) throw raw;
        return Promise.reject(raw);
      },
      classify: () => 'NQ_UNAVAILABLE',
    }));
    const error = await rejection(queue.size());
    expect(error).toMatchObject({ code: 'NQ_UNAVAILABLE', cause: raw });
    expect((error as Error).message).not.toContain('hunter2');
  });
});

describe('rewind()', () => {
  test('rejects NQ_UNSUPPORTED where replay is not declared, even if the driver could', async () => {
    let rewound = 0;
    const { queue } = openQueueOn({}, () => ({
      rewind: async () => {
        rewound++;
      },
    }));
    expect(await rejection(queue.rewind({ time: 0 }))).toMatchObject({ code: 'NQ_UNSUPPORTED' });
    expect(rewound).toBe(0);
  });

  test('hands the position to a driver that declares replay, and wraps its failure', async () => {
    const positions: unknown[] = [];
    const raw = new Error('gone');
    const { queue } = openQueueOn({ capabilities: { replay: true } }, () => ({
      rewind: async (position) => {
        positions.push(position);
        if (positions.length > 1) throw raw;
      },
    }));
    await queue.rewind({ time: 5 });
    const position = { time: undefined, position: '0-1' } as unknown as RewindPosition;
    expect(await rejection(queue.rewind(position))).toMatchObject({ code: 'NQ_BACKEND', cause: raw });
    expect(positions).toStrictEqual([{ time: 5 }, { position: '0-1' }]);
  });

  const positions: readonly (readonly [unknown, ErrorConstructor, string])[] = [
    [undefined, TypeError, 'options must be an object, got undefined'],
    [{}, TypeError, 'expected one of { time } and { position }'],
    [{ time: 1, position: '1' }, TypeError, 'expected one of { time } and { position }'],
    [{ time: '1' }, TypeError, 'time must be a number, got "1"'],
    [{ time: NaN }, RangeError, 'time must be finite, got NaN'],
    [{ position: 1 }, TypeError, 'position must be a string, got 1'],
    [{ offset: 1 }, TypeError, 'unknown option "offset"; known are time, position'],
  ];
  test.for(positions)('of %j is refused before the driver is called', async ([position, type, message]) => {
    let calls = 0;
    const rewind = async (): Promise<void> => void calls++;
    const { queue } = openQueueOn({ capabilities: { replay: true } }, () => ({ rewind }));
    expect(await rejection(queue.rewind(position as never))).toEqual(new type(`Cannot rewind: ${message}`));
    expect(calls).toBe(0);
  });

  test('to a position that the driver does not know is misuse', async () => {
    const unknown = new RangeError('Cannot rewind: position must be an offset');
    const rewind = (): Promise<void> => Promise.reject(unknown);
    const { queue } = openQueueOn({ capabilities: { replay: true } }, () => ({ rewind }));
    expect(await rejection(queue.rewind({ position: 'x' }))).toBe(unknown);
  });
});

describe('deadLetters', () => {
  test('can be counted, listed, replayed and removed', async () => {
    const { queue } = openQueueOn();
    await queue.pushMany(['a', 'b', 'c', 'd'].map(event));
    for (const delivery of await queue.popMany(4)) await delivery.nack({ deadLetter: true, reason: delivery.event.id });
    const { deadLetters } = queue;
    expect((await deadLetters.list({ limit: 2 })).map(({ reason }) => reason)).toEqual(['a', 'b']);
    expect(await deadLetters.replay(['b', 'x'])).toBe(1);
    expect(await take(queue)).toMatchObject({ attempt: 1, event: { id: 'b' } });
    expect(await deadLetters.remove(['c'])).toBe(1);
    expect((await deadLetters.list()).map(({ event: { id } }) => id)).toEqual(['a', 'd']);
    expect(await deadLetters.replay([])).toBe(0);
    expect(await deadLetters.remove()).toBe(2);
    expect(await deadLetters.count()).toBe(0);
  });

  test('reject NQ_UNSUPPORTED in every method where they are not declared', async () => {
    const { queue } = openQueueOn({ capabilities: { deadLetter: false } });
    const { count, list, replay, remove } = queue.deadLetters;
    for (const method of [count, list, replay, remove]) {
      expect(await rejection(method())).toMatchObject({ code: 'NQ_UNSUPPORTED' });
    }
  });

  test('wrap what the driver throws, in every method', async () => {
    const raw = new Error('redis://:hunter2@host');
    const fail = () => Promise.reject(raw);
    const { queue } = openQueueOn({}, () => ({
      deadLetters: { count: fail, list: fail, replay: fail, remove: fail },
      classify: () => 'NQ_UNAVAILABLE',
    }));
    const { count, list, replay, remove } = queue.deadLetters;
    for (const method of [count, list, replay, remove]) {
      const error = await rejection(method());
      expect(error).toMatchObject({ code: 'NQ_UNAVAILABLE', cause: raw });
      expect((error as Error).message).not.toContain('hunter2');
    }
  });

  test('refuse misuse', async () => {
    const { deadLetters } = openQueueOn().queue;
    expect(await rejection(deadLetters.list({ limit: -1 }))).toBeInstanceOf(RangeError);
    expect(await rejection(deadLetters.list({ max: 1 } as never))).toBeInstanceOf(TypeError);
    for (const ids of ['a', [1], {}]) {
      expect(await rejection(deadLetters.replay(ids as never))).toBeInstanceOf(TypeError);
      expect(await rejection(deadLetters.remove(ids as never))).toBeInstanceOf(TypeError);
    }
  });
});

describe('a queue under any sequence of calls', () => {
  const command = fc.oneof(
    fc.record({ do: fc.constant('push' as const), count: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ do: fc.constant('pop' as const), count: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ do: fc.constant('ack' as const), which: fc.nat() }),
    fc.record({ do: fc.constant('nack' as const), which: fc.nat(), delayMs: fc.constantFrom(0, 0, 50) }),
    fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(1, 50, 700, 2000) }),
  );

  test('loses nothing, invents nothing, and hands nothing out twice without cause', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40 }), async (commands) => {
        const { queue, clock } = openQueueOn({ capacity: 1000, leaseMs: 1600 });
        const acked = new Set<string>();
        const attempts = new Map<string, number>();
        const handedOutAt = new Map<string, number>();
        let open: Awaited<ReturnType<typeof take>>[] = [];
        let pushed = 0;
        const receive = async (max: number) => {
          for (const delivery of await queue.popMany(max, { timeoutMs: 0 })) {
            const { id } = delivery.event;
            expect(acked.has(id)).toBe(false);
            const last = attempts.get(id) ?? 0;
            expect(delivery.attempt).toBe(last + 1);
            attempts.set(id, delivery.attempt);
            // One of an earlier hand-out whose lease has ended holds nothing, although it is not settled.
            const isHeld = open.some((one) => one.event.id === id && one.attempt === last);
            expect(isHeld && clock.now() - (handedOutAt.get(id) ?? 0) < 1600).toBe(false);
            handedOutAt.set(id, clock.now());
            open.push(delivery);
          }
        };
        const settle = async (which: number, how: (delivery: (typeof open)[number]) => Promise<void>) => {
          const delivery = open[which % open.length];
          if (delivery === undefined) return;
          open = open.filter((one) => one !== delivery);
          const outcome = await how(delivery).then(
            () => 'settled',
            (error: unknown) => (isNqError(error) ? error.code : error),
          );
          expect(['settled', 'NQ_LEASE_LOST']).toContain(outcome);
        };
        for (const one of commands) {
          if (one.do === 'push') await queue.pushMany(Array.from({ length: one.count }, () => event(`e${pushed++}`)));
          else if (one.do === 'pop') await receive(one.count);
          else if (one.do === 'nack') await settle(one.which, (delivery) => delivery.nack({ delayMs: one.delayMs }));
          else if (one.do === 'advance') await clock.advance(one.ms);
          else {
            await settle(one.which, async (delivery) => {
              await delivery.ack();
              acked.add(delivery.event.id);
            });
          }
        }
        // What is left comes back once every delay and every lease has ended.
        await clock.advance(5000);
        open = [];
        await receive(1000);
        expect(acked.size + open.length).toBe(pushed);
        expect(await queue.close()).toEqual({ returned: open.length, abandoned: 0, deadLetters: 0 });
        expect(clock.timers).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});
