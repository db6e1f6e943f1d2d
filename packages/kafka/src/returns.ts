import type { Clock, ReturnedLease } from '@nq/core';
import { copiedRecord } from './copied-record.ts';
import type { Confirmations } from './confirmations.ts';
import type { GivenUp } from './given-up.ts';
import type { HandedOut } from './handed-out.ts';
import type { HandOut, HeldRecord } from './held-partition.ts';
import type { RetryTopic } from './retry-topic.ts';

/** What is needed to take back what was handed out. */
export interface ReturnsParts {
  readonly clock: Clock;
  readonly out: HandedOut;
  readonly confirmations: Confirmations;
  readonly givenUp: GivenUp;
  /** Where what is given back for long goes; `undefined` if it stays where it is. */
  readonly retries: RetryTopic | undefined;
  /** Is called when a record can be handed out again, at once or after its delay. */
  readonly onBack: (held: HeldRecord) => void;
  /** Makes a hand-out done. */
  readonly complete: (handOut: HandOut) => void;
}

/** Takes back what was handed out: where it was, or into another topic. Each by itself, none waits for another. */
export class Returns {
  readonly #parts: ReturnsParts;

  constructor(parts: ReturnsParts) {
    this.#parts = parts;
  }

  /** @returns for each whether it was ours, or why nobody knows. Never rejects. */
  take(returns: readonly ReturnedLease[]): Promise<readonly (boolean | Error)[]> {
    return Promise.all(returns.map((back) => this.#take(back).catch((error: unknown) => error as Error)));
  }

  async #take(back: ReturnedLease): Promise<boolean> {
    const handOut = back.receipt as HandOut;
    const { out, confirmations, retries } = this.#parts;
    // A queue that is closed asks once more for what has no answer yet.
    while (handOut.settling !== undefined) if (await handOut.settling) return true;
    // It is in the other topic, and nobody knew whether it was done in this one.
    if (!out.has(handOut)) return handOut.isMoved && confirmations.ofAck(handOut);
    const isMoving = back.deadLetter || retries?.takes(back) === true;
    const settled = isMoving ? this.#move(back) : this.#giveBack(back);
    const ended = (isBack: boolean): boolean => {
      handOut.settling = undefined;
      return isBack;
    };
    handOut.settling = settled.then(ended, () => ended(false));
    return settled;
  }

  /** That it goes back is written down first, as an acknowledgement is: until then it is its holder's. */
  async #giveBack({ receipt, delayMs }: ReturnedLease): Promise<boolean> {
    const { clock, out, confirmations, onBack } = this.#parts;
    const handOut = receipt as HandOut;
    const { held } = handOut;
    handOut.isReturning = true;
    held.until = delayMs > 0 ? clock.now() + delayMs : undefined;
    if (delayMs > 0) held.record = copiedRecord(held.record);
    try {
      if (!(await confirmations.of(held, ++held.partition.version)) || !out.has(handOut)) return false;
    } finally {
      handOut.isReturning = false;
    }
    out.end(handOut);
    onBack(held);
    return true;
  }

  /** Only when another topic has it, that of the dead letters or that of the retries, it is done in this one. */
  async #move({ receipt, delayMs, deadLetter, reason }: ReturnedLease): Promise<boolean> {
    const { clock, out, confirmations, givenUp, retries, complete } = this.#parts;
    const handOut = receipt as HandOut;
    const { held } = handOut;
    const isOut = (): boolean => out.has(handOut);
    // As long as it is on its way its lease does not end, or somebody else would have it besides.
    handOut.isMoving = true;
    try {
      const moved = deadLetter ? givenUp.bury(held, reason, isOut) : retries?.park(held, delayMs, isOut);
      if ((await moved) !== true) return false;
    } catch (error) {
      if (isOut()) out.extend(handOut, Math.max(0, handOut.expiresAt - clock.now()));
      throw error;
    } finally {
      handOut.isMoving = false;
    }
    handOut.isMoved = true;
    complete(handOut);
    return confirmations.ofAck(handOut);
  }
}
