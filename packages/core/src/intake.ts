import type { Clock, Timer } from './clock.ts';
import type { ReportError } from './dispatcher-options.ts';
import { isNqError } from './errors.ts';
import type { Delivery, MessageQueue, SynchronousQueue } from './queue.ts';
import type { Workers } from './workers.ts';

/** Takes deliveries from a queue for free workers, never more than there are. */
export interface Intake {
  /** Goes on: a worker has become free. */
  resume(): void;
  /** Takes nothing any more. @returns the deliveries that no worker has got. */
  stop(): Promise<readonly Delivery[]>;
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
    try {
      this.#drain();
    } finally {
      this.#draining = false;
    }
    if (this.#turnAsked || this.#budget === eventsPerTurn) return;
    this.#turnAsked = true;
    setImmediate(this.#nextTurn);
  }

  async stop(): Promise<readonly Delivery[]> {
    this.#stopped = true;
    this.#leave();
    return [];
  }

  #drain(): void {
    const queue = this.#queue;
    const workers = this.#workers;
    while (this.#budget > 0 && workers.free > 0 && !this.#stopped) {
      const delivery = queue.tryPop();
      if (delivery === undefined) return;
      // The first one of a turn is always measured: when little happens, that is every event.
      workers.start(delivery, this.#budget === eventsPerTurn);
      this.#budget--;
    }
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
  /** What came after `stop()`. */
  readonly #leftOver: Delivery[] = [];
  readonly #ended: Promise<void>;
  /** Ends the wait for a free worker, and any wait. */
  #onFree: (() => void) | undefined;
  #onStop: (() => void) | undefined;

  constructor(queue: MessageQueue, workers: Workers, clock: Clock, report: ReportError) {
    this.#queue = queue;
    this.#workers = workers;
    this.#clock = clock;
    this.#report = report;
    this.#ended = this.#run();
  }

  resume(): void {
    this.#onFree?.();
  }

  async stop(): Promise<readonly Delivery[]> {
    this.#stopping.abort();
    this.#onStop?.();
    await this.#ended;
    return this.#leftOver;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    let takenInTurn = 0;
    while (!signal.aborted) {
      if (this.#workers.free <= 0) {
        await this.#freed();
        continue;
      }
      try {
        const deliveries = await this.#queue.popMany(this.#workers.free, { signal });
        failures = 0;
        takenInTurn += deliveries.length;
        for (const delivery of deliveries) {
          const back = this.#hand(delivery, delivery === deliveries[0]);
          if (back !== undefined) await back;
        }
      } catch (error) {
        if (signal.aborted || isNqError(error, 'NQ_CLOSED')) return;
        this.#report(error, { during: 'pop' });
        await this.#pause(Math.min(longestPauseMs, firstPauseMs * 2 ** failures++));
      }
      if (takenInTurn < eventsPerTurn) continue;
      // A queue that answers at once would never let a timer run.
      takenInTurn = 0;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** To a worker; or back, if none is free any more because their number was lowered meanwhile. */
  #hand(delivery: Delivery, first: boolean): Promise<void> | undefined {
    if (this.#stopping.signal.aborted) {
      this.#leftOver.push(delivery);
    } else if (this.#workers.free > 0) {
      this.#workers.start(delivery, first);
    } else {
      return delivery
        .nack()
        .catch((error: unknown) => this.#report(error, { during: 'settle', event: delivery.event }));
    }
    return undefined;
  }

  #freed(): Promise<void> {
    return new Promise((resolve) => {
      this.#onFree = this.#onStop = () => {
        this.#onFree = this.#onStop = undefined;
        resolve();
      };
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer: Timer = this.#clock.schedule(() => this.#onStop?.(), ms);
      this.#onStop = () => {
        timer.cancel();
        this.#onStop = undefined;
        resolve();
      };
    });
  }
}
