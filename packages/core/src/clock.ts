/** A scheduled callback. */
export interface Timer {
  /** Prevents the callback if it has not run yet. Safe to call at any time, any number of times. */
  cancel(): void;
}

/** How a callback is scheduled. */
export interface ScheduleOptions {
  /** Whether the timer keeps the process alive. @default true */
  readonly keepAlive?: boolean;
}

/** The only place from which nq learns time and chance, but for the ids of events; tests put their own in its place. */
export interface Clock {
  /** Milliseconds since an arbitrary moment, never going back: for durations and deadlines. */
  now(): number;
  /** Milliseconds since the Unix epoch, as the machine believes it: for the `time` of an event. */
  date(): number;
  /** Runs `callback` once, no sooner than `delayMs` milliseconds from now. */
  schedule(callback: () => void, delayMs: number, options?: ScheduleOptions): Timer;
  /** A number from 0 up to but not including 1. */
  random(): number;
}

/** The longest delay that `setTimeout` takes; a longer one would fire at once (Node.js documentation of `setTimeout`). */
const longestTimeoutMs = 2 ** 31 - 1;

class SystemTimer implements Timer {
  readonly #callback: () => void;
  readonly #keepAlive: boolean;
  readonly #dueAt: number;
  #handle: NodeJS.Timeout | undefined;

  constructor(callback: () => void, delayMs: number, keepAlive: boolean) {
    this.#callback = callback;
    this.#keepAlive = keepAlive;
    this.#dueAt = performance.now() + delayMs;
    this.#arm(delayMs);
  }

  #arm(delayMs: number): void {
    this.#handle = setTimeout(() => this.#fire(), Math.min(Math.ceil(delayMs), longestTimeoutMs));
    if (!this.#keepAlive) this.#handle.unref();
  }

  /** `setTimeout` counts in whole milliseconds of the event loop's own clock, so it may be early by a part of one. */
  #fire(): void {
    const leftMs = this.#dueAt - performance.now();
    if (leftMs > 0) this.#arm(leftMs);
    else this.#callback();
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }
}

/** The time and the chance of this machine. */
export const systemClock: Clock = Object.freeze({
  now: () => performance.now(),
  date: () => Date.now(),
  schedule: (callback: () => void, delayMs: number, options?: ScheduleOptions): Timer =>
    new SystemTimer(callback, Math.max(0, delayMs), options?.keepAlive ?? true),
  random: () => Math.random(),
});
