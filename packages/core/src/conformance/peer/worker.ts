import { isNqError } from '../../errors.ts';
import type { QueueEvent } from '../../event.ts';
import type { Delivery, MessageQueue, NackOptions } from '../../queue.ts';

/** An event that a process has taken. */
export interface Taken {
  readonly id: string;
  readonly attempt: number;
  /** Whether its lease had not ended when the process did with it what was asked for. */
  readonly inTime: boolean;
}

/** What is done with an event at once when it is taken. */
export type AfterTaking = 'ack' | 'keep' | { readonly nack: NackOptions } | { readonly extendMs: number };

/** What is to be taken. */
export interface Taking {
  /** How many events at the most. */
  readonly count: number;
  /** How many are asked for at once: one by `pop()`, more by `popMany()`. */
  readonly page: number;
  /** How long each call waits, in milliseconds: the work ends when one has found nothing. */
  readonly timeoutMs: number;
  readonly after: AfterTaking;
}

/** A process at work on a queue: this one, or another one. */
export interface Worker {
  /**
   * Pushes one event after the other. Resolves the ids of those that are stored; there was no room in time for the others.
   * Rejects if a push fails otherwise.
   */
  push(events: readonly QueueEvent[], timeoutMs: number): Promise<readonly string[]>;
  /** Takes events, until there are `count` or none has come. */
  take(taking: Taking): Promise<readonly Taken[]>;
  /** Replays the dead letters with these ids, or all. Resolves how many there were. */
  replay(ids?: readonly string[]): Promise<number>;
}

/** Work that is done in the process that holds `queue`. */
export function workOn(queue: MessageQueue): Worker {
  return {
    async push(events, timeoutMs) {
      const stored: string[] = [];
      for (const event of events) {
        try {
          await queue.push(event, { timeoutMs });
          stored.push(event.id);
        } catch (error) {
          if (!isNqError(error, 'NQ_FULL') && !isNqError(error, 'NQ_TIMEOUT')) throw error;
        }
      }
      return stored;
    },
    async take({ count, page, timeoutMs, after }) {
      const taken: Taken[] = [];
      while (taken.length < count) {
        const wanted = Math.min(page, count - taken.length);
        const deliveries =
          wanted === 1
            ? [await queue.pop({ timeoutMs })].filter((delivery) => delivery !== undefined)
            : await queue.popMany(wanted, { timeoutMs });
        if (deliveries.length === 0) break;
        for (const delivery of deliveries) {
          const { event, attempt } = delivery;
          taken.push({ id: event.id, attempt, inTime: await isInTime(delivery, after) });
        }
      }
      return taken;
    },
    replay: (ids) => queue.deadLetters.replay(ids),
  };
}

/** Does `after` with `delivery`. @returns whether its lease had not ended before. */
async function isInTime(delivery: Delivery, after: AfterTaking): Promise<boolean> {
  try {
    if (after === 'ack') await delivery.ack();
    else if (after !== 'keep' && 'nack' in after) await delivery.nack(after.nack);
    else if (after !== 'keep') await delivery.extend(after.extendMs);
    return true;
  } catch (error) {
    if (!isNqError(error, 'NQ_LEASE_LOST')) throw error;
    return false;
  }
}
