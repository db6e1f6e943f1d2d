import { setTimeout as sleep } from 'node:timers/promises';
import type { Budget } from '../harness/budget.ts';
import type { Column, Readings } from '../harness/case.ts';
import { formatNumber } from '../harness/format.ts';
import { type ArrivalsRun, measureArrivals, waitColumns } from '../harness/measure-latency.ts';

/** What {@link paced} reads. */
export const pacedColumns: readonly Column[] = [
  ...waitColumns('Ms'),
  { heading: 'client CPU, µs/message', keys: ['clientCpuUs'], format: formatNumber },
];

/**
 * Measures arrivals, and the CPU time that they cost: what is due is looked for once in a millisecond, for nothing here is
 * faster, and the process sleeps in between.
 */
export function paced(
  perSecond: number,
  prepare: ArrivalsRun['prepare'],
): (budget: Budget, address: string) => Promise<Readings> {
  return async (budget, address) => {
    const { waits, cpuUs } = await measureArrivals({ perSecond, prepare, nextTurn: () => sleep(1) }, budget, address);
    const inMs = Object.entries(waits).map(([key, us]) => [key.replace(/Us$/, 'Ms'), us / 1000] as const);
    return { ...Object.fromEntries(inMs), clientCpuUs: cpuUs };
  };
}
