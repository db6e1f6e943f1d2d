import type { Clock } from '@nq/core';
import type { KafkaFailure } from './kafka-failure.ts';

/** Why a membership is none at the moment, and whether it is worth waiting for another one. */
export class StandingFailure {
  readonly #clock: Clock;
  readonly #patienceMs: number;
  #failure: KafkaFailure | undefined;
  #since = 0;

  /** @param patienceMs how long a topic may be missing: a broker may not have heard yet of one that was just made. */
  constructor(clock: Clock, patienceMs: number) {
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  note(failure: KafkaFailure): void {
    if (this.#failure?.kind !== failure.kind) this.#since = this.#clock.now();
    this.#failure = failure;
  }

  clear(): void {
    this.#failure = undefined;
  }

  /** What no time mends; `undefined` if there is no such thing. */
  get final(): KafkaFailure | undefined {
    const isOld = this.#clock.now() - this.#since >= this.#patienceMs;
    const kind = this.#failure?.kind;
    return kind === 'refused' || (kind === 'missing' && isOld) ? this.#failure : undefined;
  }
}
