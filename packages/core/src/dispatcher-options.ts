import { checkCount, checkFunction, checkMs, checkOneOf, checkOptions, describe } from './check.ts';
import { type Clock, systemClock } from './clock.ts';
import type { QueueEvent } from './event.ts';
import type { MessageQueue } from './queue.ts';
import { type RetryOptions, RetryPlan } from './retry.ts';
import type { StandardSchema } from './schema.ts';

/** What `dispatch()` does with an event for which there is no room in time. */
export type OnFull = 'wait' | 'reject' | 'drop-newest' | 'drop-oldest' | 'run-inline';

/** Where something went wrong that no caller is told by a rejection. */
export interface ErrorContext {
  /**
   * `pop`: taking events failed, and is tried again. `handle`: a handler failed. `settle`: an event could not be settled
   * and will be handed out again. `dead-letter`: an event could not be given up and is kept.
   */
  readonly phase: 'pop' | 'handle' | 'settle' | 'dead-letter';
  /** The event, where there is one. */
  readonly event?: QueueEvent;
}

/** Is told of an error that no caller sees. */
export type ReportError = (error: unknown, context: ErrorContext) => void;

/** How a dispatcher works. Everything has a default; the object is copied. */
export interface DispatcherOptions {
  /**
   * What `dispatch()` does when the queue is full: `wait` until there is room or `timeoutMs` is over; `reject` with
   * `NQ_FULL`; `drop-newest`, this event; `drop-oldest`, the oldest ready one; `run-inline`, its handlers in the caller.
   * All but `wait` wait only for the `timeoutMs` they are given, by default not at all. Dropped events are counted and
   * told to `onDrop`.
   *
   * @default 'wait'
   */
  readonly onFull?: OnFull;
  /** Is told of each event that `onFull` dropped. */
  readonly onDrop?: (event: QueueEvent) => void;
  /**
   * Is told of errors that no caller sees. What it throws is ignored.
   *
   * @default failed handlers are only counted; the rest is a warning of the process, with the type `NqWarning`
   */
  readonly onError?: ReportError;
  /** How long a handler may take in milliseconds, for each of its runs; `Infinity` for no bound. @default 300_000 */
  readonly handlerTimeoutMs?: number;
  /** When a failed event is tried again. */
  readonly retry?: RetryOptions;
  /**
   * Where events go that are given up. They are pushed there with `nqreason` and `nqattempts` in their headers, and
   * acknowledged only after that push has succeeded. The dispatcher never closes it.
   *
   * @default the dead letters of the queue itself; where it has none, the event is kept and handed out again
   */
  readonly deadLetterQueue?: MessageQueue;
  /** Checks the data of events, by type: wrong data rejects `dispatch()`, and is given up when it comes from the queue. */
  readonly schemas?: Readonly<Record<string, StandardSchema>>;
  /**
   * One in this many events is measured for the histograms of `stats()`, and the first one of each turn of the event
   * loop; rounded up to a power of two. A measurement reads the clock three times, about 150 ns.
   *
   * @default 64
   */
  readonly sampleEvery?: number;
  /** Where time and chance come from. @default systemClock */
  readonly clock?: Clock;
}

/** What a dispatcher counts. */
export interface DispatcherCounters {
  handled: number;
  failed: number;
  timedOut: number;
  retried: number;
  deadLettered: number;
  kept: number;
  unknownType: number;
  unsettled: number;
  dropped: number;
  ranInline: number;
}

/** A {@link DispatcherOptions} with its defaults. */
export interface ResolvedOptions {
  readonly onFull: OnFull;
  readonly onDrop: (event: QueueEvent) => void;
  readonly report: ReportError;
  readonly handlerTimeoutMs: number;
  readonly plan: RetryPlan;
  readonly deadLetterQueue: MessageQueue | undefined;
  readonly schemas: Readonly<Record<string, StandardSchema>>;
  readonly sampleEvery: number;
  readonly clock: Clock;
}

const action = 'Cannot create a dispatcher';
const known = [
  'onFull',
  'onDrop',
  'onError',
  'handlerTimeoutMs',
  'retry',
  'deadLetterQueue',
  'schemas',
  'sampleEvery',
  'clock',
] as const satisfies (keyof DispatcherOptions)[];

/** @throws {TypeError} {RangeError} naming the option that is wrong. */
export function resolveDispatcherOptions(options: DispatcherOptions): ResolvedOptions {
  checkOptions(action, options, known);
  const { onFull = 'wait', onDrop = () => {}, onError, handlerTimeoutMs = 300_000, retry = {} } = options;
  const { deadLetterQueue, schemas = {}, sampleEvery = 64, clock = systemClock } = options;
  checkOneOf(action, 'onFull', onFull, ['wait', 'reject', 'drop-newest', 'drop-oldest', 'run-inline']);
  checkFunction(action, 'onDrop', onDrop);
  if (onError !== undefined) checkFunction(action, 'onError', onError);
  checkMs(action, 'handlerTimeoutMs', handlerTimeoutMs, 1);
  checkCount(action, 'sampleEvery', sampleEvery, 1, 2 ** 30);
  if (deadLetterQueue !== undefined && typeof (deadLetterQueue as Partial<MessageQueue>).push !== 'function') {
    throw new TypeError(`${action}: deadLetterQueue must be a MessageQueue, got ${describe(deadLetterQueue)}`);
  }
  for (const [type, schema] of Object.entries(schemas)) {
    if (typeof schema?.['~standard']?.validate !== 'function') {
      throw new TypeError(
        `${action}: schemas[${JSON.stringify(type)}] must be a Standard Schema, got ${describe(schema)}`,
      );
    }
  }
  return {
    onFull,
    onDrop: (event) => quietly(() => onDrop(event)),
    report: onError === undefined ? warn : (error, context) => quietly(() => onError(error, context)),
    handlerTimeoutMs,
    plan: new RetryPlan(retry, clock),
    deadLetterQueue,
    schemas: { ...schemas },
    sampleEvery: 2 ** Math.ceil(Math.log2(sampleEvery)),
    clock,
  };
}

/** A hook that throws must not end the work it is told about. */
function quietly(hook: () => void): void {
  try {
    hook();
  } catch {
    // Documented: what a hook throws is ignored.
  }
}

/** What nobody listens to is still told, once, on stderr, unless it is the daily bread of a handler. */
function warn(error: unknown, { phase, event }: ErrorContext): void {
  if (phase === 'handle') return;
  const what = event === undefined ? '' : ` of event ${JSON.stringify(event.id)}`;
  process.emitWarning(
    `${phase}${what}: ${error instanceof Error ? error.message : 'an error that is no Error'}`,
    'NqWarning',
  );
}
