import { checkMs, checkOptions } from '../check.ts';
import type { Clock, Timer } from '../clock.ts';
import { Heap } from '../heap.ts';

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
  let chance = seed >>> 0;

  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < turnsToRest; turn++) await new Promise((resolve) => setImmediate(resolve));
  };

  return {
    now: () => now,
    date: () => startDate + now,
    random: () => {
      // Mulberry32: 32 bits of state are enough for jitter, and it is the same everywhere.
      chance = (chance + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(chance ^ (chance >>> 15), chance | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
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
      for (let next = due.peek(); next !== undefined && next.at <= target; next = due.peek()) {
        due.take();
        if (next.cancelled) continue;
        next.cancelled = true;
        live--;
        now = Math.max(now, next.at);
        next.run();
        await settle();
      }
      now = target;
    },
    settle,
    get timers() {
      return live;
    },
  };
}
