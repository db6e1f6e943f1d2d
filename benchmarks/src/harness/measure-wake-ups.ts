import { setTimeout as sleep } from 'node:timers/promises';
import type { Budget } from './budget.ts';
import type { Column, Readings } from './case.ts';
import { formatNumber } from './format.ts';
import type { Put } from './arrivals.ts';
import { percentile } from './statistics.ts';

/** What {@link wakeUps} reads, in microseconds. */
export const wakeUpColumns: readonly Column[] = [
  { heading: 'push → handler, µs p50 / p99', keys: ['wakeP50Us', 'wakeP99Us'], format: formatNumber },
];

/** How long nothing happens before the next event, in milliseconds: longer than a consumer needs to fall asleep. */
const idleMs = 10;
/** A measurement is so many times as long as a loop: each event takes part of it asleep. */
const loops = 3;
const warmUps = 20;

/**
 * Measures how long it takes from the push of an event to its handler, when nothing else happens and the consumer sleeps.
 *
 * @param prepare is given a function that the handler calls.
 */
export function wakeUps(
  prepare: (handled: () => void, address: string) => Promise<Put>,
): (budget: Budget, address: string) => Promise<Readings> {
  return async ({ loopMs }, address) => {
    let wake = (): void => {};
    const put = await prepare(() => wake(), address);
    const tookUs = new Float64Array(Math.ceil((loopMs * loops) / idleMs));
    for (let index = -warmUps; index < tookUs.length; index++) {
      await sleep(idleMs);
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const pushedAt = performance.now();
      const pushed = put(index + warmUps);
      await woken;
      if (index >= 0) tookUs[index] = (performance.now() - pushedAt) * 1000;
      await pushed;
    }
    return { wakeP50Us: percentile(tookUs, 0.5), wakeP99Us: percentile(tookUs, 0.99) };
  };
}
