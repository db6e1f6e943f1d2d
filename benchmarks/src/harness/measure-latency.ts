import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Budget } from './budget.ts';
import type { Column, Readings } from './case.ts';
import { formatNumber } from './format.ts';
import { percentile } from './statistics.ts';

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

/** Puts event number `index` into a queue, and does not wait. */
export type Put = (index: number) => unknown;

/** At higher rates the clock is read for one in this many events only: a read costs as much as an event. */
const busyRate = 200_000;
const busyEvery = 4;
/** A queue that is so far behind does not sustain the rate. */
const hopelessBacklog = 400_000;

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
    await arrivals.run(put);
    arrivals = new Arrivals(perSecond, loopMs * 2);
    await arrivals.run(put);
    return arrivals.readings();
  };
}

/** Events at a fixed rate for some time, and when each was due, pushed and handled. */
class Arrivals {
  readonly #intervalMs: number;
  readonly #count: number;
  readonly #every: number;
  readonly #pushedAt: Float64Array;
  readonly #handledAt: Float64Array;
  #startedAt = 0;
  #handledCount = 0;

  constructor(perSecond: number, durationMs: number) {
    this.#intervalMs = 1000 / perSecond;
    this.#count = Math.ceil((perSecond * durationMs) / 1000);
    this.#every = perSecond > busyRate ? busyEvery : 1;
    this.#pushedAt = new Float64Array(Math.ceil(this.#count / this.#every));
    this.#handledAt = new Float64Array(this.#pushedAt.length);
  }

  handled(index: number): void {
    this.#handledCount++;
    if (index % this.#every === 0) this.#handledAt[index / this.#every] = performance.now();
  }

  async run(put: Put): Promise<void> {
    this.#startedAt = performance.now();
    for (let index = 0; index < this.#count; await nextTurn()) {
      const due = Math.floor((performance.now() - this.#startedAt) / this.#intervalMs) + 1;
      for (const end = Math.min(this.#count, due); index < end; index++) {
        if (index % this.#every === 0) this.#pushedAt[index / this.#every] = performance.now();
        put(index);
      }
      if (index - this.#handledCount > hopelessBacklog) throw new Error('The queue does not keep up with the rate');
    }
    while (this.#handledCount < this.#count) await nextTurn();
  }

  readings(): Readings {
    const stepMs = this.#intervalMs * this.#every;
    const inQueue = this.#handledAt.map((at, index) => (at - (this.#pushedAt[index] as number)) * 1000);
    const sinceDue = this.#handledAt.map((at, index) => (at - this.#startedAt - index * stepMs) * 1000);
    return {
      queueP50Us: percentile(inQueue, 0.5),
      queueP99Us: percentile(inQueue, 0.99),
      queueP999Us: percentile(inQueue, 0.999),
      arrivalP50Us: percentile(sinceDue, 0.5),
      arrivalP99Us: percentile(sinceDue, 0.99),
      arrivalP999Us: percentile(sinceDue, 0.999),
    };
  }
}
