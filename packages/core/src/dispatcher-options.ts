import { checkClock, checkCount, checkFunction, checkMs, checkOneOf, checkOptions, describe } from './check.ts';
import { type Clock, systemClock } from './clock.ts';
import { isNqError } from './errors.ts';
import type { QueueEvent } from './event.ts';
import type { MessageQueue } from './queue.ts';
import { type RetryOptions, RetryPlan } from './retry.ts';
import type { StandardSchema } from './schema.ts';

/** What `dispatch()` does with an event for which there is no room in time. */
export type OnFull = 'wait' | 'reject' | 'drop-newest' | 'drop-oldest' | 'run-inline';

/** Where something went wrong that no caller is told by a rejection. */
export interface ErrorContext {
  /**
   * `pop`: taking events failed, and is tried again. `handle`: a handler failed, or there is none. `settle`: an event could
   * not be settled, or its lease not renewed, and will be handed out again; or, with `NQ_STOPPED`, it is gone with the queue
   * because the handler that called `stop()` has not done it. `dead-letter`: an event could not be given up and is kept.
   */
  readonly during: 'pop' | 'handle' | 'settle' | 'dead-letter';
  /** The event, where there is one. */
  readonly event?: QueueEvent;
}

/** Is told of an error that no caller sees. */
export type ReportError = (error: unknown, context: ErrorContext) => void;

/** How a dispatcher works. Everything has a default; the object is copied. */
export interface DispatcherOptions<Events extends object = Record<string, unknown>> {
  /**
   * What `dispatch()` does when the queue is full: `wait` until there is room or `timeoutMs` is over; `reject` with
   * `NQ_FULL`; `drop-newest`, this event; `drop-oldest`, the oldest ready one, of a queue with `capacity: 'hard'` and
   * `ack: 'individual'`; `run-inline`, its handlers in the caller. All but `wait` wait only for the `timeoutMs` they are
   * given, by default not at all. Dropped events are counted and told to `onDrop`.
   *
   * @default 'wait'
   */
  readonly onFull?: OnFull | undefined;
  /** Is told of each event that `onFull` dropped, or of which nobody knows whether it is. What it throws is ignored. */
  readonly onDrop?: ((event: QueueEvent) => void) | undefined;
  /**
   * Is told of errors that no caller sees. What it throws is ignored.
   *
   * @default a warning of the process, with the type `NqWarning`; of failed handlers, only the first of each type
   */
  readonly onError?: ReportError | undefined;
  /**
   * How long a handler that returns a promise may take in milliseconds, for each of its runs; `Infinity` for no bound. It
   * is told up to a sixteenth of that and some milliseconds later, and is not run again in place, for it may still be
   * running: the event goes back to the queue, or is given up after its last attempt. With middleware or a schema, for all
   * handlers of the type together.
   *
   * @default 300_000
   */
  readonly handlerTimeoutMs?: number | undefined;
  /** When a failed event is tried again. */
  readonly retry?: RetryOptions | undefined;
  /**
   * Where events go that are given up. They are pushed there with `nqreason` and `nqattempts` in their headers, and
   * acknowledged only after that push has succeeded. The dispatcher never closes it.
   *
   * @default the dead letters of the queue itself; where it has none, the event is kept and handed out again
   */
  readonly deadLetterQueue?: MessageQueue | undefined;
  /**
   * Checks the data of events, by type: wrong data rejects `dispatch()`, and is given up when it comes from the queue.
   * Handlers get what the schema makes of the data; the queue keeps what was dispatched.
   */
  readonly schemas?: { readonly [Type in keyof Events & string]?: StandardSchema<Events[Type]> } | undefined;
  /**
   * One in this many events is measured for the histograms of `stats()`, and the first one of each turn of the event
   * loop; rounded up to a power of two. A measurement reads the clock three times, about 150 ns.
   *
   * @default 64
   */
  readonly sampleEvery?: number | undefined;
  /** Where time and chance come from. @default systemClock */
  readonly clock?: Clock | undefined;
}

/** What a dispatcher has counted since it was created. */
export interface DispatcherCounters {
  /** Events that were acknowledged, run inline or not. */
  handled: number;
  /** Handler runs that threw, rejected or took too long; several for an event that is tried again. */
  failed: number;
  /** Those among them that took too long. */
  timedOut: number;
  /** How often an event was tried again: in place, or given back to be handed out again, by `retryAfter()` too. */
  retried: number;
  /** Events that were given up and are safe as dead letters. */
  deadLettered: number;
  /** How often an event could not be given up, and was kept instead. */
  kept: number;
  /** Hand-outs of events for whose type there was no handler. */
  unknownType: number;
  /** Deliveries that could not be settled: their events are handed out again. */
  unsettled: number;
  /** Events that `onFull` dropped. */
  dropped: number;
  /** Events whose handlers ran in the caller of `dispatch()`. */
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
  checkClock(action, clock);
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
  const plan = new RetryPlan(retry, clock);
  return {
    onFull,
    onDrop: (event) => quietly(() => onDrop(event)),
    report: reporter(onError ?? warner(plan.maxDelayMs)),
    handlerTimeoutMs,
    plan,
    deadLetterQueue,
    schemas: { ...(schemas as Readonly<Record<string, StandardSchema>>) },
    sampleEvery: 2 ** Math.ceil(Math.log2(sampleEvery)),
    clock,
  };
}

function reporter(onError: ReportError): ReportError {
  return (error, context) => quietly(() => onError(error, context));
}

/** A hook that fails must not end the work it is told about: documented, what it throws is ignored. */
function quietly(hook: () => unknown): void {
  try {
    const result = hook();
    if (result instanceof Promise) result.catch(() => {});
  } catch {
    // As above.
  }
}

/** Of so many types the first failure is told; types come from outside and may be any number. */
const typesTold = 100;

/**
 * What nobody listens to is told on stderr, by Node.js. Failed handlers are their daily bread, so of each type only the
 * first failure is told.
 *
 * @param keptMs when an event that could not be given up is handed out again.
 */
function warner(keptMs: number): ReportError {
  const told = new Set<string>();
  return (error, { during, event }) => {
    if (during === 'handle' && event !== undefined) {
      if (told.has(event.type) || told.size >= typesTold) return;
      told.add(event.type);
    }
    const what =
      event === undefined ? '' : ` of event ${JSON.stringify(event.id)} of type ${JSON.stringify(event.type)}`;
    const why = error instanceof Error ? error.message : 'an error that is no Error';
    const hint =
      during === 'handle'
        ? ' (told once per type: set onError to hear of every failure)'
        : during === 'dead-letter' && !isNqError(error, 'NQ_OUTCOME_UNKNOWN')
          ? ` (kept: it is handed out again in ${keptMs} ms)`
          : '';
    process.emitWarning(`${during}${what}: ${why}${hint}`, 'NqWarning');
  };
}
