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
  /**
   * In the time of its {@link WaitLimits}, which is never below zero; `Infinity` for a call that waits for ever. Below zero
   * until the end of the turn of the event loop in which it began to wait: the longest wait, negated.
   */
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
  last: Waiter<Item, Result> | null = null;
  length = 0;
  /** How many have a time limit that is not a deadline yet: they began to wait in this turn, so they are among the last. */
  fresh = 0;
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
    waiter.previous = this.last;
    if (this.last === null) this.first = waiter;
    else this.last.next = waiter;
    this.last = waiter;
    this.length++;
  }

  leave(waiter: Waiter<Item, Result>): void {
    const { previous, next } = waiter;
    if (previous === null) this.first = next;
    else previous.next = next;
    if (next === null) this.last = previous;
    else next.previous = previous;
    if (waiter.limits !== null) waiter.limits.lift(waiter);
    waiter.line = waiter.next = waiter.previous = null;
    this.length--;
  }
}

/** One listener on one signal, for all waiting calls that were given this signal. */
class SignalWatch {
  readonly signal: AbortSignal;
  readonly listener: () => void;
  waiters = 0;
  /** The waiter that came last: the only one, where every call brings a signal of its own. */
  // oxlint-disable-next-line no-explicit-any -- of a line of any kind
  latest: Waiter<any, any> | null = null;

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
 *
 * What has to be set up and what is no longer needed is looked at once per turn of the event loop: most calls wait for
 * less, and a busy caller comes back with the same signal right away. The time of a call counts from the end of the turn
 * in which it was made, so it is never too short.
 */
export class WaitLimits {
  readonly #clock: Clock;
  /** When time begins here: a clock counts from an arbitrary moment, and may well be below zero. */
  readonly #origin: number;
  // oxlint-disable-next-line no-explicit-any -- lines of several kinds of waiters share one timer
  readonly #lines: readonly WaitingLine<any, any>[];
  readonly #watches = new Map<AbortSignal, SignalWatch>();
  readonly #sweep = (): void => this.#expire();
  readonly #endTurn = (): void => this.#tidy();
  #turnEnds = false;
  #timer: Timer | undefined;
  #timerAt = Infinity;
  /** How many waiting calls have a deadline. */
  #timed = 0;

  // oxlint-disable-next-line no-explicit-any -- as above
  constructor(clock: Clock, lines: readonly WaitingLine<any, any>[]) {
    this.#clock = clock;
    this.#origin = clock.now();
    this.#lines = lines;
  }

  /** Puts `waiter` under the limits of `options`, with a `timeoutMs` above 0. It stands in its line already. */
  apply<Item, Result>(waiter: Waiter<Item, Result>, options: WaitOptions): void {
    const { signal, timeoutMs } = options;
    waiter.limits = this;
    if (signal !== undefined) this.#watch(waiter, signal);
    if (timeoutMs === undefined || timeoutMs === Infinity) return;
    waiter.deadline = -timeoutMs;
    (waiter.line as WaitingLine<Item, Result>).fresh++;
    this.#timed++;
    this.#tidySoon();
  }

  /** Takes `waiter` out of the limits. It still stands in its line. */
  lift<Item, Result>(waiter: Waiter<Item, Result>): void {
    const { watch, line } = waiter;
    waiter.limits = waiter.watch = null;
    if (waiter.deadline < 0) (line as WaitingLine<Item, Result>).fresh--;
    if (watch !== null && --watch.waiters === 0) this.#tidySoon();
    if (waiter.deadline !== Infinity && --this.#timed === 0) this.#tidySoon();
  }

  /** Lets go of the timer and of every listener. Every waiter has left its line before. */
  close(): void {
    this.#tidy();
  }

  #now(): number {
    return this.#clock.now() - this.#origin;
  }

  #watch<Item, Result>(waiter: Waiter<Item, Result>, signal: AbortSignal): void {
    let watch = this.#watches.get(signal);
    if (watch === undefined) {
      watch = new SignalWatch(signal, (aborted) => this.#abort(aborted));
      this.#watches.set(signal, watch);
    }
    watch.waiters++;
    watch.latest = waiter;
    waiter.watch = watch;
  }

  #abort(watch: SignalWatch): void {
    const { latest } = watch;
    if (watch.waiters === 1 && latest?.watch === watch) {
      this.#abortOne(latest, watch);
      return;
    }
    // oxlint-disable-next-line no-explicit-any -- as above
    const aborted: Waiter<any, any>[] = [];
    for (const line of this.#lines) {
      for (let waiter = line.first; waiter !== null; waiter = waiter.next) {
        if (waiter.watch === watch) aborted.push(waiter);
      }
    }
    // Not while walking along the lines: who hears of it may let others join, or leave.
    for (const waiter of aborted) if (waiter.watch === watch) this.#abortOne(waiter, watch);
  }

  #abortOne<Item, Result>(waiter: Waiter<Item, Result>, { signal }: SignalWatch): void {
    const { line } = waiter;
    line?.leave(waiter);
    line?.onAbort(waiter, signal.reason);
  }

  #tidySoon(): void {
    if (this.#turnEnds) return;
    this.#turnEnds = true;
    setImmediate(this.#endTurn);
  }

  #tidy(): void {
    this.#turnEnds = false;
    this.#setDeadlines();
    if (this.#timed === 0) this.#disarm();
    for (const [signal, { listener, waiters }] of this.#watches) {
      if (waiters > 0) continue;
      signal.removeEventListener('abort', listener);
      this.#watches.delete(signal);
    }
  }

  /** The fresh waiters are looked for in their lines: a list of them would keep those alive who have been served by now. */
  #setDeadlines(): void {
    if (this.#lines.every((line) => line.fresh === 0)) return;
    const now = this.#now();
    let first = Infinity;
    for (const line of this.#lines) {
      for (let waiter = line.last; line.fresh > 0 && waiter !== null; waiter = waiter.previous) {
        if (waiter.deadline >= 0) continue;
        line.fresh--;
        waiter.deadline = now - waiter.deadline;
        if (waiter.deadline < first) first = waiter.deadline;
      }
    }
    if (first < this.#timerAt) this.#arm(first, first - now);
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
    this.#disarm();
    this.#setDeadlines();
    const now = this.#now();
    let nextDeadline = Infinity;
    // oxlint-disable-next-line no-explicit-any -- as above
    const late: Waiter<any, any>[] = [];
    for (const line of this.#lines) {
      for (let waiter = line.first; waiter !== null; waiter = waiter.next) {
        if (waiter.deadline <= now) late.push(waiter);
        else if (waiter.deadline < nextDeadline) nextDeadline = waiter.deadline;
      }
    }
    // As with an abort: not while walking along the lines.
    for (const waiter of late) {
      const { line } = waiter;
      line?.leave(waiter);
      line?.onTimeout(waiter);
    }
    if (nextDeadline === Infinity) return;
    const after = this.#now();
    const soonest = Math.max(nextDeadline, after + (after - now) * sweepPause);
    this.#arm(soonest, soonest - after);
  }
}
