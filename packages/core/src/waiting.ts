import type { Clock, Timer } from './clock.ts';
import type { WaitOptions } from './queue.ts';

/** One promise that many calls share when they have nothing to wait for: making one costs more than the call. */
export const done: Promise<void> = Promise.resolve();

/** A call that waits: for room with an `item` to store, or for an event. */
export class Waiter<Item, Result> {
  readonly item: Item;
  readonly promise: Promise<Result>;
  resolve!: (result: Result) => void;
  reject!: (reason: unknown) => void;
  /** In the time of the clock; `Infinity` for a call that waits for ever. */
  deadline = Infinity;
  /** The line in which it stands; `null` once it has been served or has given up. */
  line: WaitingLine<Item, Result> | null = null;
  next: Waiter<Item, Result> | null = null;
  previous: Waiter<Item, Result> | null = null;
  /** Who watches its deadline and its signal; `null` for a call without either. */
  limits: WaitLimits | null = null;
  watch: SignalWatch | null = null;

  constructor(item: Item) {
    this.item = item;
    this.promise = new Promise<Result>((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** Waiting calls, first come, first served. Leaving from the middle is as cheap as from the front. */
export class WaitingLine<Item, Result> {
  first: Waiter<Item, Result> | null = null;
  #last: Waiter<Item, Result> | null = null;
  length = 0;
  /** Settles a waiter whose time is over. It has left the line already. */
  readonly onTimeout: (waiter: Waiter<Item, Result>) => void;
  /** Settles a waiter whose signal was aborted. It has left the line already. */
  readonly onAbort: (waiter: Waiter<Item, Result>, reason: unknown) => void;

  /** @param onAbort by default rejects with the reason. */
  constructor(
    onTimeout: (waiter: Waiter<Item, Result>) => void,
    onAbort: (waiter: Waiter<Item, Result>, reason: unknown) => void = (waiter, reason) => waiter.reject(reason),
  ) {
    this.onTimeout = onTimeout;
    this.onAbort = onAbort;
  }

  join(waiter: Waiter<Item, Result>): void {
    waiter.line = this;
    waiter.previous = this.#last;
    if (this.#last === null) this.first = waiter;
    else this.#last.next = waiter;
    this.#last = waiter;
    this.length++;
  }

  leave(waiter: Waiter<Item, Result>): void {
    const { previous, next } = waiter;
    if (previous === null) this.first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    waiter.line = waiter.next = waiter.previous = null;
    this.length--;
    if (waiter.limits !== null) waiter.limits.lift(waiter);
  }
}

/** One listener on one signal, for all waiting calls that were given this signal. */
class SignalWatch {
  readonly signal: AbortSignal;
  readonly listener: () => void;
  waiters = 0;

  constructor(signal: AbortSignal, onAbort: (watch: SignalWatch) => void) {
    this.signal = signal;
    this.listener = () => onAbort(this);
    signal.addEventListener('abort', this.listener);
  }
}

/** While one sweep over all waiters takes `t`, the next comes no sooner than 20 t later: at most 5 % of the time. */
const sweepPause = 20;

/**
 * The deadlines and signals of all waiting calls of one queue: one timer and one listener per signal for all of them,
 * armed only while calls wait. A timer and a listener per call would cost ten times the call (`setTimeout` and
 * `clearTimeout` 334 ns, `addEventListener` and its removal 405 ns on Node 20, measured).
 */
export class WaitLimits {
  readonly #clock: Clock;
  // oxlint-disable-next-line no-explicit-any -- lines of several kinds of waiters share one timer
  readonly #lines: readonly WaitingLine<any, any>[];
  readonly #watches: SignalWatch[] = [];
  readonly #sweep = (): void => this.#expire();
  #timer: Timer | undefined;
  #timerAt = Infinity;
  /** How many waiting calls have a deadline. */
  #timed = 0;
  #tidying = false;

  // oxlint-disable-next-line no-explicit-any -- as above
  constructor(clock: Clock, lines: readonly WaitingLine<any, any>[]) {
    this.#clock = clock;
    this.#lines = lines;
  }

  /** Puts `waiter` under the limits of `options`. It stands in its line already. */
  apply<Item, Result>(waiter: Waiter<Item, Result>, options: WaitOptions): void {
    const { signal, timeoutMs } = options;
    waiter.limits = this;
    if (signal !== undefined) {
      waiter.watch = this.#watch(signal);
      waiter.watch.waiters++;
    }
    if (timeoutMs !== undefined && timeoutMs !== Infinity) {
      waiter.deadline = this.#clock.now() + timeoutMs;
      this.#timed++;
      if (waiter.deadline < this.#timerAt) this.#arm(waiter.deadline, timeoutMs);
    }
  }

  /** Takes `waiter` out of the limits: it has left its line. */
  lift<Item, Result>(waiter: Waiter<Item, Result>): void {
    const { watch } = waiter;
    waiter.limits = waiter.watch = null;
    if (watch !== null && --watch.waiters === 0) this.#tidySoon();
    if (waiter.deadline !== Infinity && --this.#timed === 0) this.#tidySoon();
  }

  /** Lets go of the timer and of every listener. Every waiter has left its line before. */
  close(): void {
    this.#disarm();
    for (const { signal, listener } of this.#watches) signal.removeEventListener('abort', listener);
    this.#watches.length = 0;
  }

  #watch(signal: AbortSignal): SignalWatch {
    for (const watch of this.#watches) if (watch.signal === signal) return watch;
    const watch = new SignalWatch(signal, (aborted) => this.#abort(aborted));
    this.#watches.push(watch);
    return watch;
  }

  #abort(watch: SignalWatch): void {
    for (const line of this.#lines) {
      for (let waiter = line.first; waiter !== null;) {
        const { next } = waiter;
        if (waiter.watch === watch) {
          line.leave(waiter);
          line.onAbort(waiter, watch.signal.reason);
        }
        waiter = next;
      }
    }
  }

  /**
   * Lets go of what no waiting call needs any more, once per turn of the event loop: a busy caller comes back with the
   * same signal and a new deadline right away.
   */
  #tidySoon(): void {
    if (this.#tidying) return;
    this.#tidying = true;
    setImmediate(() => {
      this.#tidying = false;
      if (this.#timed === 0) this.#disarm();
      for (let index = this.#watches.length - 1; index >= 0; index--) {
        const { signal, listener, waiters } = this.#watches[index] as SignalWatch;
        if (waiters > 0) continue;
        signal.removeEventListener('abort', listener);
        this.#watches.splice(index, 1);
      }
    });
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Infinity;
  }

  #arm(deadline: number, delayMs: number): void {
    this.#timer?.cancel();
    this.#timerAt = deadline;
    this.#timer = this.#clock.schedule(this.#sweep, delayMs);
  }

  #expire(): void {
    const now = this.#clock.now();
    let nextDeadline = Infinity;
    for (const line of this.#lines) {
      for (let waiter = line.first; waiter !== null;) {
        const { next } = waiter;
        if (waiter.deadline <= now) {
          line.leave(waiter);
          line.onTimeout(waiter);
        } else if (waiter.deadline < nextDeadline) nextDeadline = waiter.deadline;
        waiter = next;
      }
    }
    this.#disarm();
    if (nextDeadline === Infinity) return;
    const after = this.#clock.now();
    const soonest = after + (after - now) * sweepPause;
    this.#arm(Math.max(nextDeadline, soonest), Math.max(nextDeadline, soonest) - after);
  }
}
