import { createDispatcher, type Dispatcher, type HistogramSnapshot, type QueueConfig, type StopReport } from '@nq/core';
import type { AuditLog } from './audit-log.ts';
import type { Events } from './events.ts';
import { messageOf, orFailure } from './failure.ts';
import { registerHandlers, type Retries } from './handlers.ts';
import { OncePerEvent } from './once.ts';
import { Results } from './results.ts';
import { retry } from './retry.ts';

/** How long handlers may go on after a signal or an error, in milliseconds. */
const stopDeadlineMs = 2000;

/** How long a process may take to end, in milliseconds: its handlers, and what its queue has to be told. Then it is killed. */
export const endDeadlineMs = stopDeadlineMs + 8000;

/** Who is told what happens while events are handled. */
export interface Listener {
  /** Something that people may want to know. */
  say(text: string): void;
  /** An error after which it makes no sense to go on. */
  fail(error: unknown): void;
}

/** A dispatcher on the queue that `source` names. @throws {Failure} if that is wrong. */
export function openDispatcher(source: string | QueueConfig, listener: Listener): Promise<Dispatcher<Events>> {
  return orFailure(() =>
    createDispatcher<Events>(source, {
      retry,
      sampleEvery: 1,
      onError: (error, { during }) => {
        // A failed handler is no news here: the report counts it. An event that cannot be given up would be kept for ever.
        if (during === 'dead-letter') listener.fail(error);
        else if (during !== 'handle') listener.say(`${during}: ${messageOf(error)}`);
      },
    }),
  );
}

/** What one process has done. */
export interface Work {
  /** Events that were handled and acknowledged. */
  readonly handled: number;
  /** How often a handler failed. */
  readonly failed: number;
  readonly retries: Retries;
  readonly timeInQueueMs: HistogramSnapshot;
  readonly stop: StopReport;
}

/** The handlers of this process. */
export class Handling {
  readonly once = new OncePerEvent();
  readonly results = new Results();
  readonly #dispatcher: Dispatcher<Events>;
  readonly #retries: Retries = { inPlace: 0, redelivered: 0 };

  /** @param onAuditFailed is told that the audit log cannot be written. */
  constructor(dispatcher: Dispatcher<Events>, audit: AuditLog, onAuditFailed: (error: unknown) => void) {
    const { once, results } = this;
    this.#dispatcher = dispatcher;
    registerHandlers(dispatcher, { once, results, retries: this.#retries, audit, onAuditFailed });
  }

  /** Finishes what is in hand, gives back the rest, and lets go of the queue. */
  async end(): Promise<Work> {
    const stop = await this.#dispatcher.stop({ deadlineMs: stopDeadlineMs });
    const { handled, failed, timeInQueueMs } = await this.#dispatcher.stats();
    return { handled, failed, retries: this.#retries, timeInQueueMs, stop };
  }
}
