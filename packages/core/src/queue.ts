import type { Capabilities } from './capabilities.ts';
import type { EventInput, QueueEvent } from './event.ts';

/** How long a call may wait. */
export interface WaitOptions {
  /**
   * The longest wait in milliseconds; `0` tries once and does not wait. The answer to a request that is under way then is
   * waited for a second longer at the most.
   *
   * @default Infinity; of a push to Kafka, the `deliveryTimeoutMs` of the queue
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Ends the wait: the call then rejects with `signal.reason` and has stored or taken nothing. What is being written at
   * that moment is waited for: the call resolves if it is stored after all, and rejects `NQ_OUTCOME_UNKNOWN` if the backend
   * does not say.
   */
  readonly signal?: AbortSignal | undefined;
}

/** How a delivery is given back. */
export interface NackOptions {
  /** How long nobody gets the event, in milliseconds. @default 0 */
  readonly delayMs?: number | undefined;
  /** Why, in a short sentence without payload: it is kept with a dead letter. */
  readonly reason?: string | undefined;
  /**
   * Gives the event up: it becomes a dead letter instead of being handed out again, at once, whatever `delayMs` says.
   *
   * @default false
   */
  readonly deadLetter?: boolean | undefined;
}

/** One handing-out of an event. It is ours until it is settled or its lease ends. */
export interface Delivery<Data = unknown> extends AsyncDisposable {
  readonly event: QueueEvent<Data>;
  /** The number of this hand-out of the event, from 1. Every hand-out counts: after a nack, a lost lease, a crash. */
  readonly attempt: number;
  /**
   * How long ago the event was pushed, in milliseconds, whenever it is read, also after a nack; replayed dead letters count
   * anew. `undefined` if nobody knows.
   */
  readonly waitedMs: number | undefined;
  /**
   * Aborts when the event is no longer ours although it is not settled: with `NQ_LEASE_LOST` when the lease ended, with
   * `NQ_CLOSED` when the queue was closed.
   */
  readonly signal: AbortSignal;
  /**
   * Says that the event is done. Resolves once the queue has forgotten it. Repeating it is a no-op.
   *
   * @throws {NqError} `NQ_ALREADY_SETTLED` after a nack; `NQ_LEASE_LOST` if too late; `NQ_CLOSED` after the queue closed.
   * Nothing is changed then. `NQ_OUTCOME_UNKNOWN` if the backend vanished meanwhile: repeat it, or let the lease end.
   */
  ack(): Promise<void>;
  /**
   * Gives the event back: it is handed out again, or becomes a dead letter. Repeating it is a no-op.
   *
   * @throws {NqError} as `ack()`; `NQ_UNSUPPORTED` if the queue does not declare `nackDelay` or `deadLetter` and it was
   * asked for; `NQ_FULL` if there is no room for a dead letter. The delivery is as before then.
   */
  nack(options?: NackOptions): Promise<void>;
  /**
   * Makes the lease end `ms` milliseconds from now.
   *
   * @throws {NqError} as `ack()`; `NQ_UNSUPPORTED` if the queue does not declare it.
   */
  extend(ms: number): Promise<void>;
  /** Gives an unsettled delivery back at once; does nothing to a settled or lost one. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a queue holds. */
export interface QueueSize {
  /** Events that could be handed out now: where the counts are exact, a pop that does not wait finds one. */
  readonly ready: number;
  /** Deliveries that are not settled yet. */
  readonly inFlight: number;
  /** Events that wait for the end of a nack's `delayMs`. */
  readonly delayed: number;
  /** How long the oldest ready event has been in the queue, in milliseconds; 0 if there is none or nobody can know. */
  readonly oldestAgeMs: number;
  /** Whether the counts are exact; otherwise they are estimates that converge when nothing happens. */
  readonly exact: boolean;
}

/** How a queue is closed. */
export interface CloseOptions {
  /** How long to wait for unsettled deliveries, in milliseconds. @default 0 */
  readonly drainMs?: number | undefined;
}

/** What became of the events that a closed queue still held. */
export interface CloseReport {
  /** Deliveries that were not settled in time and went back to the queue: their events will be handed out again. */
  readonly returned: number;
  /** Events that are gone with this queue object, because it keeps nothing; and those that could not be given back. */
  readonly abandoned: number;
  /**
   * Dead letters that are gone with this queue object, because it keeps nothing: list them before. 0 for a queue that
   * keeps them. Those that the backend does not count in time are missing here.
   */
  readonly deadLetters: number;
}

/** An event that was given up on. */
export interface DeadLetter {
  /** Its data may be what nobody expects: what could not be read as an event is here too, as its bytes. */
  readonly event: QueueEvent;
  /** How often it had been handed out. */
  readonly attempts: number;
  /** Why it was given up, as the last nack said. */
  readonly reason: string;
  /** When, in milliseconds since the Unix epoch; -1 if that is not known, for somebody else has written it. */
  readonly deadAt: number;
}

/**
 * The dead letters of a queue. Every method rejects `NQ_UNSUPPORTED` if the queue does not declare `deadLetter`, and
 * `NQ_CLOSED` once it is closed. One that fails when a part is done rejects `NQ_OUTCOME_UNKNOWN`, and says how large a part.
 */
export interface DeadLetters {
  count(): Promise<number>;
  /** The oldest `limit` dead letters, in the order in which they were given up. @default limit 100 */
  list(options?: { readonly limit?: number }): Promise<readonly DeadLetter[]>;
  /**
   * Makes events ready again as if they were new, whatever the capacity: behind what is ready, the oldest dead letter first.
   * All of them without `ids`; none with an empty list. Resolves how many.
   */
  replay(ids?: readonly string[]): Promise<number>;
  /** Forgets dead letters for good. All of them without `ids`; none with an empty list. Resolves how many. */
  remove(ids?: readonly string[]): Promise<number>;
}

/** From where a queue hands out its events again. */
export type RewindPosition =
  | { /** Milliseconds since the Unix epoch. */ readonly time: number }
  | { /** In the queue's own words. */ readonly position: string };

/**
 * What users hold: a bounded queue of events, with the same meaning in this process, on Redis and on Kafka.
 * What differs is declared in `capabilities`; an operation that is not declared rejects `NQ_UNSUPPORTED` and changes nothing.
 *
 * Misuse (a wrong type, a value out of range) is a `TypeError` or `RangeError`, before anything happens.
 *
 * `for await` over it takes one delivery per round, as `pop()`, and ends when the queue is closed. It settles nothing and
 * fetches nothing ahead: after a `break` the queue is open, and the last delivery is still its holder's.
 */
export interface MessageQueue<Data = unknown> extends AsyncDisposable, AsyncIterable<Delivery<Data>> {
  /** What this queue promises. The same frozen object at every time. */
  readonly capabilities: Capabilities;
  /** How many ready and delayed events it takes; `Infinity` if it is unbounded. Returned events are never refused. */
  readonly capacity: number;
  /** The dead letters of this queue. */
  readonly deadLetters: DeadLetters;
  /**
   * Stores one event. Resolves once the backend has it as durably as `capabilities.durable` says. Waits for room. Its id is
   * for its handlers: two events that are pushed with one id both come, and each is settled by itself.
   *
   * @throws {NqError} if there is no room, `NQ_FULL` with `timeoutMs: 0`, otherwise `NQ_TIMEOUT`, also if its turn does not come
   * in time: the event is not stored.
   * @throws {NqError} `NQ_OUTCOME_UNKNOWN` if the backend vanished mid-write: it may be stored.
   * @throws {NqError} `NQ_PAYLOAD`, `NQ_CLOSED`, `NQ_UNAVAILABLE`: the event is not stored.
   * @throws `signal.reason` if aborted while waiting: the event is not stored.
   */
  push(event: EventInput<Data>, options?: WaitOptions): Promise<void>;
  /**
   * Stores events in order, waiting for room where needed. Resolves once all are stored.
   *
   * @throws as `push`. The first events may be stored then, with `order: 'key'` the first of each key: `stored` of the
   * {@link NqError} says how many. The reason of an abort stays untouched and cannot say it: push one by one where that
   * matters.
   */
  pushMany(events: readonly EventInput<Data>[], options?: WaitOptions): Promise<void>;
  /**
   * Takes the oldest ready event; waits for one, woken by a push.
   *
   * @returns `undefined` when `timeoutMs` passed: nothing was taken. The backend may have been out of reach all that time:
   * the call rejects only if its wait is longer than the queue takes to find that out.
   * @throws {NqError} `NQ_CLOSED` once the queue is closing. @throws `signal.reason` if aborted: nothing was taken.
   */
  pop(options?: WaitOptions): Promise<Delivery<Data> | undefined>;
  /** Takes up to `max` ready events in order; waits for the first one only. An empty array when `timeoutMs` passed. */
  popMany(max: number, options?: WaitOptions): Promise<readonly Delivery<Data>[]>;
  /** Counts what the queue holds. Has no side effect. @throws {NqError} `NQ_CLOSED` after the queue closed. */
  size(): Promise<QueueSize>;
  /**
   * Hands out events again from an earlier position on.
   *
   * @throws {NqError} `NQ_UNSUPPORTED` if the queue does not declare `replay`.
   */
  rewind(position: RewindPosition): Promise<void>;
  /**
   * Ends intake, releases every waiting call with `NQ_CLOSED`, waits up to `drainMs` for unsettled deliveries, gives the
   * rest back and lets go of what this queue opened itself. Never acks. Always settles, also when the backend is
   * unreachable: then some seconds after `drainMs`. Further calls answer the same report.
   */
  close(options?: CloseOptions): Promise<CloseReport>;
  /** The same as `close()`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * The synchronous fast path that a queue in this process may offer besides {@link MessageQueue}: the dispatcher uses it
 * where it is there. An event then costs no promise.
 */
export interface SynchronousQueue<Data = unknown> extends MessageQueue<Data> {
  /** As `push`, but answers `undefined` when the event is stored at once, and a promise only when it has to wait. */
  offer(event: EventInput<Data>, options?: WaitOptions): Promise<void> | undefined;
  /** Takes the oldest ready event now. @returns `undefined` if there is none, or the queue is closing. */
  tryPop(): Delivery<Data> | undefined;
  /**
   * Calls `listener` soon after events became ready while nobody waited for them, once per burst, and when the queue closes.
   *
   * @returns a function that ends it.
   */
  onReady(listener: () => void): () => void;
}

/** Whether `queue` has the synchronous fast path. */
export function isSynchronousQueue<Data>(queue: MessageQueue<Data>): queue is SynchronousQueue<Data> {
  const { offer, tryPop, onReady } = queue as Partial<SynchronousQueue<Data>>;
  return typeof offer === 'function' && typeof tryPop === 'function' && typeof onReady === 'function';
}
