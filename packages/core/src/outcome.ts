import { checkMs, describe } from './check.ts';

/** `Symbol.for`, so that an outcome made by another installed copy of this package counts. */
const brand: unique symbol = Symbol.for('@nq/outcome');

/** What a handler run amounts to where neither "done" nor "failed" says it. Made by {@link retryAfter} and {@link deadLetter}. */
export class Outcome {
  readonly [brand] = true;
  readonly kind: 'retry' | 'dead-letter';
  readonly delayMs: number;
  readonly reason: string;

  constructor(kind: 'retry' | 'dead-letter', delayMs: number, reason: string) {
    this.kind = kind;
    this.delayMs = delayMs;
    this.reason = reason;
  }
}

/** Whether `value`, which is whatever a handler returned, is an {@link Outcome}, also one of another copy of this package. */
export function isOutcome(value: unknown): value is Outcome {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return (value as Partial<Outcome>)[brand] === true;
  } catch {
    // A Proxy may throw at anything; then it is none.
    return false;
  }
}

/**
 * What a handler returns to get the event again after `ms` milliseconds, whatever the number of attempts so far: it never
 * gives the event up, and `drain()` waits for it. The hand-out counts as one all the same.
 *
 * @throws {TypeError} {RangeError} if `ms` is not a finite duration.
 */
export function retryAfter(ms: number, reason = 'the handler asked for it'): Outcome {
  checkMs('Cannot retry', 'ms', ms);
  if (ms === Infinity) throw new RangeError('Cannot retry: ms must be finite, got Infinity');
  return new Outcome('retry', ms, reason);
}

/** What a handler returns to give the event up at once: it becomes a dead letter with this `reason`. */
export function deadLetter(reason: string): Outcome {
  if (typeof reason !== 'string')
    throw new TypeError(`Cannot give up: reason must be a string, got ${describe(reason)}`);
  return new Outcome('dead-letter', 0, reason);
}
