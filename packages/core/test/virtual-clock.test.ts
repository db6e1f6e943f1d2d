import { describe, expect, test } from 'vitest';
import { virtualClock } from '../src/testing.ts';

describe('virtualClock()', () => {
  test('stands still until it is advanced', async () => {
    const clock = virtualClock({ startDate: 1000 });
    expect([clock.now(), clock.date()]).toEqual([0, 1000]);
    await clock.settle();
    expect([clock.now(), clock.date()]).toEqual([0, 1000]);
    await clock.advance(2.5);
    expect([clock.now(), clock.date()]).toEqual([2.5, 1002.5]);
  });

  test('runs what is due in the order of its time, then of its scheduling, at that time', async () => {
    const clock = virtualClock();
    const ran: string[] = [];
    const at = (name: string, ms: number) => clock.schedule(() => ran.push(`${name}@${clock.now()}`), ms);
    at('c', 30);
    at('a', 10);
    at('b', 10);
    at('later', 31);
    await clock.advance(30);
    expect(ran).toEqual(['a@10', 'b@10', 'c@30']);
    expect(clock.timers).toBe(1);
  });

  test('keeps the order of scheduling among many that are due at the same time', async () => {
    const clock = virtualClock();
    const ran: number[] = [];
    const all = Array.from({ length: 50 }, (_, index) => index);
    for (const index of all) clock.schedule(() => ran.push(index), 10);
    await clock.advance(10);
    expect(ran).toEqual(all);
  });

  test('runs on the way what a callback schedules, if it is due', async () => {
    const clock = virtualClock();
    const ran: number[] = [];
    const again = () => {
      ran.push(clock.now());
      clock.schedule(again, 10);
    };
    clock.schedule(again, 10);
    await clock.advance(35);
    expect(ran).toEqual([10, 20, 30]);
    expect(clock.now()).toBe(35);
  });

  test('waits at each step for the promises that it sets in motion', async () => {
    const clock = virtualClock();
    const seen: number[] = [];
    clock.schedule(() => {
      void (async () => {
        for (let turn = 0; turn < 50; turn++) await Promise.resolve();
        await new Promise((resolve) => setImmediate(resolve));
        seen.push(clock.now());
      })();
    }, 10);
    await clock.advance(1000);
    expect(seen).toEqual([10]);
  });

  test('does not run what was cancelled, and counts what is left', async () => {
    const clock = virtualClock();
    let ran = 0;
    const timer = clock.schedule(() => ran++, 10);
    const other = clock.schedule(() => ran++, 20);
    expect(clock.timers).toBe(2);
    timer.cancel();
    timer.cancel();
    expect(clock.timers).toBe(1);
    await clock.advance(20);
    expect([ran, clock.timers]).toEqual([1, 0]);
    other.cancel();
    expect(clock.timers).toBe(0);
  });

  test('never runs what is due at the end of all days, but counts it', async () => {
    const clock = virtualClock();
    let ran = 0;
    const timer = clock.schedule(() => ran++, Infinity);
    await clock.advance(1e15);
    expect([ran, clock.timers]).toEqual([0, 1]);
    timer.cancel();
    expect(clock.timers).toBe(0);
  });

  test('takes a negative delay for none', async () => {
    const clock = virtualClock();
    let at = -1;
    clock.schedule(() => (at = clock.now()), -5);
    await clock.advance(0);
    expect(at).toBe(0);
  });

  test('has the same chance for the same seed, evenly from 0 to 1', () => {
    const numbers = (seed?: number) => {
      const clock = virtualClock(seed === undefined ? {} : { seed });
      return Array.from({ length: 10_000 }, () => clock.random());
    };
    expect(numbers(7)).toEqual(numbers(7));
    expect(numbers(1)).toEqual(numbers());
    expect(numbers(7)).not.toEqual(numbers(8));
    const all = numbers();
    expect(all.every((number) => number >= 0 && number < 1)).toBe(true);
    const tenths = Array.from({ length: 10 }, (_, tenth) => all.filter((one) => Math.floor(one * 10) === tenth).length);
    for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  test.for([-1, NaN, '5'])('refuses to advance by %o', async (ms) => {
    await expect(virtualClock().advance(ms as never)).rejects.toThrow('Cannot advance: ms must be');
  });

  test('refuses an option that it does not know', () => {
    expect(() => virtualClock({ start: 5 } as never)).toThrow('unknown option "start"');
  });
});
