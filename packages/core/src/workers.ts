import type { AckOrder } from './ack-order.ts';
import type { Capabilities } from './capabilities.ts';
import type { Clock, Timer } from './clock.ts';
import type { DispatcherCounters, ReportError } from './dispatcher-options.ts';
import { NqError } from './errors.ts';
import type { QueueEvent } from './event.ts';
import type { Handler, HandlerContext, Handlers } from './handler.ts';
import { HandlerRun, type Measured, Worker } from './handler-run.ts';
import type { Histogram } from './histogram.ts';
import type { HandlerStack } from './handler-stack.ts';
import { InlineDelivery } from './inline-delivery.ts';
import { isOutcome, type Outcome } from './outcome.ts';
import type { Delivery } from './queue.ts';
import type { RetryPlan } from './retry.ts';
import { isLeaseEnd, type Settlement } from './settlement.ts';
import { Ticker } from './ticker.ts';
import { done } from './waiting.ts';

/** What workers need of their dispatcher. */
export interface WorkersParts {
  readonly stack: HandlerStack;
  readonly handlers: Handlers;
  readonly settlement: Settlement;
  readonly plan: RetryPlan;
  readonly clock: Clock;
  readonly lease: Capabilities['lease'];
  /** For a queue that acknowledges cumulatively. */
  readonly ackOrder: AckOrder | undefined;
  readonly handlerTimeoutMs: number;
  /** One in this many events is measured; a power of two. */
  readonly sampleEvery: number;
  readonly timeInQueueMs: Histogram;
  readonly handlerMs: Histogram;
  readonly counters: DispatcherCounters;
  readonly report: ReportError;
  /** Called when a worker has become free. */
  readonly onFree: () => void;
}

/** What became of the deliveries that were still open when time was up. */
export interface LeftOver {
  readonly returned: number;
  readonly abandoned: number;
  /** The event whose handler has called `stop()`, if it has not ended at once. */
  readonly stopper: QueueEvent | undefined;
}

/** How long giving events back may take once time is up, in milliseconds: the backend may be the reason why it is. */
const giveBackMs = 1000;
/**
 * Leases are renewed every sixth of them, what is younger than that not yet: the first time after one to two sixths, so
 * that three renewals in a row may fail before a lease is lost.
 */
const beatsPerLease = 6;

/**
 * Runs handlers, at most `limit` of those that take time at once. A synchronous handler is run and settled in line and
 * costs no promise; only one that returns a promise occupies a worker.
 */
export class Workers {
  readonly #parts: WorkersParts;
  /** All of them, busy or idle; the idle ones are chained besides, from the one that worked last. */
  readonly #workers = new Set<Worker>();
  #firstIdle: Worker | null = null;
  /** How many are busy. */
  running = 0;
  readonly #timeouts: Ticker | undefined;
  #beat: Timer | undefined;
  #closed = false;
  readonly #sampleMask: number;
  #started = 0;
  limit = 0;
  /** Those who wait for a condition, and how often it may have changed. */
  #conditions: (() => void)[] = [];
  #changes = 0;

  constructor(parts: WorkersParts) {
    this.#parts = parts;
    this.#sampleMask = parts.sampleEvery - 1;
    const { handlerTimeoutMs, clock } = parts;
    if (handlerTimeoutMs !== Infinity)
      this.#timeouts = new Ticker(clock, handlerTimeoutMs, false, () => this.#expire());
  }

  /** How many more handlers may run. */
  get free(): number {
    return this.limit - this.running;
  }

  /** Whether nothing runs and nothing is being settled. */
  get idle(): boolean {
    return this.running === 0 && this.#parts.settlement.pending === 0;
  }

  /**
   * Runs the handlers of `delivery` and settles it. Never throws.
   *
   * @param measure whether it is measured in any case; otherwise one in `sampleEvery` is.
   */
  start(delivery: Delivery, measure: boolean): void {
    const { handlers, settlement, ackOrder } = this.#parts;
    // An inline delivery never was in the queue.
    if (ackOrder !== undefined && !(delivery instanceof InlineDelivery)) ackOrder.begin(delivery);
    const chain = handlers.of(delivery.event.type);
    if (chain.length === 0) {
      settlement.refuseUnknownType(delivery);
      return;
    }
    const measured = (this.#started++ & this.#sampleMask) === 0 || measure ? this.#measure(delivery) : undefined;
    this.#execute(new HandlerRun(delivery, chain, measured), null);
  }

  /** Tells those who wait for a condition that something has changed. */
  changed(): void {
    this.#changes++;
    for (const check of this.#conditions) check();
  }

  /** Resolves `true` once `condition` holds, `false` after `timeoutMs`. */
  until(condition: () => boolean, timeoutMs: number): Promise<boolean> {
    if (condition()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (held: boolean): void => {
        timer?.cancel();
        this.#conditions = this.#conditions.filter((one) => one !== check);
        resolve(held);
      };
      const check = (): void => {
        if (condition()) end(true);
      };
      const timer = timeoutMs === Infinity ? undefined : this.#parts.clock.schedule(() => end(false), timeoutMs);
      this.#conditions = [...this.#conditions, check];
    });
  }

  /** Resolves at the next change, or after `timeoutMs`. */
  nextChange(timeoutMs: number): Promise<boolean> {
    const seen = this.#changes;
    return this.until(() => this.#changes !== seen, timeoutMs);
  }

  /**
   * Gives `notStarted` back, waits until everything is settled but the run whose handler has called `stop()`, and after
   * `deadlineMs` tells the handlers that still run and gives their events back.
   */
  async finish(deadlineMs: number, notStarted: readonly Delivery[]): Promise<LeftOver> {
    const { settlement, stack } = this.#parts;
    // If a handler called us, it becomes a busy worker only after it has returned its promise.
    await done;
    const except = stack.takeStopper();
    let stopper: QueueEvent | undefined;
    for (const { run } of this.#workers) if (run !== null && run === except) stopper = run.delivery.event;
    const ended = (): boolean => {
      for (const { run } of this.#workers) if (run !== null && run !== except) return false;
      return settlement.pending === 0;
    };
    const returning = settlement.stop();
    for (const delivery of notStarted) returning.push(settlement.giveBack(delivery));
    if (!(await this.until(ended, deadlineMs))) returning.push(...this.#cutOff(except));
    const taken = await this.#inTime(returning);
    const returned = taken.filter((one) => one).length;
    return { returned, abandoned: taken.length - returned + settlement.pending, stopper };
  }

  /** Lets go of every timer. */
  close(): void {
    this.#timeouts?.stop();
    this.#beat?.cancel();
    this.#beat = undefined;
    this.#closed = true;
  }

  #measure(delivery: Delivery): Measured {
    const { waitedMs } = delivery;
    if (waitedMs !== undefined && delivery.attempt === 1) this.#parts.timeInQueueMs.record(waitedMs);
    return { startedAt: this.#parts.clock.now() };
  }

  /** Runs the handlers from `run.index` on, in line as long as they answer at once. */
  #execute(run: HandlerRun, worker: Worker | null): void {
    const { handlers } = run;
    const { event } = run.delivery;
    const { stack } = this.#parts;
    let occupied = worker;
    let outcome: Outcome | undefined;
    const before = stack.enter();
    try {
      for (; run.index < handlers.length; run.advance()) {
        const result = (handlers[run.index] as Handler)(event, run);
        if (result === undefined || result === null) continue;
        if (isThenable(result)) {
          occupied ??= this.#occupy(run);
          this.#wait(occupied, result);
          stack.leave(run, before);
          return;
        }
        if (isOutcome(result)) {
          outcome = result;
          break;
        }
      }
    } catch (error) {
      stack.leave(run, before);
      this.#failed(run, occupied, error);
      return;
    }
    stack.leave(run, before);
    this.#ended(run, occupied, outcome);
  }

  #wait(worker: Worker, result: PromiseLike<unknown>): void {
    if (this.#timeouts !== undefined) worker.deadline = this.#timeouts.deadline();
    // The native `then` calls back once. Any other may do so twice, at once, or throw; a promise made of it does not.
    try {
      const promise = result.then === nativeThen ? result : promiseOf(result);
      promise.then(worker.onFulfilled, worker.onRejected);
    } catch {
      // It is no promise, although it has the native `then`.
      void promiseOf(result).then(worker.onFulfilled, worker.onRejected);
    }
  }

  fulfilled(worker: Worker, result: unknown): void {
    const { run } = worker;
    if (run === null) return;
    if (isOutcome(result)) {
      this.#ended(run, worker, result);
      return;
    }
    run.advance();
    if (run.index < run.handlers.length) this.#execute(run, worker);
    else this.#ended(run, worker, undefined);
  }

  rejected(worker: Worker, error: unknown): void {
    if (worker.run !== null) this.#failed(worker.run, worker, error);
  }

  #ended(run: HandlerRun, worker: Worker | null, outcome: Outcome | undefined): void {
    const { settlement } = this.#parts;
    if (outcome === undefined) settlement.acknowledge(run.delivery);
    else settlement.follow(run.delivery, outcome);
    this.#leave(run, worker);
  }

  /** Runs the handler again in place, as often as the plan says; then the event goes back to its queue. */
  #failed(run: HandlerRun, worker: Worker | null, error: unknown): void {
    const { plan, counters, report, settlement, clock } = this.#parts;
    counters.failed++;
    report(error, { during: 'handle', event: run.delivery.event });
    if (run.retry >= plan.inPlace) {
      settlement.fail(run.delivery, error);
      this.#leave(run, worker);
      return;
    }
    run.retry++;
    counters.retried++;
    const occupied = worker ?? this.#occupy(run);
    // Between two runs no handler can be late.
    occupied.deadline = Infinity;
    occupied.pause = clock.schedule(() => {
      occupied.pause = undefined;
      this.#execute(run, occupied);
    }, plan.inPlaceDelay(run.retry));
  }

  #leave(run: HandlerRun, worker: Worker | null): void {
    const { measured } = run;
    if (measured !== undefined) this.#parts.handlerMs.record(this.#parts.clock.now() - measured.startedAt);
    if (worker === null) {
      if (this.#conditions.length > 0) this.changed();
      return;
    }
    worker.run = null;
    worker.nextIdle = this.#firstIdle;
    this.#firstIdle = worker;
    this.running--;
    this.#freed();
  }

  #freed(): void {
    if (this.#conditions.length > 0) this.changed();
    this.#parts.onFree();
  }

  #occupy(run: HandlerRun): Worker {
    let worker = this.#firstIdle;
    if (worker === null) {
      worker = new Worker(this);
      this.#workers.add(worker);
    } else this.#firstIdle = worker.nextIdle;
    worker.run = run;
    worker.beaten = false;
    this.running++;
    if (this.#beat === undefined) this.startBeat();
    return worker;
  }

  /** Ends the work of `worker` from outside. Its handler may go on, but nobody listens to it any more. */
  #giveUpOn(worker: Worker, reason: NqError): Delivery {
    const run = worker.run as HandlerRun;
    worker.pause?.cancel();
    worker.run = null;
    this.#workers.delete(worker);
    this.running--;
    run.abort(reason);
    return run.delivery;
  }

  /** Ends what has run for too long: the event is retried as after any failure. */
  #expire(): boolean {
    const { tick } = this.#timeouts as Ticker;
    const { handlerTimeoutMs, counters, report, settlement } = this.#parts;
    for (const worker of this.#workers) {
      if (worker.run === null || worker.deadline > tick) continue;
      const error = new NqError('NQ_HANDLER_TIMEOUT', `The handler did not end within ${handlerTimeoutMs} ms`);
      const delivery = this.#giveUpOn(worker, error);
      counters.failed++;
      counters.timedOut++;
      report(error, { during: 'handle', event: delivery.event });
      settlement.fail(delivery, error);
      this.#freed();
    }
    return this.running > 0;
  }

  #cutOff(except: HandlerContext | undefined): Promise<boolean>[] {
    const error = new NqError('NQ_STOPPED', 'The dispatcher was stopped before the handler ended');
    const returning: Promise<boolean>[] = [];
    for (const worker of this.#workers) {
      if (worker.run === null || worker.run === except) continue;
      const delivery = this.#giveUpOn(worker, error);
      const returned = this.#parts.settlement.giveBack(delivery);
      // What never was in the queue does not go back to it: whoever dispatched it is told.
      if (!(delivery instanceof InlineDelivery)) returning.push(returned);
    }
    return returning;
  }

  /** What each of `answers` said, `false` for one that takes longer than {@link giveBackMs}. */
  async #inTime(answers: readonly Promise<boolean>[]): Promise<readonly boolean[]> {
    if (answers.length === 0) return [];
    const { promise, timer } = this.#after(giveBackMs);
    const taken = await Promise.all(answers.map((answer) => Promise.race([answer, promise])));
    timer.cancel();
    return taken;
  }

  #after(ms: number): { readonly promise: Promise<false>; readonly timer: Timer } {
    let end: (value: false) => void = () => {};
    const promise = new Promise<false>((resolve) => (end = resolve));
    return { promise, timer: this.#parts.clock.schedule(() => end(false), ms) };
  }

  /** Renews the leases of what takes long, also of what no worker has, as long as there is any of it. */
  startBeat(): void {
    const { lease, clock, settlement } = this.#parts;
    if (this.#beat !== undefined || this.#closed || lease === false || !lease.extend) return;
    const beat = (): void => {
      this.#beat = undefined;
      const deliveries = [...settlement.unattended];
      for (const worker of this.#workers) {
        if (worker.run !== null && worker.beaten) deliveries.push(worker.run.delivery);
        worker.beaten = true;
      }
      for (const delivery of deliveries) void this.#extend(delivery, lease.ms);
      if (this.running > 0 || deliveries.length > 0) this.startBeat();
    };
    this.#beat = clock.schedule(beat, lease.ms / beatsPerLease, { keepAlive: false });
  }

  async #extend(delivery: Delivery, ms: number): Promise<void> {
    try {
      await delivery.extend(ms);
    } catch (error) {
      // What is lost, settled or closed by now is told where the delivery is settled.
      if (isLeaseEnd(error)) return;
      this.#parts.report(error, { during: 'settle', event: delivery.event });
    }
  }
}

const nativeThen = Promise.prototype.then;

function promiseOf(value: PromiseLike<unknown>): Promise<unknown> {
  return new Promise((resolve) => resolve(value));
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as Partial<PromiseLike<unknown>>).then === 'function';
}
