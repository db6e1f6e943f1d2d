import type { Capabilities } from './capabilities.ts';
import type { NqErrorCode } from './errors.ts';
import type { QueueEvent } from './event.ts';
import type { DeadLetters, QueueSize, RewindPosition } from './queue.ts';

/** An event that the backend has handed to us. */
export interface LeasedEvent {
  /** What the backend needs to settle it. It must name this hand-out, not only the event; compared as the key of a `Map`. */
  readonly receipt: unknown;
  /** Complete, and without any other member: it may be pushed on, into a dead-letter queue for example. */
  readonly event: QueueEvent;
  /** The number of this hand-out, from 1, counted by the backend. */
  readonly attempt: number;
  /** How long the event has been in the queue, in milliseconds, if the backend knows. */
  readonly waitedMs?: number;
}

/** A leased event on its way back. */
export interface ReturnedLease {
  readonly receipt: unknown;
  /** How long nobody gets the event, in milliseconds; 0 unless `capabilities.nackDelay`. */
  readonly delayMs: number;
  readonly reason: string;
  /** Whether the event becomes a dead letter; `false` unless `capabilities.deadLetter`. */
  readonly deadLetter: boolean;
  /**
   * There if nobody was given the event, because whoever had asked for it had left. A driver that can does not count the
   * hand-out, so that the next one has the same `attempt`; one that cannot gives the event back as any other.
   */
  readonly unused?: true;
}

/**
 * How events are gathered into requests for a backend that stores in several places, such as the partitions of a topic, and
 * stores there what it can, however much it has: it is never full, but may be slow. A `push` that stores fewer events than it
 * was given says that they are too many for one request: the others come again at once, half as many at a time. One that
 * rejects `NQ_UNAVAILABLE` has stored nothing, and says that the time of its first event is over: those that have more than a
 * second longer come again.
 */
export interface Gathering<Encoded = unknown> {
  /**
   * Where an event goes: a whole number, one for each place. The events of one `push` are all for the same place, and for
   * each there is one `push` under way at a time: no place waits for another.
   */
  laneOf(event: Encoded): number;
  /** How large an event is, in bytes: the same whenever it is asked. */
  sizeOf(event: Encoded): number;
  /** Until when an event is tried, in milliseconds, by the clock of the queue. */
  deadlineOf(event: Encoded): number;
  /** How large a request may be, in bytes, unless it is for a single event. */
  readonly requestBytes: number;
  /** How many events may be on their way: one more that is not to wait (`timeoutMs: 0`) is refused with `NQ_FULL`. */
  readonly most: number;
  /** The same in bytes, unless nothing is on its way. */
  readonly mostBytes: number;
  /** How long a push may take that has no limit of its own, in milliseconds; it rejects `NQ_UNAVAILABLE` if it was not sent. */
  readonly timeoutMs: number;
}

/**
 * What a backend author writes. Every method is one round trip and nothing else: it must not retry, wait beyond `waitMs`,
 * gather calls, check what it is given, or log. `createQueue` does all of that once, for every backend. The model to read
 * first is `memoryDriver` of `@nq/core/testing`, whose backend is an array.
 *
 * What a method throws is the client library's raw error; `classify` names it.
 */
export interface QueueDriver<Encoded = unknown> {
  /** What the backend promises. Read once, when the queue is created. */
  readonly capabilities: Capabilities;
  /** How many ready and delayed events the backend takes; `Infinity` if it does not count. */
  readonly capacity: number;
  /**
   * What `push` is given for `event`, in the form in which it travels: called at once when the user pushes, so that later
   * changes of the event do not count, and before anything happens. Must not do I/O. `encodeEvent` makes CloudEvents JSON
   * of it, which other languages read too; `decodeEvent` makes the event of a lease from that again.
   *
   * @throws {NqError} `NQ_PAYLOAD` if the event cannot be written, or is larger than `capabilities.maxPayloadBytes`.
   */
  encode(event: QueueEvent): Encoded;
  /** How events are gathered, where that is not as for most backends. */
  readonly gathering?: Gathering<Encoded>;
  /**
   * Stores the first of `events`, in order, as far as there is room. Must not wait for room. There are 500 at the most, and
   * together they are no larger than 1,048,576 characters or bytes, if they are strings or bytes, unless it is a single one.
   *
   * @returns how many are stored. Any other answer fails the calls with `NQ_OUTCOME_UNKNOWN`.
   */
  push(events: readonly Encoded[]): Promise<number>;
  /**
   * Leases up to `max` ready events, waiting at most `waitMs` milliseconds for the first one. A driver that cannot wait
   * answers at once and is asked again, at least every 50 ms. When `signal` aborts, the wait should end early; events that
   * are leased by then must be returned all the same. `max` is 256 at the most.
   *
   * @returns the leases, oldest first; none is a normal answer. One that is no lease fails the calls with `NQ_BACKEND`, and
   * the others are given back.
   */
  pop(max: number, waitMs: number, signal: AbortSignal): Promise<readonly LeasedEvent[]>;
  /**
   * How many calls of `ack`, and of `nack`, may be under way at a time. What comes while there are as many goes together with
   * the next one, which is best where each is a request; a driver that gathers them itself says `Infinity`.
   *
   * @default 1
   */
  readonly settlesAtOnce?: number;
  /**
   * Forgets leased events for good. Must be safe to repeat.
   *
   * @returns for each, in order, `true` or `false`: whether it was still ours; or an error, if it is this one that has
   * failed and not the request. Any other answer, here and of `nack` and `extend`, fails the calls with
   * `NQ_OUTCOME_UNKNOWN`.
   */
  ack(receipts: readonly unknown[]): Promise<readonly (boolean | Error)[]>;
  /**
   * Puts leased events back, or among the dead letters. A queue that is closed asks for what has no answer yet once more.
   *
   * @returns as `ack`.
   */
  nack(returns: readonly ReturnedLease[]): Promise<readonly (boolean | Error)[]>;
  /** Makes leases end `ms` from now. Needed if `capabilities.lease.extend`. @returns for each whether it was still ours. */
  extend?(receipts: readonly unknown[], ms: number): Promise<readonly boolean[]>;
  /**
   * Calls `listener` with the receipt of each lease that was lost. A driver that renews leases by itself has this; without
   * it, a lease counts as lost when `capabilities.lease.ms` have passed here.
   */
  onLeaseLost?(listener: (receipt: unknown) => void): void;
  /** Counts what the backend holds. Must not change anything. An answer that lacks a member fails with `NQ_BACKEND`. */
  size(): Promise<QueueSize>;
  /** The dead letters. Needed if `capabilities.deadLetter`. */
  readonly deadLetters?: DeadLetters;
  /**
   * Goes back to an earlier position. Needed if `capabilities.replay`. That the time is finite, or the position a string, was
   * checked.
   *
   * @throws {RangeError} if the position is none of this backend: the caller gets it as it is.
   */
  rewind?(position: RewindPosition): Promise<void>;
  /**
   * Names a failure: `NQ_OUTCOME_UNKNOWN` if a write may have happened, `NQ_UNAVAILABLE` if it certainly has not and may
   * later, `NQ_BACKEND` otherwise. Called only with what the methods above threw.
   */
  classify(error: unknown): NqErrorCode;
  /**
   * What a failure means, in a few words that follow `Cannot pop: `: no payload, no password, and nothing that the client
   * library says, which may hold both. Called as `classify` is.
   *
   * @default 'the backend failed'
   */
  explain?(error: unknown): string;
  /** Ends what is under way and lets go of what the driver itself opened, and of nothing that it was given. */
  close(): Promise<void>;
}
