import type { Clock, Timer } from '@nq/core';

/** What is watched. */
export interface IdleWatchParts {
  readonly clock: Clock;
  /** After how long without a call, and with nothing in hand, it is idle, in milliseconds. */
  readonly idleMs: number;
  /** Whether something is in hand, or there is nothing to leave. */
  readonly isBusy: () => boolean;
  readonly onIdle: () => void;
}

/** Sees when nobody uses a consumer any more: a partition has one reader, and one that does not pop keeps others from it. */
export class IdleWatch {
  readonly #parts: IdleWatchParts;
  /** How many calls are under way. */
  #calls = 0;
  #timer: Timer | undefined;

  constructor(parts: IdleWatchParts) {
    this.#parts = parts;
  }

  /** What `call` resolves, during which it is not idle. */
  async during<Result>(call: () => Promise<Result>): Promise<Result> {
    this.#calls++;
    this.cancel();
    try {
      return await call();
    } finally {
      this.#calls--;
      this.look();
    }
  }

  /** Something may have ended. */
  look(): void {
    const { clock, idleMs, isBusy, onIdle } = this.#parts;
    const isIdle = (): boolean => this.#calls === 0 && !isBusy();
    if (!isIdle()) return;
    this.cancel();
    const end = (): void => {
      if (isIdle()) onIdle();
    };
    this.#timer = clock.schedule(end, idleMs, { keepAlive: false });
  }

  cancel(): void {
    this.#timer?.cancel();
  }
}
