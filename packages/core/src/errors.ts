/** One row of the table of error codes. */
export interface ErrorCodeEntry {
  /** What the code says happened, and the state of the world afterwards. */
  readonly meaning: string;
  /** Whether the same call may succeed later without any change by the caller. */
  readonly retryable: boolean;
  /** What the caller can do. */
  readonly action: string;
}

/**
 * Every failure that a caller may want to handle. Codes are never renamed or reused; messages may change.
 * `docs/errors.md` is generated from this table.
 */
export const errorCodes = {
  NQ_FULL: {
    meaning:
      'There was no room and the call was told not to wait. The event is not stored; of a `pushMany`, `stored` of the events are.',
    retryable: true,
    action: 'Slow down, drop the event on purpose, or push again with a `timeoutMs`.',
  },
  NQ_TIMEOUT: {
    meaning:
      'What was waited for did not happen within `timeoutMs`: no room for the event, or no turn behind others; it is not stored (of a `pushMany`, `stored` of the events are); or a queue that did not become empty, or did not open.',
    retryable: true,
    action: 'Try again, raise `timeoutMs`, or add consumers.',
  },
  NQ_OUTCOME_UNKNOWN: {
    meaning:
      'The backend vanished while it was writing, or its driver has not said what was written. The event may or may not be stored; a settlement may or may not have happened.',
    retryable: true,
    action:
      'Push the same event (same `id`) again if handlers are idempotent; otherwise look first. Repeat a settlement, or let the lease end.',
  },
  NQ_CLOSED: {
    meaning:
      'The queue is closed or closing. Nothing was taken or settled by this call, and nothing stored; of a `pushMany` that was under way, `stored` of the events are.',
    retryable: false,
    action: 'Open a new queue, or stop calling this one.',
  },
  NQ_ALREADY_SETTLED: {
    meaning: 'The delivery was settled in another way before. The first settlement stands.',
    retryable: false,
    action: 'Settle each delivery once; look for two owners of one delivery.',
  },
  NQ_LEASE_LOST: {
    meaning: 'The lease ended before this call, so the event belongs to someone else now. Nothing was changed.',
    retryable: false,
    action: 'Stop working on the event; raise the lease or call `extend()` for long work.',
  },
  NQ_UNSUPPORTED: {
    meaning: 'The queue does not declare the capability that this operation needs. Nothing was changed.',
    retryable: false,
    action: 'Read `queue.capabilities` first, or choose a queue that has it.',
  },
  NQ_PAYLOAD: {
    meaning:
      'The event cannot be written or read: not serialisable, too large, or not an event. It is not stored; of a `pushMany`, `stored` of the events are.',
    retryable: false,
    action: 'Change the event: plain JSON data or a Uint8Array, within `capabilities.maxPayloadBytes`.',
  },
  NQ_CONFIG: {
    meaning:
      'A configuration is wrong: a URL parameter, a member of `extra` or a queue type that is not known, and what the backend refuses for good, such as a password, a permission or a topic that is missing. Nothing was opened; a call of a queue that is open had no effect; of a `pushMany`, `stored` of the events are stored.',
    retryable: false,
    action: 'Correct what the message names, here or at the backend.',
  },
  NQ_NOT_INSTALLED: {
    meaning: 'A package is missing: that of a queue type, or one that reads what is compressed. Nothing has changed.',
    retryable: false,
    action: 'Run the install line of the message, or register the type with `registerQueueType()`.',
  },
  NQ_UNAVAILABLE: {
    meaning:
      'The backend cannot be reached or refuses work for now. The call had no effect; of a `pushMany`, `stored` of the events are stored.',
    retryable: true,
    action: 'Wait and try again; look at the backend.',
  },
  NQ_BACKEND: {
    meaning:
      'The backend answered with an error that nq does not know. The call had no effect unless `cause` says so; of a `pushMany`, `stored` of the events are stored.',
    retryable: false,
    action: "Read `cause`, the client library's own error.",
  },
  NQ_HANDLER_FAILED: {
    meaning:
      'An event that was run inline, because the queue was full, is not done: its handler failed or gave it up, there is none, or the dispatcher was stopped. The event is not stored.',
    retryable: true,
    action: 'Read the message, and `cause` for the error of the handler; dispatch the event again.',
  },
  NQ_HANDLER_TIMEOUT: {
    meaning:
      'The handler did not end within `handlerTimeoutMs`. Its `signal` was aborted; the event is retried, or given up after its last attempt.',
    retryable: true,
    action: 'Make the handler obey its `signal`, or raise `handlerTimeoutMs`.',
  },
  NQ_NO_HANDLER: {
    meaning:
      'No handler is registered for the type of the event. The event is handed out again, and given up after its last attempt.',
    retryable: true,
    action: 'Register a handler with `on(type, handler)`, or stop sending the type to this queue.',
  },
  NQ_STOPPED: {
    meaning:
      'The dispatcher was stopped. What was called had no effect; a running handler whose `signal` aborts with it has no say any more, and its event goes back.',
    retryable: false,
    action: 'Dispatch before `stop()`, or start again.',
  },
} as const satisfies Record<`NQ_${string}`, ErrorCodeEntry>;

/** A code of the table {@link errorCodes}. */
export type NqErrorCode = keyof typeof errorCodes;

/** What may be added to an {@link NqError}. */
export interface NqErrorOptions {
  /** The raw error of a client library or of a handler, wrapped exactly once. */
  readonly cause?: unknown;
  /** How many events of a `pushMany` are stored all the same: the first ones, with `order: 'key'` the first of each key. */
  readonly stored?: number;
}

/** `Symbol.for`, so that two installed copies of this package recognise each other's errors. */
const brand: unique symbol = Symbol.for('@nq/error');

/** The one error class of nq: programs act on `code`, people read `message`. It never holds a payload or a secret. */
export class NqError extends Error {
  static {
    this.prototype.name = 'NqError';
    // Not a member of each error, which would be shown wherever one is printed.
    Object.defineProperty(this.prototype, brand, { value: true });
  }

  declare readonly [brand]: true;
  /** What happened: a code of {@link errorCodes}. */
  readonly code: NqErrorCode;
  /**
   * How many events of a rejected `pushMany` are stored all the same: the first ones; on a queue with `order: 'key'` the
   * first of each key, and nobody can tell which from their number. `undefined` for other calls.
   */
  declare readonly stored: number | undefined;

  constructor(code: NqErrorCode, message: string, options: NqErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    // Where there is nothing to say, nothing is printed.
    if (options.stored !== undefined) this.stored = options.stored;
  }

  /** Whether the same call may succeed later: looked up in {@link errorCodes}. */
  get retryable(): boolean {
    return errorCodes[this.code].retryable;
  }
}

/** Whether `error` is an {@link NqError}, also one of another copy of this package, and has `code` where one is given. */
export function isNqError(error: unknown, code?: NqErrorCode): error is NqError {
  return (
    typeof error === 'object' &&
    error !== null &&
    (error as Partial<NqError>)[brand] === true &&
    (code === undefined || (error as NqError).code === code)
  );
}
