import type { Clock, Timer } from '@nq/core';

/** Tells those who wait that something has changed: they look again at what they wait for. */
export class Changes {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Something has changed. */
  tell(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Resolves at the next change, after `limitMs`, or when `signal` aborts. Keeps no process alive. */
  next(limitMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        timer?.cancel();
        signal?.removeEventListener('abort', end);
        this.#waiting.delete(end);
        resolve();
      };
      const timer: Timer | undefined =
        limitMs === Infinity ? undefined : this.#clock.schedule(end, limitMs, { keepAlive: false });
      signal?.addEventListener('abort', end);
      this.#waiting.add(end);
    });
  }
}
