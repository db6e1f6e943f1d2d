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
  test('meets a deadline no sooner than the duration, and at most 1/16 of it and a few milliseconds later', async () => {
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
            expect(one.endedAt - at).toBeLessThanOrEqual((durationMs + 2) * (1 + 1 / 16) + 1e-9);
          }
        },
      ),
      { numRuns: 10 },
    );
  });

  /** What `setTimeout` makes of a clock: whole milliseconds, and up to one more. */
  const coarse = (clock: VirtualClock): VirtualClock => {
    const { schedule } = clock;
    return Object.assign(clock, {
      schedule: (callback: () => void, delayMs: number) => schedule(callback, Math.ceil(delayMs) + clock.random()),
    });
  };

  test.for([
    [1, 9],
    [5, 11],
    [20, 26],
    [100, 111],
    [1000, 1068],
  ] as const)(
    'of %d ms ends within %d ms on timers that are late by a millisecond or two',
    async ([durationMs, latest]) => {
      const clock = coarse(virtualClock());
      const { start } = ticking(clock, durationMs);
      const started: { readonly at: number; readonly one: { endedAt: number } }[] = [];
      for (let count = 0; count < 20; count++) {
        started.push({ at: clock.now(), one: start() });
        await clock.advance(durationMs * clock.random());
      }
      await clock.advance(2 * durationMs + 10);
      for (const { at, one } of started) {
        expect(one.endedAt - at).toBeGreaterThanOrEqual(durationMs);
        expect(one.endedAt - at).toBeLessThanOrEqual(latest);
      }
    },
  );

  test('is not early either for what starts while something holds the event loop', async () => {
    const virtual = virtualClock();
    let held = 0;
    let endedAt = NaN;
    let deadline = Infinity;
    const clock: VirtualClock = { ...virtual, now: () => virtual.now() + held };
    const ticker = new Ticker(clock, 160, false, () => {
      if (Number.isNaN(endedAt) && ticker.tick >= deadline) endedAt = clock.now();
      return Number.isNaN(endedAt);
    });
    ticker.deadline();
    await virtual.advance(25);
    held = 50;
    const at = clock.now();
    deadline = ticker.deadline();
    await virtual.advance(400);
    expect(endedAt - at).toBeGreaterThanOrEqual(160);
    expect(endedAt - at).toBeLessThanOrEqual(172.2);
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
