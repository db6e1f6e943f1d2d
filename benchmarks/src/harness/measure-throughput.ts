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
    const { count, passes } = await measurePasses(budget, (many) => timed(operation, many));
    const wallMs = median(passes.map((pass) => pass.wallMs));
    const cpuUs = median(passes.map((pass) => pass.cpuUs));
    return { opsPerSecond: (count / wallMs) * 1000, cpuNsPerOp: (cpuUs / count) * 1000 };
  };
}

/** What one pass has taken. */
export interface Pass {
  readonly wallMs: number;
  /** User and system time of this process. */
  readonly cpuUs: number;
}

/** Times one pass of `count` operations. */
export async function timed(operation: Operation, count: number): Promise<Pass> {
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  await operation(count);
  const wallMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpuBefore);
  return { wallMs, cpuUs: user + system };
}

/** Does some passes of the same number of operations, after a warm-up. @returns the number, and what each has taken. */
export async function measurePasses<Taken extends Pass>(
  budget: Budget,
  pass: (count: number) => Promise<Taken>,
): Promise<{ readonly count: number; readonly passes: readonly Taken[] }> {
  const count = await warmUp(pass, budget);
  const passes: Taken[] = [];
  while (passes.length < budget.passes) passes.push(await pass(count));
  return { count, passes };
}

/** Runs more and more operations, until they are compiled. @returns how many take about `passMs`. */
async function warmUp(pass: (count: number) => Promise<Pass>, { warmUpMs, passMs }: Budget): Promise<number> {
  let count = countStep;
  for (let spentMs = 0; ;) {
    const { wallMs: tookMs } = await pass(count);
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
