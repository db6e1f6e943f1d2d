import { randomUUID } from 'node:crypto';
import type { EventInput, Middleware, QueueEvent } from '@nq/core';
import { EntrySet } from './entry-set.ts';

/** The header that tells the lines of the input apart: their events may have the same id. */
const entryHeader = 'exampleentry';

/** The run and the line of the input that `event` comes from; `undefined` for one that no run has dispatched. */
export function entryOf({ headers }: Pick<QueueEvent, 'headers'>): string | undefined {
  return headers?.[entryHeader];
}

/** Marks events with the run and the line that they come from. */
export interface Marks {
  /** `event`, marked as coming from line `number` of the input. It has to be marked before it is dispatched. */
  mark(event: EventInput, number: number): EventInput;
  /** The event of line `number` is in no queue: it was refused. */
  unmark(number: number): void;
}

/** Marks for events that are handled elsewhere, so that nothing of them is remembered here. */
export function marksForOthers(): Marks {
  const run = randomUUID();
  return { mark: (event, number) => markEntry(event, run, number), unmark: () => {} };
}

function markEntry(event: EventInput, run: string, number: number): EventInput {
  return { ...event, headers: { ...event.headers, [entryHeader]: `${run}-${number}` } };
}

/**
 * A queue promises that an event is handed out at least once. This makes its results count once: a hand-out of an event
 * that is recorded does nothing, and one of an event that is being recorded right now waits for that. It knows of one
 * process; what several of them have recorded is added up by `Accounts`.
 *
 * Whether an event was acknowledged nobody learns here, and one that was not comes back. So what is kept is not what is
 * recorded, which only grows, but what is not recorded yet: everything else of this run is.
 */
export class OncePerEvent implements Marks {
  readonly #run = randomUUID();
  /** The entries of this run that are not recorded: as many as are in the queue, in hand, or dead letters. */
  readonly #open = new Set<string>();
  /** The entries of others that were recorded here: of earlier runs, and in a worker process of the one it works for. */
  readonly #recordedOfOthers = new EntrySet();
  readonly #running = new Map<string, Promise<void>>();

  mark(event: EventInput, number: number): EventInput {
    this.#open.add(this.#entryOf(number));
    return markEntry(event, this.#run, number);
  }

  unmark(number: number): void {
    this.#open.delete(this.#entryOf(number));
  }

  /** Goes around all handlers. */
  readonly middleware: Middleware = (event, _context, next) => {
    const entry = entryOf(event);
    // Not of ours: it was in the queue already, and nobody can tell it from its like.
    if (entry === undefined) return next();
    if (this.#isRecorded(entry)) return undefined;
    let running = this.#running.get(entry);
    if (running === undefined) {
      running = next()
        .then(() => this.#record(entry))
        .finally(() => this.#running.delete(entry));
      this.#running.set(entry, running);
    }
    return running;
  };

  #isRecorded(entry: string): boolean {
    return this.#isOfThisRun(entry) ? !this.#open.has(entry) : this.#recordedOfOthers.has(entry);
  }

  #record(entry: string): void {
    if (this.#isOfThisRun(entry)) this.#open.delete(entry);
    else this.#recordedOfOthers.add(entry);
  }

  #isOfThisRun(entry: string): boolean {
    return entry.startsWith(this.#run);
  }

  #entryOf(number: number): string {
    return `${this.#run}-${number}`;
  }
}
