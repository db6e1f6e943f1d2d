import type { Clock, Timer } from './clock.ts';

/** The most ticks in one full duration. A tick is never shorter than a millisecond, which timers cannot tell apart. */
const mostTicks = 16;

/** How late a timer of an idle event loop may be, in milliseconds: `setTimeout` counts whole ones, and rounds up. */
const timerSlackMs = 2;

/**
 * Deadlines that are all the same duration away, without reading a clock for each (50 ns, half of what a delivery
 * costs): a counter that grows up to 16 times per duration, and only while something runs.
 *
 * The ticks of one duration last it and {@link timerSlackMs} more. By so much a tick that came late makes the next one
 * come sooner, so that what timers are late by does not add up; what it is late by beyond that, because something held
 * the event loop, is never made up for. So a deadline is met no sooner than the duration, and, as the tick in which
 * something starts may have just begun, at most 1/16 and a few milliseconds later; with a duration below 16 ms, which has
 * a tick per millisecond, at most one tick and these milliseconds later.
 */
export class Ticker {
  readonly #clock: Clock;
  readonly #ticks: number;
  readonly #intervalMs: number;
  readonly #onTick: () => boolean;
  readonly #keepAlive: boolean;
  #timer: Timer | undefined;
  /** When the last tick was due, or the next one is. */
  #dueAt = 0;
  /** The number of the current tick. */
  tick = 0;

  /** @param onTick is called after each tick and says whether something still runs: if not, the ticking pauses. */
  constructor(clock: Clock, durationMs: number, keepAlive: boolean, onTick: () => boolean) {
    this.#clock = clock;
    this.#ticks = Math.max(1, Math.min(mostTicks, Math.floor(durationMs)));
    this.#intervalMs = (durationMs + timerSlackMs) / this.#ticks;
    this.#keepAlive = keepAlive;
    this.#onTick = onTick;
  }

  /**
   * The tick at which something that starts now has run its duration: whole ticks are counted from the next one on. Starts
   * the ticking.
   */
  deadline(): number {
    if (this.#timer === undefined) this.#start();
    return this.tick + 1 + this.#ticks;
  }

  /** The tick at which `ms` milliseconds will have passed. Starts the ticking. */
  deadlineIn(ms: number): number {
    if (this.#timer === undefined) this.#start();
    return this.tick + 1 + Math.ceil((ms + timerSlackMs) / this.#intervalMs);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** The first tick ends soon, so that what starts with it does not wait for the rest of it too. */
  #start(): void {
    this.#dueAt = this.#clock.now();
    this.#timer = this.#schedule(() => this.#advance(false), 0);
  }

  #advance(mayPause: boolean): void {
    this.#timer = undefined;
    this.tick++;
    if ((mayPause && !this.#onTick()) || this.#timer !== undefined) return;
    const now = this.#clock.now();
    this.#dueAt = Math.max(this.#dueAt, now - timerSlackMs) + this.#intervalMs;
    this.#timer = this.#schedule(() => this.#advance(true), this.#dueAt - now);
  }

  #schedule(advance: () => void, delayMs: number): Timer {
    return this.#clock.schedule(advance, delayMs, { keepAlive: this.#keepAlive });
  }
}
