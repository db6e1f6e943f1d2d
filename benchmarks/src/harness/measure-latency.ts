import { setImmediate as nextTurnOfLoop } from 'node:timers/promises';
import { Arrivals, type Put } from './arrivals.ts';
import type { Budget } from './budget.ts';
import type { Column, Readings } from './case.ts';
import { formatNumber } from './format.ts';

/** How long events have waited, from the push and from when they were due, in `Us` or in `Ms`. */
export function waitColumns(unit: 'Us' | 'Ms'): readonly Column[] {
  const [shown, parts] = [unit === 'Us' ? 'µs' : 'ms', ['P50', 'P99', 'P999']];
  const column = (from: string, what: string): Column => ({
    heading: `${what} → handler, ${shown} p50 / p99 / p99.9`,
    keys: parts.map((part) => from + part + unit),
    format: formatNumber,
  });
  return [column('queue', 'push'), column('arrival', 'arrival')];
}

/** What {@link latency} reads, in microseconds. */
export const latencyColumns: readonly Column[] = waitColumns('Us');

/** What arrives, how it is put in, and what is awaited before it is looked again what is due. */
export interface ArrivalsRun {
  readonly perSecond: number;
  /** Is given a function that the handler calls with the number of its event. */
  readonly prepare: (handled: (index: number) => void, address: string) => Promise<Put>;
  readonly nextTurn: () => Promise<unknown>;
}

/**
 * Measures how long events wait for their handler when they arrive at a fixed rate, whether the queue keeps up or not:
 * from the moment at which they were due (so that a stall is counted for everything that it delays), and from the push.
 * What comes before is not measured, until the code is compiled that runs for hours where it matters: after a third of the
 * time, p99 of 50,000 events a second on Kafka was twice as high (Node 20, measured).
 *
 * @returns the readings, in microseconds; and the CPU time of each event.
 */
export async function measureArrivals(
  { perSecond, prepare, nextTurn }: ArrivalsRun,
  { loopMs }: Budget,
  address: string,
): Promise<{ readonly waits: Readings; readonly cpuUs: number }> {
  let arrivals = new Arrivals(perSecond, loopMs * 3);
  const put = await prepare((index) => arrivals.handled(index), address);
  await arrivals.run(put, nextTurn);
  arrivals = new Arrivals(perSecond, loopMs * 2);
  const before = process.cpuUsage();
  await arrivals.run(put, nextTurn);
  const { user, system } = process.cpuUsage(before);
  return { waits: arrivals.readings(), cpuUs: (user + system) / arrivals.count };
}

/** Measures arrivals in a process that is kept busy: the fastest queues take less than a timer can count. */
export function latency(
  perSecond: number,
  prepare: ArrivalsRun['prepare'],
): (budget: Budget, address: string) => Promise<Readings> {
  const run = { perSecond, prepare, nextTurn: () => nextTurnOfLoop() };
  return async (budget, address) => (await measureArrivals(run, budget, address)).waits;
}
