import { randomUUID } from 'node:crypto';
import type { EventInput, Middleware } from '@nq/core';

/** The header that tells the lines of the input apart: their events may have the same id. */
const entryHeader = 'exampleentry';

/**
 * A queue promises that an event is handed out at least once. This makes its results count once: a hand-out of an event
 * that is recorded does nothing, and one of an event that is being recorded right now waits for that.
 *
 * Whether an event was acknowledged nobody learns here, and one that was not comes back. So what is kept is not what is
 * recorded, which only grows, but what is not recorded yet: everything else of this run is.
 */
export class OncePerEvent {
  readonly #run = randomUUID();
  /** The entries of this run that are not recorded: as many as are in the queue, in hand, or dead letters. */
  readonly #open = new Set<string>();
  /** The entries of earlier runs that this one has recorded: no more than it found in the queue. */
  readonly #recordedOfEarlier = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();

  /** `event`, marked as coming from line `number` of the input. It has to be marked before it is dispatched. */
  mark(event: EventInput, number: number): EventInput {
    const entry = this.#entryOf(number);
    this.#open.add(entry);
    return { ...event, headers: { ...event.headers, [entryHeader]: entry } };
  }

  /** The event of line `number` is in no queue: it was refused. */
  unmark(number: number): void {
    this.#open.delete(this.#entryOf(number));
  }

  /** Goes around all handlers. */
  readonly middleware: Middleware = (event, _context, next) => {
    const entry = event.headers?.[entryHeader];
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
    return this.#isOfThisRun(entry) ? !this.#open.has(entry) : this.#recordedOfEarlier.has(entry);
  }

  #record(entry: string): void {
    if (this.#isOfThisRun(entry)) this.#open.delete(entry);
    else this.#recordedOfEarlier.add(entry);
  }

  #isOfThisRun(entry: string): boolean {
    return entry.startsWith(this.#run);
  }

  #entryOf(number: number): string {
    return `${this.#run}-${number}`;
  }
}
