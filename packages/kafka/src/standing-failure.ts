import type { Clock } from '@nq/core';
import type { FailureKind, KafkaFailure } from './kafka-failure.ts';

/** What time alone does not mend, or may not for long: whoever waits is told. */
const finalKinds: ReadonlySet<FailureKind> = new Set(['refused', 'missing', 'unreadable', 'codec']);

/** What is needed to tell of failures. */
export interface StandingFailureParts {
  readonly clock: Clock;
  /** What is read. */
  readonly topic: string;
  /** How long a failure may stand before somebody is told: a broker may not have heard yet of a topic that was just made. */
  readonly patienceMs: number;
  readonly onWarning: (warning: string) => void;
}

/** Why a membership is none at the moment, and whether it is worth waiting for another one. */
export class StandingFailure {
  readonly #parts: StandingFailureParts;
  #failure: KafkaFailure | undefined;
  #since = 0;
  /** Since when nothing has come, whatever the reason was; and whether that was told. */
  #silentSince: number | undefined;
  #isTold = false;

  constructor(parts: StandingFailureParts) {
    this.#parts = parts;
  }

  /** There is to be a membership, of which nothing is known yet. */
  begin(): void {
    this.#failure = undefined;
  }

  /** @param failure `undefined` if it is over. */
  note(failure: KafkaFailure | undefined): void {
    if (this.#failure?.kind !== failure?.kind) this.#since = this.#parts.clock.now();
    this.#failure = failure;
    if (failure === undefined) this.#end();
    else this.#warn(failure);
  }

  /** Records have come: nothing that keeps them all away stands any more; that some are unreadable may. */
  noteReading(): void {
    if (this.#failure?.kind === 'unreadable' || this.#failure?.kind === 'codec') return;
    this.#failure = undefined;
    this.#end();
  }

  /** What has to be told; `undefined` if there is nothing. */
  get final(): KafkaFailure | undefined {
    if (this.#failure === undefined || !finalKinds.has(this.#failure.kind)) return undefined;
    const isOld = this.#parts.clock.now() - this.#since >= this.#parts.patienceMs;
    return this.#failure.kind !== 'missing' || isOld ? this.#failure : undefined;
  }

  /** Who only pops would take an outage for a quiet time. */
  #warn({ meaning }: KafkaFailure): void {
    const { clock, topic, patienceMs, onWarning } = this.#parts;
    this.#silentSince ??= clock.now();
    if (this.#isTold || this.final !== undefined || clock.now() - this.#silentSince < patienceMs) return;
    this.#isTold = true;
    onWarning(`Nothing of ${topic} could be read for ${patienceMs} ms, and it is tried again: ${meaning}`);
  }

  #end(): void {
    const { topic, onWarning } = this.#parts;
    this.#silentSince = undefined;
    if (this.#isTold) onWarning(`${topic} is read again`);
    this.#isTold = false;
  }
}
