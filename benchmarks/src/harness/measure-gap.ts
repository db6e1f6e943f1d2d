import type { Budget } from './budget.ts';
import type { Column, Readings } from './case.ts';
import { formatNumber, formatRate } from './format.ts';

/** What {@link longestGap} reads. */
export const gapColumns: readonly Column[] = [
  { heading: 'longest gap, ms', keys: ['longestGapMs'], format: formatNumber },
  { heading: 'ops/s', keys: ['opsPerSecond'], format: formatRate },
];

/** How often the loop looks at the clock itself: nobody else may ever get a turn. */
const lookEvery = 4096;

/**
 * Measures how long timers and I/O wait while one producer pushes as fast as it can and awaits each push: the longest
 * time between two turns of the event loop. The loop ends after `loopMs`, at its own initiative after twice that.
 */
export function longestGap(
  prepare: () => Promise<(index: number) => Promise<unknown>>,
): (budget: Budget) => Promise<Readings> {
  return async ({ loopMs }) => {
    const push = await prepare();
    const startedAt = performance.now();
    const loop = { lastTurnAt: startedAt, longestGapMs: 0, over: false };
    const look = (): void => {
      const now = performance.now();
      loop.longestGapMs = Math.max(loop.longestGapMs, now - loop.lastTurnAt);
      loop.lastTurnAt = now;
      loop.over ||= now - startedAt >= loopMs;
    };
    const onTurn = (): void => {
      look();
      if (!loop.over) setImmediate(onTurn);
    };
    setImmediate(onTurn);

    let count = 0;
    for (; !loop.over; count++) {
      if (count % lookEvery === 0 && performance.now() - startedAt >= loopMs * 2) break;
      await push(count);
    }
    look();
    return { longestGapMs: loop.longestGapMs, opsPerSecond: (count / (performance.now() - startedAt)) * 1000 };
  };
}
