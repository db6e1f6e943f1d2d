import { setTimeout as sleep } from 'node:timers/promises';
import type { Budget } from '../harness/budget.ts';
import type { Column, Readings } from '../harness/case.ts';
import { formatNumber } from '../harness/format.ts';

/** What {@link idleCpu} reads. */
export const idleColumns: readonly Column[] = [
  { heading: 'CPU, % of a core', keys: ['idlePercent'], format: formatNumber },
];

/** It is measured so many times as long as a loop, after as long as one. */
const loops = 5;

/** Measures the CPU time that this process takes while it waits, once `prepare` is done. */
export function idleCpu(
  prepare: (address: string) => Promise<unknown>,
): (budget: Budget, address: string) => Promise<Readings> {
  return async ({ loopMs }, address) => {
    await prepare(address);
    await sleep(loopMs);
    const before = process.cpuUsage();
    const startedAt = performance.now();
    await sleep(loopMs * loops);
    const { user, system } = process.cpuUsage(before);
    return { idlePercent: (user + system) / 10 / (performance.now() - startedAt) };
  };
}
