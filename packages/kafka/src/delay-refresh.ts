import type { Clock, Timer } from '@nq/core';

/** How often it is committed how long delays still last, in milliseconds: so much longer are those of a process that dies. */
const refreshMs = 5000;

/** Sees to it that how long delays still last is committed again: whoever has the partition next begins with what was committed. */
export class DelayRefresh {
  readonly #clock: Clock;
  readonly #isNeeded: () => boolean;
  readonly #refresh: () => void;
  #timer: Timer | undefined;

  /** @param isNeeded whether anything is delayed. @param refresh commits it. */
  constructor(clock: Clock, isNeeded: () => boolean, refresh: () => void) {
    this.#clock = clock;
    this.#isNeeded = isNeeded;
    this.#refresh = refresh;
  }

  /** Something may be delayed. */
  look(): void {
    if (this.#timer !== undefined || !this.#isNeeded()) return;
    const end = (): void => {
      this.#timer = undefined;
      if (!this.#isNeeded()) return;
      this.#refresh();
      this.look();
    };
    this.#timer = this.#clock.schedule(end, refreshMs, { keepAlive: false });
  }

  close(): void {
    this.#timer?.cancel();
  }
}
