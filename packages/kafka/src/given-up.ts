import { type Clock, isNqError } from '@nq/core';
import type { DeadLetterTopic } from './dead-letter-topic.ts';
import type { HeldRecord } from './held-partition.ts';

/** What is needed to give up records. */
export interface GivenUpParts {
  readonly clock: Clock;
  readonly topic: string;
  /** Where they go; `undefined` if nothing is kept of them. */
  readonly deadLetters: DeadLetterTopic | undefined;
  readonly onWarning: (warning: string) => void;
}

/** After how long it is tried again to make a dead letter of what is no event, in milliseconds. */
const buryAgainMs = 1000;

/** What becomes of records that nobody handles: dead letters, before they are done. */
export class GivenUp {
  readonly #parts: GivenUpParts;
  /** What was warned of: once for each. */
  readonly #warned = new WeakSet<HeldRecord>();

  constructor(parts: GivenUpParts) {
    this.#parts = parts;
  }

  /** Makes a dead letter of `held`. As {@link DeadLetterTopic.bury}. */
  bury(held: HeldRecord, reason: string, isWanted: () => boolean): Promise<boolean> {
    const death = { reason, attempts: held.attempts, deadAt: this.#parts.clock.date() };
    return (this.#parts.deadLetters as DeadLetterTopic).bury(held, death, isWanted);
  }

  /**
   * Makes a dead letter of what is no event, or warns of it where none are kept. Never rejects.
   *
   * @returns whether it is out of the way; if not, `held` has a delay after which to try again.
   */
  async setAside(held: HeldRecord, flaw: string): Promise<boolean> {
    const { clock, topic, deadLetters, onWarning } = this.#parts;
    const { partition, record } = held;
    if (deadLetters === undefined) {
      onWarning(`Record ${record.offset} of partition ${partition.partition} of ${topic} is no event: ${flaw}`);
      return true;
    }
    try {
      const death = { reason: flaw, attempts: held.attempts + 1, deadAt: clock.date() };
      return await deadLetters.bury(held, death, () => true);
    } catch (error) {
      if (isNqError(error, 'NQ_CONFIG') && !this.#warned.has(held)) {
        const name = `Record ${record.offset} of partition ${partition.partition} of ${topic}`;
        onWarning(`${name} is no event, and stays until it can be made a dead letter: ${error.message}`);
        this.#warned.add(held);
      }
      // It is tried again, also by whoever has the partition then.
      held.until = clock.now() + buryAgainMs;
      return false;
    }
  }
}
