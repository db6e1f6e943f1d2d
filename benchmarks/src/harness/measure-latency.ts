import { setImmediate as nextTurn } from 'node:timers/promises';
import { Arrivals, type Put } from './arrivals.ts';
import type { Budget } from './budget.ts';
import type { Column, Readings } from './case.ts';
import { formatNumber } from './format.ts';

/** What {@link latency} reads, in microseconds. */
export const latencyColumns: readonly Column[] = [
  {
    heading: 'push → handler, µs p50 / p99 / p99.9',
    keys: ['queueP50Us', 'queueP99Us', 'queueP999Us'],
    format: formatNumber,
  },
  {
    heading: 'arrival → handler, µs p50 / p99 / p99.9',
    keys: ['arrivalP50Us', 'arrivalP99Us', 'arrivalP999Us'],
    format: formatNumber,
  },
];

/**
 * Measures how long events wait for their handler when they arrive at a fixed rate, whether the queue keeps up or not:
 * from the moment at which they were due (so that a stall is counted for everything that it delays), and from the push.
 *
 * @param prepare is given a function that the handler calls with the number of its event.
 */
export function latency(
  perSecond: number,
  prepare: (handled: (index: number) => void, address: string) => Promise<Put>,
): (budget: Budget, address: string) => Promise<Readings> {
  return async ({ loopMs }, address) => {
    let arrivals = new Arrivals(perSecond, loopMs);
    const put = await prepare((index) => arrivals.handled(index), address);
    await arrivals.run(put, nextTurn);
    arrivals = new Arrivals(perSecond, loopMs * 2);
    await arrivals.run(put, nextTurn);
    return arrivals.readings();
  };
}
