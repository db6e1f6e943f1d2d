import { describe, expect, test } from 'vitest';
import { systemClock } from '../src/index.ts';

/** Resolves when `systemClock` runs the callback: how many milliseconds later. */
const elapsed = (delayMs: number) =>
  new Promise<number>((resolve) => {
    const start = systemClock.now();
    systemClock.schedule(() => resolve(systemClock.now() - start), delayMs);
  });

describe('systemClock', () => {
  test('tells durations that never go back, and the date of the machine', () => {
    const first = systemClock.now();
    expect(systemClock.now()).toBeGreaterThanOrEqual(first);
    expect(Math.abs(systemClock.date() - Date.now())).toBeLessThan(1000);
  });

  test('runs a callback no sooner than it was told, parts of a millisecond included', async () => {
    const delays = Array.from({ length: 200 }, (_, index) => index / 10);
    const measured = await Promise.all(delays.map(elapsed));
    for (const [index, ms] of measured.entries()) expect(ms).toBeGreaterThanOrEqual(delays[index] as number);
  });

  test('runs a callback with no or a negative delay soon, and not at once', async () => {
    let isBack = false;
    for (const delayMs of [0, -5]) {
      const run = new Promise<boolean>((resolve) => systemClock.schedule(() => resolve(isBack), delayMs));
      isBack = true;
      expect(await run).toBe(true);
      isBack = false;
    }
  });

  test('does not run what was cancelled, however often', async () => {
    let ran = 0;
    const timer = systemClock.schedule(() => ran++, 1);
    timer.cancel();
    timer.cancel();
    await elapsed(10);
    expect(ran).toBe(0);
  });

  test('may be told to cancel what has run', async () => {
    let ran = 0;
    let run = () => {};
    const done = new Promise<void>((resolve) => (run = resolve));
    const timer = systemClock.schedule(() => {
      ran++;
      run();
    }, 1);
    await done;
    timer.cancel();
    expect(ran).toBe(1);
  });

  test.for([2 ** 31, 1e15, Infinity])(
    'does not run at once what is due in %d ms, which is too long for setTimeout',
    async (ms) => {
      let ran = 0;
      const warnings: Error[] = [];
      const onWarning = (warning: Error) => warnings.push(warning);
      process.on('warning', onWarning);
      const timer = systemClock.schedule(() => ran++, ms);
      await elapsed(20);
      timer.cancel();
      process.off('warning', onWarning);
      expect([ran, warnings]).toEqual([0, []]);
    },
  );

  test('keeps the process alive only where it is asked to', () => {
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const active = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length - before;
    const idle = systemClock.schedule(() => {}, 60_000, { keepAlive: false });
    expect(active()).toBe(0);
    const alive = systemClock.schedule(() => {}, 60_000);
    expect(active()).toBe(1);
    idle.cancel();
    alive.cancel();
    expect(active()).toBe(0);
  });

  test('gives chance from 0 to 1', () => {
    const numbers = Array.from({ length: 1000 }, () => systemClock.random());
    expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
    expect(new Set(numbers).size).toBeGreaterThan(990);
  });

  test('cannot be changed', () => {
    expect(Object.isFrozen(systemClock)).toBe(true);
  });
});
