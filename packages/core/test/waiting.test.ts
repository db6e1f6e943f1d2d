import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { virtualClock } from '../src/testing.ts';
import { done, Waiter, WaitingLine, WaitLimits } from '../src/waiting.ts';
import { countedSignal } from './support/counted-signal.ts';
import { watch } from './support/promises.ts';

/** The items of a line, from either end. */
function itemsOf(line: WaitingLine<number, string>): number[] {
  const items: number[] = [];
  for (let waiter = line.first; waiter !== null; waiter = waiter.next) {
    expect(waiter.line).toBe(line);
    expect(waiter.previous?.item).toBe(items.at(-1));
    items.push(waiter.item);
  }
  expect(line.length).toBe(items.length);
  return items;
}

/** @param origin what the clock says at the beginning. */
function setUp(origin = 0) {
  const virtual = virtualClock();
  const clock = Object.assign(Object.create(virtual) as typeof virtual, { now: () => virtual.now() + origin });
  const late: number[] = [];
  const line = new WaitingLine<number, string>((waiter) => {
    late.push(waiter.item);
    waiter.resolve('late');
  });
  const limits = new WaitLimits(clock, [line]);
  const wait = (item: number, options: Parameters<WaitLimits['apply']>[1] = {}) => {
    const waiter = new Waiter<number, string>(item);
    line.join(waiter);
    limits.apply(waiter, options);
    return { waiter, watched: watch(waiter.promise) };
  };
  return { clock, line, limits, late, wait };
}

describe('a WaitingLine', () => {
  test('keeps the order of joining, whoever leaves', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat())), (steps) => {
        const line = new WaitingLine<number, string>(() => {});
        let model: Waiter<number, string>[] = [];
        for (const [number, step] of steps.entries()) {
          if (step === null || model.length === 0) {
            const waiter = new Waiter<number, string>(number);
            line.join(waiter);
            model.push(waiter);
          } else {
            const leaving = model[step % model.length] as Waiter<number, string>;
            line.leave(leaving);
            model = model.filter((one) => one !== leaving);
          }
          expect(itemsOf(line)).toEqual(model.map(({ item }) => item));
        }
      }),
    );
  });

  test('lets go of who has left', () => {
    const { line, wait } = setUp();
    const [first] = [wait(1), wait(2)];
    line.leave(first.waiter);
    expect(first.waiter).toMatchObject({ line: null, next: null, previous: null, limits: null, watch: null });
    line.join(first.waiter);
    expect(itemsOf(line)).toEqual([2, 1]);
  });
});

describe('WaitLimits', () => {
  test('end a wait when its time is over, not before, in the order of the line', async () => {
    const { clock, line, late, wait } = setUp();
    const [first] = [wait(1, { timeoutMs: 100 }), wait(2, { timeoutMs: 50 }), wait(3), wait(4, { timeoutMs: 50 })];
    await clock.advance(49);
    expect(late).toEqual([]);
    await clock.advance(1);
    expect(late).toEqual([2, 4]);
    expect(itemsOf(line)).toEqual([1, 3]);
    await clock.advance(50);
    expect(late).toEqual([2, 4, 1]);
    expect(first.watched.value).toBe('late');
    await clock.advance(1e9);
    expect(itemsOf(line)).toEqual([3]);
  });

  test('reject with the reason when the signal aborts, only those who were given it', async () => {
    const { clock, line, wait } = setUp();
    const { signal, abort } = countedSignal();
    const other = countedSignal();
    const waiting = [
      wait(1, { signal }),
      wait(2),
      wait(3, { signal: other.signal }),
      wait(4, { signal, timeoutMs: 9 }),
    ];
    const reason = { enough: true };
    abort(reason);
    await clock.settle();
    expect(waiting.map(({ watched }) => watched.state)).toEqual(['rejected', 'pending', 'pending', 'rejected']);
    expect(waiting[0]?.watched.reason).toBe(reason);
    expect(itemsOf(line)).toEqual([2, 3]);
    expect(clock.timers).toBe(0);
  });

  test('cost one timer and one listener per signal, however many wait', async () => {
    const { clock, wait } = setUp();
    const { signal, listeners } = countedSignal();
    const other = countedSignal();
    for (let item = 0; item < 50; item++) wait(item, { signal, timeoutMs: 1000 + item });
    wait(50, { signal: other.signal, timeoutMs: Infinity });
    expect([listeners(), other.listeners()]).toEqual([1, 1]);
    await clock.settle();
    expect([clock.timers, listeners(), other.listeners()]).toEqual([1, 1, 1]);
  });

  test('let go of timer and listeners when nobody needs them any more', async () => {
    const { clock, line, wait } = setUp();
    const { signal, listeners } = countedSignal();
    const [first, second] = [wait(1, { signal, timeoutMs: 100 }), wait(2, { signal, timeoutMs: 200 })];
    line.leave(first.waiter);
    await clock.settle();
    expect([clock.timers, listeners()]).toEqual([1, 1]);
    line.leave(second.waiter);
    await clock.settle();
    expect([clock.timers, listeners()]).toEqual([0, 0]);
  });

  test('keep what a caller needs who comes back with the same signal at once', async () => {
    const { clock, line, late, wait } = setUp();
    const { signal, abort, listeners } = countedSignal();
    line.leave(wait(1, { signal, timeoutMs: 100 }).waiter);
    const again = wait(2, { signal, timeoutMs: 50 });
    await clock.settle();
    expect(listeners()).toBe(1);
    await clock.advance(50);
    expect(late).toEqual([2]);
    const last = wait(3, { signal });
    abort('enough');
    await clock.settle();
    expect([again.watched.value, last.watched.reason]).toEqual(['late', 'enough']);
  });

  test('meet a deadline that is sooner than the one that the timer was set for', async () => {
    const { clock, late, wait } = setUp();
    wait(1, { timeoutMs: 1000 });
    await clock.advance(10);
    wait(2, { timeoutMs: 5 });
    await clock.advance(5);
    expect(late).toEqual([2]);
    await clock.advance(985);
    expect(late).toEqual([2, 1]);
  });

  test('give a wait its whole time, also one that begins while another one ends', async () => {
    const { clock, late, wait } = setUp();
    const first = wait(1, { timeoutMs: 10 });
    void first.waiter.promise.then(() => wait(2, { timeoutMs: 10 }));
    await clock.advance(19);
    expect(late).toEqual([1]);
    await clock.advance(1);
    expect(late).toEqual([1, 2]);
  });

  test('give a wait its whole time, also one that begins in the turn in which another one ends', async () => {
    const fired: (() => void)[] = [];
    let now = 0;
    const schedule = (callback: () => void) => {
      fired.push(callback);
      return { cancel: () => {} };
    };
    const late: number[] = [];
    const line = new WaitingLine<number, string>(({ item }) => late.push(item));
    const limits = new WaitLimits({ ...virtualClock(), now: () => now, schedule }, [line]);
    const wait = (item: number) => {
      const waiter = new Waiter<number, string>(item);
      line.join(waiter);
      limits.apply(waiter, { timeoutMs: 10 });
    };
    wait(1);
    await new Promise((resolve) => setImmediate(resolve));
    now = 1000;
    wait(2);
    fired.shift()?.();
    expect(late).toEqual([1]);
    now = 1010;
    fired.shift()?.();
    expect(late).toEqual([1, 2]);
  });

  test('know a signal again that was given by several, when all but one have left', async () => {
    const { clock, line, wait } = setUp();
    const { signal, abort } = countedSignal();
    const [first, second, third] = [1, 2, 3].map((item) => wait(item, { signal }));
    for (const gone of [first, third]) if (gone !== undefined) line.leave(gone.waiter);
    abort('enough');
    await clock.settle();
    expect(second?.watched.reason).toBe('enough');
    expect([first?.watched.state, third?.watched.state]).toEqual(['pending', 'pending']);
  });

  test('hold on to few waits only, if a caller never lets a turn of the event loop end', async () => {
    const { clock, line, late, wait } = setUp();
    for (let item = 0; item < 1000; item++) line.leave(wait(item, { timeoutMs: 10 }).waiter);
    wait(1000, { timeoutMs: 10 });
    await clock.advance(10);
    expect(late).toEqual([1000]);
    expect(clock.timers).toBe(0);
  });

  test('meet every deadline of many', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 }), async (timeouts) => {
        const { clock, late, wait } = setUp();
        for (const [item, timeoutMs] of timeouts.entries()) wait(item, { timeoutMs });
        for (let now = 1; now <= 40; now++) {
          await clock.advance(1);
          const due = timeouts.flatMap((timeoutMs, item) => (timeoutMs <= now ? [item] : []));
          expect(late.toSorted((a, b) => a - b)).toEqual(due);
        }
        expect(clock.timers).toBe(0);
      }),
      { numRuns: 8 },
    );
  });

  test.each([-1e6, -50, 1e6])('meet deadlines on a clock that begins at %d', async (origin) => {
    const { clock, line, late, wait } = setUp(origin);
    for (const [item, timeoutMs] of [60, 10, 30].entries()) wait(item, { timeoutMs });
    await clock.advance(5);
    wait(3, { timeoutMs: 20 });
    await clock.advance(4);
    expect(late).toEqual([]);
    await clock.advance(1);
    expect(late).toEqual([1]);
    await clock.advance(15);
    expect(late).toEqual([1, 3]);
    wait(4, { timeoutMs: 10 });
    await clock.advance(10);
    expect(late).toEqual([1, 3, 2, 4]);
    await clock.advance(100);
    expect(late).toEqual([1, 3, 2, 4, 0]);
    expect([line.length, clock.timers]).toEqual([0, 0]);
  });

  test('give a wait its whole time, also one that begins in the moment in which another one ends', async () => {
    const clock = virtualClock();
    const late: [number, number][] = [];
    const line = new WaitingLine<number, string>(({ item }) => {
      late.push([item, clock.now()]);
      if (item < 3) wait(item + 1, 10);
    });
    const limits = new WaitLimits(clock, [line]);
    const wait = (item: number, timeoutMs: number): void => {
      const waiter = new Waiter<number, string>(item);
      line.join(waiter);
      limits.apply(waiter, { timeoutMs });
    };
    wait(1, 10);
    wait(9, 35);
    for (let now = 0; now < 40; now++) await clock.advance(1);
    expect(late).toEqual([
      [1, 10],
      [2, 20],
      [3, 30],
      [9, 35],
    ]);
    expect(clock.timers).toBe(0);
  });

  test('settle each wait once, whoever leaves while others end', async () => {
    const clock = virtualClock();
    const late: number[] = [];
    const waiters: Waiter<number, string>[] = [];
    const line = new WaitingLine<number, string>(({ item }) => {
      late.push(item);
      const next = waiters[item + 1];
      if (next !== undefined && next.line !== null) line.leave(next);
    });
    const limits = new WaitLimits(clock, [line]);
    for (const [item, timeoutMs] of [10, 50, 10, 50].entries()) {
      const waiter = new Waiter<number, string>(item);
      waiters.push(waiter);
      line.join(waiter);
      limits.apply(waiter, { timeoutMs });
    }
    await clock.advance(100);
    expect(late).toEqual([0, 2]);
    expect([line.length, clock.timers]).toEqual([0, 0]);
  });

  test('abort all that were given a signal, whoever leaves meanwhile', () => {
    const aborted: number[] = [];
    const waiters: Waiter<number, string>[] = [];
    const line = new WaitingLine<number, string>(
      () => {},
      ({ item }) => {
        aborted.push(item);
        const next = waiters[item + 1];
        if (next !== undefined && next.line !== null) line.leave(next);
      },
    );
    const limits = new WaitLimits(virtualClock(), [line]);
    const { signal, abort } = countedSignal();
    for (let item = 0; item < 5; item++) {
      const waiter = new Waiter<number, string>(item);
      waiters.push(waiter);
      line.join(waiter);
      limits.apply(waiter, item === 1 ? {} : { signal });
    }
    abort('enough');
    expect(aborted).toEqual([0, 2, 4]);
    expect(line.length).toBe(0);
    limits.close();
  });

  test('look at the new waits only, however many waited before', async () => {
    const { clock, line, wait } = setUp();
    let looks = 0;
    for (let item = 0; item < 100; item++) {
      const { waiter } = wait(item, { timeoutMs: 1e6 });
      let deadline = waiter.deadline;
      Object.defineProperty(waiter, 'deadline', {
        get: () => (looks++, deadline),
        set: (value: number) => {
          deadline = value;
        },
      });
    }
    await clock.settle();
    const gone = wait(100, { timeoutMs: 1e6 });
    wait(101, { timeoutMs: 1e6 });
    line.leave(gone.waiter);
    looks = 0;
    await clock.settle();
    expect(looks).toBe(0);
    expect(line.fresh).toBe(0);
  });

  test('let go of everything when they are closed', () => {
    const { clock, limits, line, wait } = setUp();
    const { signal, listeners } = countedSignal();
    const { waiter } = wait(1, { signal, timeoutMs: 100 });
    line.leave(waiter);
    limits.close();
    expect([clock.timers, listeners()]).toEqual([0, 0]);
  });
});

describe('done', () => {
  test('is a promise that is resolved', async () => {
    expect(await done).toBeUndefined();
  });
});
