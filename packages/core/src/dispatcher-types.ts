import type { DispatcherCounters } from './dispatcher-options.ts';
import type { EventInput } from './event.ts';
import type { Handler, Middleware } from './handler.ts';
import type { HistogramSnapshot } from './histogram.ts';
import type { MessageQueue, WaitOptions } from './queue.ts';

/** The types of events, each with the type of its data: `{ 'order.created': Order }`. */
export type EventMap = object;

/** An event of `Events` as it is dispatched: a wrong type or wrong data does not compile. */
export type DispatchInput<Events extends EventMap> = {
  readonly [Type in keyof Events & string]: EventInput<Events[Type], Type>;
}[keyof Events & string];

/**
 * What became of a dispatched event: `queued`, the queue has it; `dropped`, by `onFull: 'drop-newest'`; `ran`, its
 * handlers have run in the caller, by `onFull: 'run-inline'`.
 */
export type DispatchResult = 'queued' | 'dropped' | 'ran';

/** How a dispatcher is stopped. */
export interface StopOptions {
  /** How long to wait for handlers that run, in milliseconds. @default 10_000 */
  readonly deadlineMs?: number | undefined;
}

/**
 * What became of the events while a dispatcher stopped. No event is counted twice.
 *
 * If a handler has called `stop()`, its own event is not in here: it is settled only after the handler has got the report.
 * If it is not done in the end and the queue, which is closed then, keeps nothing, `onError` is told, during `settle`.
 */
export interface StopReport {
  /** Events that were handled to the end after `stop()` was called. */
  readonly completed: number;
  /**
   * Events that went back to the queue unhandled, or while their handler still ran: they will be handed out again. 0 if the
   * dispatcher opened the queue and it keeps nothing.
   */
  readonly returned: number;
  /**
   * Events that are gone with this process, because the queue that the dispatcher opened keeps nothing; and those whose
   * settlement the queue has not confirmed in time: they are handed out again when their lease ends.
   */
  readonly abandoned: number;
  /**
   * Dead letters that are gone with this process, because the queue that the dispatcher opened keeps nothing: list them
   * before `stop()`, or set `deadLetterQueue`. 0 for a queue that keeps them, and for one that was given as `{ queue }`,
   * which stays open. Those that a queue does not count in time are missing here.
   */
  readonly deadLetters: number;
}

/** What a dispatcher has done since it was created, and what it is doing. */
export interface DispatcherStats extends Readonly<DispatcherCounters> {
  /** Events in the queue that could be handed out now. */
  readonly ready: number;
  /** Deliveries of the queue, to whomever, that are not settled. */
  readonly inFlight: number;
  /** Events in the queue that wait for the end of a delay. */
  readonly delayed: number;
  /** Handlers of this dispatcher that run now. */
  readonly running: number;
  /** How many may run at once. */
  readonly workers: number;
  /** From the push to the first hand-out, of one event in `sampleEvery`, in milliseconds. */
  readonly timeInQueueMs: HistogramSnapshot;
  /** From the start of the first handler to the end of the last, retries in place included, in milliseconds. */
  readonly handlerMs: HistogramSnapshot;
}

/** Pulls deliveries from a queue and runs handlers. */
export interface Dispatcher<Events extends EventMap = Record<string, unknown>> extends AsyncDisposable {
  /**
   * Registers a handler for a type; types are compared exactly, and for the rest there is `onUnknownType()`. Several of one
   * type run one after the other, in this order; the event is acknowledged when all are done. When it is handed out again,
   * all of them run again, also those that were done.
   *
   * @returns a function that removes this registration. @throws {TypeError} if `type` or `handler` is not one.
   */
  on<Type extends keyof Events & string>(type: Type, handler: Handler<Events[Type], Type>): () => void;
  /**
   * Registers a handler for the events of every type that has no handler of its own. Without one, such an event is given
   * back, for another process may know its type, and becomes a dead letter after the last attempt.
   *
   * @returns a function that removes this registration.
   */
  onUnknownType(handler: Handler): () => void;
  /**
   * Puts `middleware` around the handlers of every event, inside of what was put there before. The handlers of an event
   * are one unit then: they are run again in place together, and `handlerTimeoutMs` is for all of them.
   */
  use(middleware: Middleware): void;
  /**
   * Opens the queue if needed and begins to handle events, at most `workers` at once; called again, it changes their
   * number. After `stop()` it begins anew. @default workers 1
   *
   * @throws whatever opening the queue throws, and `NQ_STOPPED` if it is stopped meanwhile: nothing is started then.
   * @throws {RangeError} if `workers` is not >= 1.
   */
  start(workers?: number): Promise<void>;
  /**
   * Puts an event into the queue, whether started or not.
   *
   * @throws as `MessageQueue.push`; {NqError} `NQ_STOPPED` after `stop()`, `NQ_PAYLOAD` if its data does not fit its
   * schema, `NQ_HANDLER_FAILED` if it was run inline and failed: the event is not stored.
   */
  dispatch(event: DispatchInput<Events>, options?: WaitOptions): Promise<DispatchResult>;
  /**
   * Resolves once the queue is empty and every handler has ended. Someone else may dispatch right after. Waits as long as
   * nothing is started. An event that can neither be handled nor given up is kept and comes back for ever, as does one
   * whose handler always answers `retryAfter()`: bound the wait where that can be.
   *
   * @throws {NqError} `NQ_TIMEOUT` after `timeoutMs`, `NQ_STOPPED` after `stop()`. @throws `signal.reason` if aborted.
   */
  drain(options?: WaitOptions): Promise<void>;
  /**
   * Takes nothing any more, lets running handlers end, and after `deadlineMs` aborts their signals and gives their
   * events back. Closes the queue if the dispatcher opened it. Always settles; further calls answer the same report.
   *
   * A handler may call it too: it then answers when everything but this handler has ended, as long as the handler has
   * called it before its own first `await`. Later than that nobody can tell who calls, and it answers at the deadline.
   */
  stop(options?: StopOptions): Promise<StopReport>;
  /** What has been done so far, and the size of the queue. */
  stats(): Promise<DispatcherStats>;
  /** The queue, opened if needed. */
  queue(): Promise<MessageQueue>;
  /** The same as `stop()`. */
  [Symbol.asyncDispose](): Promise<void>;
}
