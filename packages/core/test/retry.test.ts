import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Clock } from '../src/index.ts';
import { RetryPlan } from '../src/retry.ts';
import { virtualClock } from '../src/testing.ts';

/** A clock whose chance is always the same. */
const withChance = (chance: number): Clock => ({ ...virtualClock(), random: () => chance });

describe('a RetryPlan', () => {
  test('has defaults', () => {
    const plan = new RetryPlan({}, withChance(0));
    expect(plan).toMatchObject({ maxAttempts: 5, inPlace: 2, maxDelayMs: 60_000 });
    expect([1, 2, 3].map((retry) => plan.inPlaceDelay(retry))).toEqual([10, 20, 40]);
    expect([1, 2, 3].map((attempt) => plan.redeliveryDelay(attempt))).toEqual([1000, 2000, 4000]);
    expect(new RetryPlan({}, withChance(1)).redeliveryDelay(1)).toBe(500);
  });

  test('doubles each delay up to the longest', () => {
    const plan = new RetryPlan({ delayMs: 100, maxDelayMs: 350, jitter: 0 }, withChance(0.9));
    expect([1, 2, 3, 4, 5].map((attempt) => plan.redeliveryDelay(attempt))).toEqual([100, 200, 350, 350, 350]);
  });

  test('shortens a delay by as much as chance says, down to nothing with jitter 1', () => {
    const delay = (jitter: number, chance: number) =>
      new RetryPlan({ delayMs: 100, jitter }, withChance(chance)).redeliveryDelay(1);
    expect(delay(0, 0.5)).toBe(100);
    expect(delay(0.5, 0.5)).toBe(75);
    expect(delay(1, 0.25)).toBe(75);
    expect(delay(1, 1)).toBe(0);
  });

  test('keeps every delay between its bounds, for any options and however late the attempt', () => {
    const ms = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 1e9 }), fc.double({ min: 0, max: 1e9, noNaN: true }));
    const options = fc.record({
      delayMs: ms,
      inPlaceDelayMs: ms,
      maxDelayMs: ms,
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    const count = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1000, max: 1e9 }));
    fc.assert(
      fc.property(options, count, fc.integer(), (given, number, seed) => {
        const plan = new RetryPlan(given, virtualClock({ seed }));
        for (const [first, delay] of [
          [given.delayMs, plan.redeliveryDelay(number)],
          [given.inPlaceDelayMs, plan.inPlaceDelay(number)],
        ] as const) {
          const full = Math.min(given.maxDelayMs, first * 2 ** Math.min(number - 1, 1023));
          expect(delay).toBeLessThanOrEqual(full);
          expect(delay).toBeGreaterThanOrEqual(full * (1 - given.jitter) * (1 - 1e-12));
        }
      }),
    );
  });

  test('spreads the delays of events that failed together', () => {
    const plan = new RetryPlan({}, virtualClock());
    const delays = Array.from({ length: 1000 }, () => plan.redeliveryDelay(1));
    expect(new Set(delays).size).toBeGreaterThan(990);
    expect(Math.min(...delays)).toBeLessThan(510);
    expect(Math.max(...delays)).toBeGreaterThan(990);
  });

  test('accepts any number of attempts, and none in place', () => {
    expect(new RetryPlan({ maxAttempts: Infinity, inPlace: 0 }, virtualClock()).maxAttempts).toBe(Infinity);
    expect(new RetryPlan({ maxAttempts: 1 }, virtualClock()).maxAttempts).toBe(1);
  });

  test.for<[string, unknown, typeof TypeError | typeof RangeError]>([
    ['retry.maxAttempts', { maxAttempts: 0 }, RangeError],
    ['retry.maxAttempts', { maxAttempts: 1.5 }, RangeError],
    ['retry.maxAttempts', { maxAttempts: '3' }, TypeError],
    ['retry.inPlace', { inPlace: -1 }, RangeError],
    ['retry.inPlace', { inPlace: Infinity }, RangeError],
    ['retry.inPlaceDelayMs', { inPlaceDelayMs: -1 }, RangeError],
    ['retry.inPlaceDelayMs', { inPlaceDelayMs: Infinity }, RangeError],
    ['retry.delayMs', { delayMs: NaN }, RangeError],
    ['retry.delayMs', { delayMs: Infinity }, RangeError],
    ['retry.maxDelayMs', { maxDelayMs: '1' }, TypeError],
    ['retry.maxDelayMs', { maxDelayMs: Infinity }, RangeError],
    ['retry.jitter', { jitter: -0.1 }, RangeError],
    ['retry.jitter', { jitter: 1.1 }, RangeError],
    ['retry: unknown option "attempts"', { attempts: 3 }, TypeError],
    ['retry: options must be an object', 5, TypeError],
  ])('names the option that is wrong: %s of %o', ([message, options, type]) => {
    const create = () => new RetryPlan(options as never, virtualClock());
    expect(create).toThrow(type);
    expect(create).toThrow(`Cannot create a dispatcher: ${message}`);
  });
});
