import { setTimeout as sleep } from 'node:timers/promises';
import { Arrivals, type Put } from '../harness/arrivals.ts';
import type { Budget } from '../harness/budget.ts';
import type { Column, Readings } from '../harness/case.ts';
import { formatNumber } from '../harness/format.ts';

/** What {@link paced} reads. */
export const pacedColumns: readonly Column[] = [
  {
    heading: 'push → handler, ms p50 / p99 / p99.9',
    keys: ['queueP50Ms', 'queueP99Ms', 'queueP999Ms'],
    format: formatNumber,
  },
  {
    heading: 'arrival → handler, ms p50 / p99 / p99.9',
    keys: ['arrivalP50Ms', 'arrivalP99Ms', 'arrivalP999Ms'],
    format: formatNumber,
  },
  { heading: 'client CPU, µs/message', keys: ['clientCpuUs'], format: formatNumber },
];

/** What is due is looked for once in a millisecond: nothing here is faster, and the process is not kept busy by it. */
const nextTurn = (): Promise<void> => sleep(1);

/**
 * Measures how long messages wait for their handler when they arrive at a fixed rate, as `latency()` does, and the CPU
 * time that it costs, because the process sleeps between arrivals.
 *
 * @param prepare is given a function that the handler calls with the number of its message.
 */
export function paced(
  perSecond: number,
  prepare: (handled: (index: number) => void, address: string) => Promise<Put>,
): (budget: Budget, address: string) => Promise<Readings> {
  return async ({ loopMs }, address) => {
    let arrivals = new Arrivals(perSecond, loopMs);
    const put = await prepare((index) => arrivals.handled(index), address);
    await arrivals.run(put, nextTurn);
    arrivals = new Arrivals(perSecond, loopMs * 2);
    const before = process.cpuUsage();
    await arrivals.run(put, nextTurn);
    const { user, system } = process.cpuUsage(before);
    const inMs = Object.entries(arrivals.readings()).map(([key, us]) => [key.replace(/Us$/, 'Ms'), us / 1000] as const);
    return { ...Object.fromEntries(inMs), clientCpuUs: (user + system) / arrivals.count };
  };
}
