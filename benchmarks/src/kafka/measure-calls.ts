import type { Budget } from '../harness/budget.ts';
import type { Column, Readings } from '../harness/case.ts';
import { formatNumber, formatRate } from '../harness/format.ts';
import { measurePasses, timed } from '../harness/measure-throughput.ts';
import { median, percentile } from '../harness/statistics.ts';

/** What {@link callThroughput} reads. */
export const callColumns: readonly Column[] = [
  { heading: 'messages/s', keys: ['opsPerSecond'], format: formatRate },
  { heading: 'a call, ms p50 / p99', keys: ['callP50Ms', 'callP99Ms'], format: formatNumber },
  { heading: 'client CPU, µs/message', keys: ['clientCpuUs'], format: formatNumber },
];

/** Makes call number `index`, and notes how long it took. */
type TimedCall = (index: number, call: () => Promise<unknown>) => Promise<unknown>;

/** What is done in a pass. */
export interface CallOperation {
  run(count: number, timedCall: TimedCall): Promise<void>;
  /** Done afterwards, and not timed. @throws if messages were lost. */
  check(count: number): Promise<void>;
}

/**
 * Measures how fast messages are pushed, how long a call takes, and how much CPU time it costs.
 *
 * @param everyCall the clock is read for one call in so many.
 */
export function callThroughput(
  everyCall: number,
  open: (address: string) => Promise<CallOperation>,
): (budget: Budget, address: string) => Promise<Readings> {
  return async (budget, address) => {
    const operation = await open(address);
    const { count, passes } = await measurePasses(budget, async (many) => {
      const tookMs: number[] = [];
      const timeOne = async (call: () => Promise<unknown>): Promise<void> => {
        const startedAt = performance.now();
        await call();
        tookMs.push(performance.now() - startedAt);
      };
      // An async function around each call would take a part of the time that is measured.
      const timedCall: TimedCall = (index, call) => (index % everyCall === 0 ? timeOne(call) : call());
      const pass = await timed((times) => operation.run(times, timedCall), many);
      await operation.check(many);
      return { ...pass, tookMs: Float64Array.from(tookMs) };
    });
    return {
      opsPerSecond: (count / median(passes.map(({ wallMs }) => wallMs))) * 1000,
      callP50Ms: median(passes.map(({ tookMs }) => percentile(tookMs, 0.5))),
      callP99Ms: median(passes.map(({ tookMs }) => percentile(tookMs, 0.99))),
      clientCpuUs: median(passes.map(({ cpuUs }) => cpuUs)) / count,
    };
  };
}
