import type { Readings } from './case.ts';
import { percentile } from './statistics.ts';

/** Puts event number `index` into a queue, and does not wait. */
export type Put = (index: number) => unknown;

/** At higher rates the clock is read for one in this many events only: a read costs as much as an event. */
const busyRate = 200_000;
const busyEvery = 4;
/** A queue that is so far behind does not sustain the rate. */
const hopelessBacklog = 400_000;

/** Events at a fixed rate for some time, and when each was due, pushed and handled. */
export class Arrivals {
  readonly count: number;
  readonly #intervalMs: number;
  readonly #every: number;
  readonly #pushedAt: Float64Array;
  readonly #handledAt: Float64Array;
  #startedAt = 0;
  #handledCount = 0;

  constructor(perSecond: number, durationMs: number) {
    this.#intervalMs = 1000 / perSecond;
    this.count = Math.ceil((perSecond * durationMs) / 1000);
    this.#every = perSecond > busyRate ? busyEvery : 1;
    this.#pushedAt = new Float64Array(Math.ceil(this.count / this.#every));
    this.#handledAt = new Float64Array(this.#pushedAt.length);
  }

  handled(index: number): void {
    this.#handledCount++;
    if (index % this.#every === 0) this.#handledAt[index / this.#every] = performance.now();
  }

  /**
   * Puts in each event when it is due, and resolves when all are handled.
   *
   * @param nextTurn what is awaited before it is looked again what is due.
   */
  async run(put: Put, nextTurn: () => Promise<unknown>): Promise<void> {
    this.#startedAt = performance.now();
    for (let index = 0; index < this.count; await nextTurn()) {
      const due = Math.floor((performance.now() - this.#startedAt) / this.#intervalMs) + 1;
      for (const end = Math.min(this.count, due); index < end; index++) {
        if (index % this.#every === 0) this.#pushedAt[index / this.#every] = performance.now();
        put(index);
      }
      if (index - this.#handledCount > hopelessBacklog) throw new Error('The queue does not keep up with the rate');
    }
    while (this.#handledCount < this.count) await nextTurn();
  }

  /** How long they have waited for their handler, from the push and from when they were due, in microseconds. */
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
