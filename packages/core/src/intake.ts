import type { Clock, Timer } from './clock.ts';
import type { ReportError } from './dispatcher-options.ts';
import { isNqError } from './errors.ts';
import type { Delivery, MessageQueue, SynchronousQueue } from './queue.ts';
import type { Workers } from './workers.ts';

/** Takes deliveries from a queue for free workers, never more than there are. */
export interface Intake {
  /** Goes on: a worker has become free. */
  resume(): void;
  /** Takes nothing any more. What it has taken by then is given to the workers, or back to the queue. */
  stop(): Promise<void>;
}

/** How many events are started in one turn of the event loop before timers and I/O get their turn. */
const eventsPerTurn = 4096;

/** Takes from the synchronous side of a queue in this process: a loop without a promise. */
export class SynchronousIntake implements Intake {
  readonly #queue: SynchronousQueue;
  readonly #workers: Workers;
  readonly #leave: () => void;
  readonly #nextTurn = (): void => {
    this.#turnAsked = false;
    this.#budget = eventsPerTurn;
    this.resume();
  };
  #budget = eventsPerTurn;
  #turnAsked = false;
  #draining = false;
  #stopped = false;

  constructor(queue: SynchronousQueue, workers: Workers) {
    this.#queue = queue;
    this.#workers = workers;
    this.#leave = queue.onReady(() => this.resume());
  }

  resume(): void {
    // A synchronous handler that pushes, or frees a worker, is inside of this loop already.
    if (this.#draining || this.#stopped) return;
    this.#draining = true;
    const queue = this.#queue;
    const workers = this.#workers;
    while (this.#budget > 0 && workers.free > 0 && !this.#stopped) {
      const delivery = queue.tryPop();
      if (delivery === undefined) break;
      // The first one of a turn is always measured: when little happens, that is every event.
      workers.start(delivery, this.#budget === eventsPerTurn);
      this.#budget--;
    }
    this.#draining = false;
    if (this.#turnAsked || this.#budget === eventsPerTurn) return;
    this.#turnAsked = true;
    setImmediate(this.#nextTurn);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#leave();
  }
}

/** After a failed pop the next one comes after this long, doubled at each failure up to the longest, in milliseconds. */
const firstPauseMs = 100;
const longestPauseMs = 10_000;

/** Takes by `popMany`, one call at a time, for as many workers as are free. */
export class PullingIntake implements Intake {
  readonly #queue: MessageQueue;
  readonly #workers: Workers;
  readonly #clock: Clock;
  readonly #report: ReportError;
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  #wake: (() => void) | undefined;

  constructor(queue: MessageQueue, workers: Workers, clock: Clock, report: ReportError) {
    this.#queue = queue;
    this.#workers = workers;
    this.#clock = clock;
    this.#report = report;
    this.#ended = this.#run();
  }

  resume(): void {
    this.#wake?.();
  }

  stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake?.();
    return this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted) {
      if (this.#workers.free <= 0) {
        await this.#pause(Infinity);
        continue;
      }
      try {
        const deliveries = await this.#queue.popMany(this.#workers.free, { signal });
        failures = 0;
        for (const delivery of deliveries) await this.#hand(delivery, delivery === deliveries[0]);
      } catch (error) {
        if (signal.aborted || isNqError(error, 'NQ_CLOSED')) return;
        this.#report(error, { phase: 'pop' });
        await this.#pause(Math.min(longestPauseMs, firstPauseMs * 2 ** failures++));
      }
    }
  }

  /** To a worker; or back, if none is free any more or we were stopped meanwhile. */
  async #hand(delivery: Delivery, first: boolean): Promise<void> {
    if (this.#workers.free > 0 && !this.#stopping.signal.aborted) this.#workers.start(delivery, first);
    else await delivery.nack();
  }

  /** Until something changes, or for `ms`. */
  #pause(ms: number): Promise<void> {
    if (this.#stopping.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      let timer: Timer | undefined;
      const end = (): void => {
        timer?.cancel();
        this.#wake = undefined;
        resolve();
      };
      if (ms === Infinity) this.#wake = end;
      else {
        timer = this.#clock.schedule(end, ms);
        this.#stopping.signal.addEventListener('abort', end, { once: true });
      }
    });
  }
}
