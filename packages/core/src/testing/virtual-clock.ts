import { checkMs, checkOptions } from '../check.ts';
import type { Clock, Timer } from '../clock.ts';
import { Heap } from '../heap.ts';
import { randomFrom } from '../random.ts';

/** How a virtual clock starts. */
export interface VirtualClockOptions {
  /** The first value of `date()`, in milliseconds since the Unix epoch. @default 0 */
  readonly startDate?: number | undefined;
  /** Where its chance begins: the same seed, the same numbers. @default 1 */
  readonly seed?: number | undefined;
}

/** A {@link Clock} that a test moves by hand. */
export interface VirtualClock extends Clock {
  /**
   * Moves time on by `ms`, runs what is due on the way in the order of its time, and resolves when what that set in
   * motion (promises, ticks, immediates) has come to rest.
   */
  advance(ms: number): Promise<void>;
  /** Moves time on, from timer to timer, whenever everything has come to rest, until `work` has settled. Resolves its result. */
  run<Result>(work: Promise<Result>): Promise<Result>;
  /** Resolves when what is in motion has come to rest, without moving time. */
  settle(): Promise<void>;
  /** How many timers are scheduled: 0 when nothing was left behind. */
  readonly timers: number;
}

/**
 * Turns of the event loop after which everything is at rest that does not wait for time: a driver call, its answer, what
 * the caller does with it, and the batching of blocked producers take one each.
 */
const turnsToRest = 8;

interface VirtualTimer {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/** A clock that stands still until it is advanced. Starts at `now() === 0`. */
export function virtualClock(options: VirtualClockOptions = {}): VirtualClock {
  checkOptions('Cannot make a virtual clock', options, ['startDate', 'seed']);
  const { startDate = 0, seed = 1 } = options;
  const due = new Heap<VirtualTimer>((a, b) => a.at - b.at || a.order - b.order);
  let now = 0;
  let scheduled = 0;
  let live = 0;

  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const settle = async (): Promise<void> => {
    for (let turns = 0; turns < turnsToRest; turns++) await turn();
  };
  /** Runs the timer that is due first, if it is due by `target`. @returns whether there was one, also a cancelled one. */
  const runNext = (target: number): boolean => {
    const next = due.peek();
    if (next === undefined || next.at > target) return false;
    due.take();
    if (next.cancelled) return true;
    next.cancelled = true;
    live--;
    now = Math.max(now, next.at);
    try {
      next.run();
    } catch (error) {
      // As with a timer of the system: an exception that nobody catches, not one of who waits for the time.
      setImmediate(() => {
        throw error;
      });
    }
    return true;
  };

  return {
    now: () => now,
    date: () => startDate + now,
    random: randomFrom(seed),
    schedule(callback: () => void, delayMs: number): Timer {
      const timer: VirtualTimer = {
        at: now + Math.max(0, delayMs),
        order: scheduled++,
        run: callback,
        cancelled: false,
      };
      // What would come at the end of all days never does, but it counts as a timer until it is cancelled.
      if (timer.at !== Infinity) due.add(timer);
      live++;
      return {
        cancel() {
          if (!timer.cancelled) live--;
          timer.cancelled = true;
        },
      };
    },
    async advance(ms: number): Promise<void> {
      checkMs('Cannot advance', 'ms', ms);
      const target = now + ms;
      await settle();
      while (runNext(target)) await settle();
      now = target;
    },
    async run<Result>(work: Promise<Result>): Promise<Result> {
      const state = { settled: false };
      const end = (): void => {
        state.settled = true;
      };
      work.then(end, end);
      while (!state.settled) {
        for (let turns = 0; turns < turnsToRest && !state.settled; turns++) await turn();
        if (!state.settled) runNext(Infinity);
      }
      return work;
    },
    settle,
    get timers() {
      return live;
    },
  };
}
