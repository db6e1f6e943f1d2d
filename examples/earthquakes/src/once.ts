import { randomUUID } from 'node:crypto';
import type { EventInput, Middleware } from '@nq/core';

/** The header that tells the lines of the input apart: their events may have the same id. */
const entryHeader = 'exampleentry';
const thisRun = randomUUID();
const recorded = Promise.resolve();

/** `event`, marked as coming from line `number` of the input of this run. */
export function markEntry(event: EventInput, number: number): EventInput {
  return { ...event, headers: { ...event.headers, [entryHeader]: `${thisRun}-${number}` } };
}

/**
 * A queue promises that an event is handed out at least once. This makes its results count once: a hand-out of an event
 * that is recorded does nothing, and one of an event that is being recorded right now waits for that.
 */
export function oncePerEvent(): Middleware {
  const runs = new Map<string, Promise<void>>();
  return async (event, _context, next) => {
    const entry = event.headers?.[entryHeader];
    // Not of ours: it was in the queue already, and nobody can tell it from its like.
    if (entry === undefined) return next();
    let run = runs.get(entry);
    if (run === undefined) {
      run = next();
      runs.set(entry, run);
      run.then(
        () => runs.set(entry, recorded),
        () => runs.delete(entry),
      );
    }
    return run;
  };
}
