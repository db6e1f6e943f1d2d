import type { Timer } from './clock.ts';
import type { Handler, HandlerContext } from './handler.ts';
import type { Delivery } from './queue.ts';

/** An object of its own, because few runs are measured: a number here would cost every run a box for it. */
export interface Measured {
  /** In the time of the clock. */
  readonly startedAt: number;
}

/** One delivery on its way through its handlers: what handlers see of it, and where it stands. */
export class HandlerRun implements HandlerContext {
  readonly delivery: Delivery;
  readonly handlers: readonly Handler[];
  /** When the run began; `undefined` for one that is not measured. */
  readonly measured: Measured | undefined;
  /** The handler that runs, or that failed. */
  index = 0;
  retry = 0;
  #controller: AbortController | undefined;

  constructor(delivery: Delivery, handlers: readonly Handler[], measured: Measured | undefined) {
    this.delivery = delivery;
    this.handlers = handlers;
    this.measured = measured;
  }

  get attempt(): number {
    return this.delivery.attempt;
  }

  get waitedMs(): number | undefined {
    return this.delivery.waitedMs;
  }

  /** Made when it is first asked for: an `AbortController` per event would cost more than all the rest on Node 20. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      const lease = this.delivery.signal;
      if (lease.aborted) controller.abort(lease.reason);
      else lease.addEventListener('abort', () => controller.abort(lease.reason), { once: true });
      this.#controller = controller;
    }
    return this.#controller.signal;
  }

  /** Goes on to the next handler, which has not run yet. */
  advance(): void {
    this.index++;
    this.retry = 0;
  }

  /** Tells the handler, if it listens, that its result no longer counts. */
  abort(reason: unknown): void {
    this.#controller ??= new AbortController();
    this.#controller.abort(reason);
  }
}

/** One place for a handler that takes time. Its callbacks are made once, not for every event. */
export class Worker {
  /** What it works on; `null` for an idle one, and for one whose handler was given up on. */
  run: HandlerRun | null = null;
  /** The next idle worker, while it is idle. */
  nextIdle: Worker | null = null;
  /** The tick of the ticker for handler time-outs at which its time is over. */
  deadline = 0;
  /** The pause before its handler is run again in place. */
  pause: Timer | undefined;
  /** Whether it has been working on this run since before the last heartbeat of the leases. */
  beaten = false;
  readonly onFulfilled: (result: unknown) => void;
  readonly onRejected: (error: unknown) => void;

  constructor(boss: WorkerBoss) {
    this.onFulfilled = (result) => boss.fulfilled(this, result);
    this.onRejected = (error) => boss.rejected(this, error);
  }
}

/** Who is told how the handler of a worker has ended. */
interface WorkerBoss {
  fulfilled(worker: Worker, result: unknown): void;
  rejected(worker: Worker, error: unknown): void;
}
