import { type Clock, isNqError, type ReturnedLease } from '@nq/core';
import type { DeadLetterTopic } from './dead-letter-topic.ts';
import type { HandOut, HeldRecord } from './held-partition.ts';

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

  /** Resolves once the dead-letter topic has them. @throws {NqError} if it has not, or nobody knows. */
  async bury(dead: readonly ReturnedLease[]): Promise<void> {
    if (dead.length === 0) return;
    const deadAt = this.#parts.clock.date();
    const letters = dead.map(({ receipt, reason }) => {
      const { held } = receipt as HandOut;
      return { held, death: { reason, attempts: held.attempts, deadAt } };
    });
    await (this.#parts.deadLetters as DeadLetterTopic).bury(letters);
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
      await deadLetters.bury([{ held, death }]);
      return true;
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
