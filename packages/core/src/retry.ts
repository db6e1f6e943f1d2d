import { checkCount, checkMs, checkOptions } from './check.ts';
import type { Clock } from './clock.ts';

/**
 * When a failed event is tried again. Twice over: in place, within the same delivery, after milliseconds; then by giving
 * the event back to the queue, for seconds to minutes. Delays double each time and are shortened by chance, so that
 * events that failed together do not come back together.
 */
export interface RetryOptions {
  /**
   * An event that fails in a hand-out with this number or a later one becomes a dead letter. Every hand-out counts, also
   * those after `retryAfter()`, a lost lease or a `stop()`; but `retryAfter()` itself is no failure, and never gives up.
   *
   * @default 5
   */
  readonly maxAttempts?: number | undefined;
  /**
   * How often a handler that failed is run again in place per hand-out; one that timed out is not, for it may still be
   * running. With middleware or a schema, all handlers of the type are run again together.
   *
   * @default 2
   */
  readonly inPlace?: number | undefined;
  /** The delay before the first run in place, in milliseconds. @default 10 */
  readonly inPlaceDelayMs?: number | undefined;
  /** The delay before the second hand-out, in milliseconds. @default 1000 */
  readonly delayMs?: number | undefined;
  /** The longest delay, of either kind, in milliseconds. @default 60_000 */
  readonly maxDelayMs?: number | undefined;
  /** By how much chance shortens a delay: 0 not at all, 1 down to nothing. @default 0.5 */
  readonly jitter?: number | undefined;
}

const action = 'Cannot create a dispatcher';
const known = [
  'maxAttempts',
  'inPlace',
  'inPlaceDelayMs',
  'delayMs',
  'maxDelayMs',
  'jitter',
] as const satisfies (keyof RetryOptions)[];

/** The delays of a {@link RetryOptions}. */
export class RetryPlan {
  readonly maxAttempts: number;
  readonly inPlace: number;
  readonly maxDelayMs: number;
  readonly #inPlaceDelayMs: number;
  readonly #delayMs: number;
  readonly #jitter: number;
  readonly #clock: Clock;

  /** @throws {TypeError} {RangeError} naming the option that is wrong. */
  constructor(options: RetryOptions, clock: Clock) {
    checkOptions(`${action}: retry`, options, known);
    const {
      maxAttempts = 5,
      inPlace = 2,
      inPlaceDelayMs = 10,
      delayMs = 1000,
      maxDelayMs = 60_000,
      jitter = 0.5,
    } = options;
    checkCount(action, 'retry.maxAttempts', maxAttempts, 1, Infinity);
    checkCount(action, 'retry.inPlace', inPlace, 0);
    checkMs(action, 'retry.inPlaceDelayMs', inPlaceDelayMs);
    checkMs(action, 'retry.delayMs', delayMs);
    checkMs(action, 'retry.maxDelayMs', maxDelayMs);
    checkMs(action, 'retry.jitter', jitter);
    for (const [name, value] of Object.entries({ inPlaceDelayMs, delayMs, maxDelayMs })) {
      if (value === Infinity) throw new RangeError(`${action}: retry.${name} must be finite, got Infinity`);
    }
    if (jitter > 1) throw new RangeError(`${action}: retry.jitter must be <= 1, got ${jitter}`);
    this.maxAttempts = maxAttempts;
    this.inPlace = inPlace;
    this.maxDelayMs = maxDelayMs;
    this.#inPlaceDelayMs = inPlaceDelayMs;
    this.#delayMs = delayMs;
    this.#jitter = jitter;
    this.#clock = clock;
  }

  /** The delay before the handler is run in place for the `retry`-th time again, from 1. */
  inPlaceDelay(retry: number): number {
    return this.#delay(this.#inPlaceDelayMs, retry);
  }

  /** The delay before the hand-out after the one with number `attempt`. */
  redeliveryDelay(attempt: number): number {
    return this.#delay(this.#delayMs, attempt);
  }

  #delay(firstMs: number, count: number): number {
    // 2 ** 1024 is Infinity, and no delay at all times that is NaN.
    const full = Math.min(this.maxDelayMs, firstMs * 2 ** Math.min(count - 1, 1023));
    return full * (1 - this.#jitter * this.#clock.random());
  }
}
