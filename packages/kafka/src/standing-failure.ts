import type { Clock } from '@nq/core';
import type { FailureKind, KafkaFailure } from './kafka-failure.ts';

/** What time alone does not mend, or may not for long: whoever waits is told. */
const finalKinds: ReadonlySet<FailureKind> = new Set(['refused', 'missing', 'unreadable', 'codec']);

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

  /** @param failure `undefined` if it is over. */
  note(failure: KafkaFailure | undefined): void {
    if (this.#failure?.kind !== failure?.kind) this.#since = this.#clock.now();
    this.#failure = failure;
  }

  /** Records have come: nothing that keeps them all away stands any more; that some are unreadable may. */
  noteReading(): void {
    if (this.#failure?.kind !== 'unreadable' && this.#failure?.kind !== 'codec') this.#failure = undefined;
  }

  /** What has to be told; `undefined` if there is nothing. */
  get final(): KafkaFailure | undefined {
    if (this.#failure === undefined || !finalKinds.has(this.#failure.kind)) return undefined;
    const isOld = this.#clock.now() - this.#since >= this.#patienceMs;
    return this.#failure.kind !== 'missing' || isOld ? this.#failure : undefined;
  }
}
