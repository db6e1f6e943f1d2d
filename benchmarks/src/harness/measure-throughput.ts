import type { Budget } from './budget.ts';
import type { Column, Readings } from './case.ts';
import { formatNumber, formatRate } from './format.ts';
import { median } from './statistics.ts';

/** Does something `count` times and resolves when all of it is done. */
export type Operation = (count: number) => Promise<void>;

/** What {@link throughput} reads. CPU time holds that of the garbage collector's threads too. */
export const throughputColumns: readonly Column[] = [
  { heading: 'ops/s', keys: ['opsPerSecond'], format: formatRate },
  { heading: 'CPU ns/op', keys: ['cpuNsPerOp'], format: formatNumber },
];

const countStep = 1000;

/** Measures how fast an operation is: some timed passes over the same number of operations, after a warm-up. */
export function throughput(prepare: () => Promise<Operation>): (budget: Budget) => Promise<Readings> {
  return async (budget) => {
    const operation = await prepare();
    const count = await warmUp(operation, budget);
    const wallMs: number[] = [];
    const cpuUs: number[] = [];
    for (let pass = 0; pass < budget.passes; pass++) {
      const cpuBefore = process.cpuUsage();
      const startedAt = performance.now();
      await operation(count);
      wallMs.push(performance.now() - startedAt);
      const { user, system } = process.cpuUsage(cpuBefore);
      cpuUs.push(user + system);
    }
    return { opsPerSecond: (count / median(wallMs)) * 1000, cpuNsPerOp: (median(cpuUs) / count) * 1000 };
  };
}

/** Runs more and more operations, until they are compiled. @returns how many take about `passMs`. */
async function warmUp(operation: Operation, { warmUpMs, passMs }: Budget): Promise<number> {
  let count = countStep;
  for (let spentMs = 0; ;) {
    const startedAt = performance.now();
    await operation(count);
    const tookMs = performance.now() - startedAt;
    spentMs += tookMs;
    // At most four times as many at once: the first ones are slow and say little about those that follow.
    const fitting = (count * passMs) / Math.max(tookMs, 0.01);
    if (spentMs >= warmUpMs) return rounded(fitting);
    if (tookMs < passMs / 2) count = rounded(Math.min(count * 4, fitting));
  }
}

function rounded(count: number): number {
  return Math.max(1, Math.round(count / countStep)) * countStep;
}
