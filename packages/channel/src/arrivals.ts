import type { Clock } from '@nq/core';

/**
 * When an event came, in the time of the clock. One object for a run of events: a number of its own in each delivery
 * would be an allocation. It refers to nothing, so who holds it keeps no other arrival alive.
 */
export interface Arrived {
  readonly time: number;
}

/** The events from number `from` on, up to the next arrival, came at `arrived`. */
interface Arrival {
  readonly from: number;
  readonly arrived: Arrived;
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
  #last: Arrival = { from: 0, arrived: { time: -Infinity }, next: null };
  #current: Arrival = this.#last;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes that event `number` comes now. */
  note(number: number): void {
    if (!this.#known) this.#read(number);
  }

  /** When event `number` came. Numbers are asked for in rising order. */
  of(number: number): Arrived {
    let current = this.#current;
    while (current.next !== null && current.next.from <= number) current = current.next;
    this.#current = current;
    return current.arrived;
  }

  #read(number: number): void {
    this.#known = true;
    setImmediate(this.#forgetTurn);
    const time = this.#clock.now();
    const { time: lastTime } = this.#last.arrived;
    if (time - lastTime < resolutionMs) return;
    this.#last.next = { from: number, arrived: { time }, next: null };
    this.#last = this.#last.next;
  }
}
