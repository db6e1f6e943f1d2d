import type { Clock } from '@nq/core';

/** The events from number `from` on, up to the next arrival, came at `time` (in the time of the clock). */
export interface Arrival {
  readonly from: number;
  readonly time: number;
  next: Arrival | null;
}

/** Arrivals closer together than this are one, so that a queue that fills slowly holds at most a thousand a second. */
const resolutionMs = 1;

/**
 * When events came, by their number in the order of the pushes. The clock is read once per turn of the event loop (a
 * read costs as much as two pushes), and runs of events share one entry; what nobody refers to any more is collected.
 */
export class Arrivals {
  readonly #clock: Clock;
  readonly #forgetTurn = (): void => {
    this.#known = false;
  };
  /** Whether the clock was read in this turn. */
  #known = false;
  #last: Arrival = { from: 0, time: 0, next: null };
  #current: Arrival = this.#last;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes that event `number` comes now. */
  note(number: number): void {
    if (!this.#known) this.#read(number);
  }

  /** When event `number` came. Numbers are asked for in rising order. */
  of(number: number): Arrival {
    let current = this.#current;
    while (current.next !== null && current.next.from <= number) current = current.next;
    this.#current = current;
    return current;
  }

  #read(number: number): void {
    this.#known = true;
    setImmediate(this.#forgetTurn);
    const time = this.#clock.now();
    if (time - this.#last.time < resolutionMs && this.#last.time > 0) return;
    this.#last.next = { from: number, time, next: null };
    this.#last = this.#last.next;
  }
}
