import { isNqError } from '../../errors.ts';
import type { QueueEvent } from '../../event.ts';
import type { MessageQueue } from '../../queue.ts';

/** An event that a process has taken. */
export interface Taken {
  readonly id: string;
  readonly attempt: number;
}

/** What is to be taken. */
export interface Taking {
  /** How many events at the most. */
  readonly count: number;
  /** How many are asked for at once: one by `pop()`, more by `popMany()`. */
  readonly page: number;
  /** How long each call waits, in milliseconds: the work ends when one has found nothing. */
  readonly timeoutMs: number;
  /** Whether they are acknowledged, each at once, or kept. */
  readonly ack: boolean;
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
    async take({ count, page, timeoutMs, ack }) {
      const taken: Taken[] = [];
      while (taken.length < count) {
        const wanted = Math.min(page, count - taken.length);
        const deliveries =
          wanted === 1
            ? [await queue.pop({ timeoutMs })].filter((delivery) => delivery !== undefined)
            : await queue.popMany(wanted, { timeoutMs });
        if (deliveries.length === 0) break;
        for (const { event, attempt } of deliveries) taken.push({ id: event.id, attempt });
        if (ack) for (const delivery of deliveries) await delivery.ack();
      }
      return taken;
    },
  };
}
