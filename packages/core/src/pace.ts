/** What one turn of the event loop may carry, counted in events: a few milliseconds of work. */
const turnBudget = 4096;
/** What a request costs besides its events: 64 requests of one event are about what a turn may carry. */
const requestCost = 63;

/**
 * When the requests of a queue go on. A driver that answers without I/O lets none of the turns of the event loop end that
 * begin on a tick or with a promise, and timers and I/O would wait for ever: after 64 requests, or the events of a few
 * large ones, the next request waits for the end of the turn. It costs other drivers a turn now and then, where each of
 * their answers takes one anyway.
 */
export class Pace {
  #spent = 0;

  /** Counts a request with so many events. */
  count(events: number): void {
    this.#spent += events + requestCost;
  }

  /** Runs `next` on the next tick, or after this turn if it has carried enough. */
  soon(next: () => void): void {
    if (this.#spent < turnBudget) {
      process.nextTick(next);
      return;
    }
    this.#spent = 0;
    setImmediate(next);
  }
}
