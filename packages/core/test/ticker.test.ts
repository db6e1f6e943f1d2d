import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { virtualClock, type VirtualClock } from '../src/testing.ts';
import { Ticker } from '../src/ticker.ts';

/** When each of the deadlines was seen to have passed. */
function ticking(clock: VirtualClock, durationMs: number) {
  const open = new Set<{ readonly tick: number; endedAt: number }>();
  const ticker = new Ticker(clock, durationMs, false, () => {
    for (const one of open) {
      if (one.tick > ticker.tick) continue;
      one.endedAt = clock.now();
      open.delete(one);
    }
    return open.size > 0;
  });
  const add = (tick: number) => {
    const one = { tick, endedAt: NaN };
    open.add(one);
    return one;
  };
  return { ticker, start: () => add(ticker.deadline()), startFor: (ms: number) => add(ticker.deadlineIn(ms)) };
}

describe('a Ticker', () => {
  test('meets a deadline no sooner than the duration, and at most 1/8 of it later', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 16, max: 100_000 }),
        fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1, maxLength: 4 }),
        async (durationMs, pauses) => {
          const clock = virtualClock();
          const { start } = ticking(clock, durationMs);
          const started: { readonly at: number; readonly one: { endedAt: number } }[] = [];
          for (const pause of pauses) {
            started.push({ at: clock.now(), one: start() });
            await clock.advance((pause / 1000) * durationMs);
          }
          await clock.advance(2 * durationMs);
          for (const { at, one } of started) {
            expect(one.endedAt - at).toBeGreaterThanOrEqual(durationMs * (1 - 1e-9));
            expect(one.endedAt - at).toBeLessThanOrEqual(durationMs * (1 + 1 / 8) + 1e-9);
          }
        },
      ),
      { numRuns: 10 },
    );
  });

  test('meets a deadline of another duration no sooner either, and at most two ticks later', async () => {
    const clock = virtualClock();
    const { startFor } = ticking(clock, 1600);
    const short = startFor(250);
    const long = startFor(10_000);
    await clock.advance(99);
    const late = startFor(300);
    const odd = startFor(250);
    await clock.advance(11_000);
    expect(short.endedAt).toBeGreaterThanOrEqual(250);
    expect(short.endedAt).toBeLessThanOrEqual(450);
    expect(late.endedAt).toBeGreaterThanOrEqual(399);
    expect(late.endedAt).toBeLessThanOrEqual(599);
    expect(odd.endedAt).toBeGreaterThanOrEqual(349);
    expect(odd.endedAt).toBeLessThanOrEqual(549);
    expect(long.endedAt).toBeGreaterThanOrEqual(10_000);
    expect(long.endedAt).toBeLessThanOrEqual(10_200);
  });

  test('costs one timer however many deadlines there are, and none when nothing runs', async () => {
    const clock = virtualClock();
    const { start } = ticking(clock, 1600);
    expect(clock.timers).toBe(0);
    for (let count = 0; count < 100; count++) start();
    expect(clock.timers).toBe(1);
    await clock.advance(2000);
    expect(clock.timers).toBe(0);
  });

  test('starts again after a pause', async () => {
    const clock = virtualClock();
    const { start } = ticking(clock, 1600);
    start();
    await clock.advance(50_000);
    const one = start();
    await clock.advance(1599);
    expect(one.endedAt).toBeNaN();
    await clock.advance(201);
    expect(one.endedAt).toBeGreaterThanOrEqual(51_600);
  });

  test('stops when it is told to, and may be told twice', async () => {
    const clock = virtualClock();
    const { ticker, start } = ticking(clock, 1600);
    start();
    ticker.stop();
    ticker.stop();
    expect(clock.timers).toBe(0);
    await clock.advance(5000);
    expect(ticker.tick).toBe(0);
  });
});
