import { describeKind } from './check.ts';
import type { Clock, Timer } from './clock.ts';
import type { Gathering, QueueDriver } from './driver.ts';
import { wrapDriverError, wrongAnswer } from './driver-calls.ts';
import { NqError, type NqErrorCode } from './errors.ts';
import { Pace } from './pace.ts';
import type { WaitOptions } from './queue.ts';
import { Waiter, WaitingLine, type WaitLimits } from './waiting.ts';

/** A call of `push` or `pushMany`. Of a class, as what waits: see `eventOf`. */
class PushCall {
  /** As the driver has encoded them. */
  readonly events: readonly unknown[];
  /** Whether it is a `pushMany`, which learns how many of its events are stored. */
  readonly many: boolean;
  /** Whether it tries once and does not wait for room. */
  readonly once: boolean;
  /** How many of its events are stored. */
  stored = 0;
  /** How many of its events are in the request that is under way. */
  sent = 0;
  /** Why it wants to give up; it cannot as long as a request is under way. */
  givenUp: { readonly reason: Reason; readonly grace: Timer } | undefined = undefined;
  /** Whether its caller has been told how it ended. */
  isOver = false;
  /** How many answers its line had had when it came. */
  answersBefore = 0;

  constructor(events: readonly unknown[], many: boolean, once: boolean) {
    this.events = events;
    this.many = many;
    this.once = once;
  }
}

/** Who hears of the calls of a line. */
export interface PushListener {
  /** A call has events on their way. */
  began(events: readonly unknown[]): void;
  /** It has none any more, stored or not: once for each that began. */
  ended(events: readonly unknown[]): void;
  /** A request has stored events. */
  stored(): void;
}

/** Why a call gives up, told when it does: until then some of its events may be stored. */
type Reason = (call: PushCall) => unknown;

type PushWaiter = Waiter<PushCall, void>;

/** The most events in one request. More hardly make a round trip cheaper per event, but longer for who waits behind it. */
const largestBatch = 500;
/**
 * How large a request may be, in characters or bytes, unless it is for a single event: as large as the default of Kafka's
 * `message.max.bytes`. Large events gain nothing from company, and a client writes a request as a whole.
 */
const largestRequest = 1_048_576;
/** A full backend is tried again after so long, doubled up to the longest, in milliseconds, and at once after a pop of ours. */
const firstRetryMs = 1;
const longestRetryMs = 50;
/**
 * How long a call that was aborted, or is out of time, waits for the answer to its request, in milliseconds; and how long
 * a single try waits for the answers to each of its own.
 */
const answerMs = 1000;

/**
 * The calls that push, first come, first served. One request is under way at a time; what comes meanwhile goes with the
 * next one, so that many callers cost few round trips and order is kept.
 */
export class PushLine {
  readonly #driver: QueueDriver;
  readonly #clock: Clock;
  readonly #limits: () => WaitLimits;
  readonly #listener: PushListener;
  readonly line = new WaitingLine<PushCall, void>(
    (waiter) =>
      waiter.item.once ? this.#reject(waiter, neverAnswered(waiter.item)) : this.#giveUp(waiter, this.#timedOut),
    (waiter, reason) => this.#giveUp(waiter, () => reason),
  );
  /** The request that is under way; ends when its answer has been dealt with. */
  #sending: Promise<void> | undefined;
  #scheduled = false;
  readonly #pace = new Pace();
  #closed = false;
  #retry: Timer | undefined;
  #retryMs = firstRetryMs;
  /** The most events in the next request. */
  #most = largestBatch;
  /** Whether the last answer was that there is no room, and nothing is known of any since. */
  #isFull = false;
  /** How many answers there were. */
  #answers = 0;
  /** Whoever waits behind a request without an answer learns that, unless the answer before it was that there is no room. */
  readonly #timedOut: Reason = (call) => {
    if (this.#isFull) return missed('NQ_TIMEOUT', 'no room in time', call);
    return call.answersBefore < this.#answers ? missed('NQ_TIMEOUT', 'no turn in time', call) : unanswered(call);
  };

  readonly #gathering: Gathering | undefined;

  constructor(driver: QueueDriver, clock: Clock, limits: () => WaitLimits, listener: PushListener) {
    this.#driver = driver;
    this.#gathering = driver.gathering;
    this.#clock = clock;
    this.#limits = limits;
    this.#listener = listener;
  }

  push(events: readonly unknown[], many: boolean, options: WaitOptions): Promise<void> {
    const once = options.timeoutMs === 0;
    const waiter: PushWaiter = new Waiter(new PushCall(events, many, once));
    if (once && this.#retry !== undefined) return Promise.reject(full(waiter.item));
    waiter.item.answersBefore = this.#answers;
    this.line.join(waiter);
    this.#listener.began(events);
    // A single try is bounded by the answers to its requests, not by a deadline that has passed already.
    const timeoutMs = once ? answerMs * this.#requestsFor(events) : (options.timeoutMs ?? this.#gathering?.timeoutMs);
    this.#limits().apply(waiter, { signal: options.signal, timeoutMs });
    this.#schedule();
    return waiter.promise;
  }

  /** There may be room again. */
  roomFreed(): void {
    if (this.#retry === undefined) return;
    this.#endPause();
    this.#schedule();
  }

  /** Releases every call: those that were not sent with `NQ_CLOSED`, the others with the answer to their request. */
  close(): void {
    this.#closed = true;
    this.#retry?.cancel();
    this.#retry = undefined;
    for (let waiter = this.line.first; waiter !== null; waiter = this.line.first) {
      this.line.leave(waiter);
      this.#giveUp(waiter, closed);
    }
  }

  /** Resolves once the request that is under way has its answer: never, if the backend does not answer. */
  async idle(): Promise<void> {
    await this.#sending;
  }

  #schedule(): void {
    if (this.#sending !== undefined || this.#scheduled || this.#retry !== undefined || this.#closed) return;
    this.#scheduled = true;
    this.#pace.soon(() => {
      this.#scheduled = false;
      if (this.line.first !== null && !this.#closed) this.#sending = this.#request();
    });
  }

  async #request(): Promise<void> {
    await this.#send();
    this.#sending = undefined;
    this.#schedule();
  }

  async #send(): Promise<void> {
    const waiters: PushWaiter[] = [];
    const events: unknown[] = [];
    let size = 0;
    const requestBytes = this.#gathering?.requestBytes ?? largestRequest;
    let isFilled = false;
    for (let waiter = this.line.first; waiter !== null && !isFilled; waiter = waiter.next) {
      const call = waiter.item;
      let next = call.stored;
      while (next < call.events.length && !isFilled) {
        const event = call.events[next];
        size += this.#sizeOf(event);
        isFilled = events.length === this.#most || (size > requestBytes && events.length > 0);
        if (isFilled) break;
        events.push(event);
        next++;
      }
      call.sent = next - call.stored;
      if (call.sent > 0) waiters.push(waiter);
    }
    this.#pace.count(events.length);
    let stored = 0;
    let failure: NqError | undefined;
    try {
      stored = await this.#driver.push(events);
      if (!(Number.isInteger(stored) && stored >= 0 && stored <= events.length))
        failure = noCount(stored, events.length);
    } catch (error) {
      failure = wrapDriverError(this.#driver, 'push', error);
    }
    if (failure === undefined) this.#answers++;
    else stored = 0;
    if (stored > 0) this.#listener.stored();
    const isShort = failure === undefined && stored < events.length;
    // Where requests are gathered it was too much for one of them, unless it was a single event, for which there is no smaller.
    const isTooMuch = isShort && this.#gathering !== undefined && events.length > 1;
    this.#most = isTooMuch ? Math.ceil(events.length / 2) : largestBatch;
    const hasNoRoom = isShort && !isTooMuch;
    this.#isFull = hasNoRoom;
    for (const waiter of waiters) {
      const taken = Math.min(waiter.item.sent, stored);
      stored -= taken;
      this.#answer(waiter, taken, this.#hasTime(waiter.item, events[0], failure) ? undefined : failure);
    }
    if (hasNoRoom) this.#refuseSingleTries();
    if (hasNoRoom && this.line.first !== null) this.#retryLater();
    else this.#retryMs = firstRetryMs;
  }

  /** A request that is gathered ends when the time of its first event is over: those that have longer go again with the next. */
  #hasTime({ events }: PushCall, first: unknown, failure: NqError | undefined): boolean {
    const gathering = this.#gathering;
    if (gathering === undefined || failure?.code !== 'NQ_UNAVAILABLE') return false;
    return gathering.deadlineOf(events[0]) - gathering.deadlineOf(first) > answerMs;
  }

  #answer(waiter: PushWaiter, taken: number, failure: NqError | undefined): void {
    const call = waiter.item;
    call.stored += taken;
    call.sent = 0;
    const { stored, givenUp, events } = call;
    givenUp?.grace.cancel();
    const isStored = stored === events.length;
    if (!isStored && failure === undefined && givenUp === undefined) return;
    if (waiter.line !== null) this.line.leave(waiter);
    if (!isStored) this.#reject(waiter, failure === undefined ? givenUp?.reason(call) : withStored(failure, call));
    else if (this.#ends(call)) waiter.resolve();
  }

  #reject(waiter: PushWaiter, reason: unknown): void {
    if (this.#ends(waiter.item)) waiter.reject(reason);
  }

  /** @returns whether the call ends now; it may have before, when it did not wait for the answer any longer. */
  #ends(call: PushCall): boolean {
    if (call.isOver) return false;
    call.isOver = true;
    this.#listener.ended(call.events);
    return true;
  }

  /** There is no room for those in front, so there is none for those behind them either, sent or not. */
  #refuseSingleTries(): void {
    for (let waiter = this.line.first; waiter !== null;) {
      const { item, next }: PushWaiter = waiter;
      if (item.once) {
        this.line.leave(waiter);
        this.#reject(waiter, full(item));
      }
      waiter = next;
    }
  }

  /** `waiter` has left the line. If its request is under way, the answer decides, unless it does not come. */
  #giveUp(waiter: PushWaiter, reason: Reason): void {
    const call = waiter.item;
    if (call.sent === 0) this.#reject(waiter, reason(call));
    else {
      const grace = this.#clock.schedule(() => this.#reject(waiter, outcomeUnknown(reason, call)), answerMs);
      call.givenUp = { reason, grace };
    }
    // The pause was for those who wait: whoever comes next may find room.
    if (this.line.first === null) this.#endPause();
  }

  #sizeOf(event: unknown): number {
    return this.#gathering === undefined ? lengthOf(event) : this.#gathering.sizeOf(event);
  }

  /** How many requests `events` may take. */
  #requestsFor(events: readonly unknown[]): number {
    const size = events.reduce((sum: number, event) => sum + this.#sizeOf(event), 0);
    const requestBytes = this.#gathering?.requestBytes ?? largestRequest;
    return Math.ceil(events.length / largestBatch) + 2 * Math.floor(size / requestBytes);
  }

  #endPause(): void {
    this.#retry?.cancel();
    this.#retry = undefined;
    this.#retryMs = firstRetryMs;
    this.#isFull = false;
  }

  #retryLater(): void {
    if (this.#closed) return;
    const delayMs = this.#retryMs * (1 + this.#clock.random());
    this.#retryMs = Math.min(longestRetryMs, this.#retryMs * 2);
    this.#retry = this.#clock.schedule(() => {
      this.#retry = undefined;
      this.#schedule();
    }, delayMs);
  }
}

/** How much of a request `event` is; what is encoded otherwise counts by number alone. */
function lengthOf(event: unknown): number {
  if (typeof event === 'string') return event.length;
  return event instanceof Uint8Array ? event.byteLength : 0;
}

function missed(code: NqErrorCode, what: string, call: PushCall): NqError {
  const { stored, events } = call;
  const left = events.length - stored;
  return withStored(new NqError(code, `Cannot push: ${what} for ${left} of ${events.length} events`), call);
}

const full = (call: PushCall): NqError => missed('NQ_FULL', 'no room now', call);

/** What a single try is told where too much is on its way already. */
export function refusedAtOnce(events: readonly unknown[], many: boolean): NqError {
  return full(new PushCall(events, many, true));
}

const closed = (call: PushCall): NqError =>
  withStored(new NqError('NQ_CLOSED', 'Cannot push: the queue was closed meanwhile'), call);

/** For what was not sent. */
const unanswered = (call: PushCall): NqError =>
  withStored(new NqError('NQ_UNAVAILABLE', 'Cannot push: the backend has not answered in time'), call);

function outcomeUnknown(reason: Reason, call: PushCall): NqError {
  const message = 'Cannot push: the backend has not answered in time; the event may be stored';
  return withStored(new NqError('NQ_OUTCOME_UNKNOWN', message, { cause: reason(call) }), call);
}

/** For a single try. What was not sent is not stored: a request before it has no answer. */
function neverAnswered(call: PushCall): NqError {
  return call.sent > 0 ? outcomeUnknown(unanswered, call) : unanswered(call);
}

/** A driver that does not say what it stored may have stored anything. */
function noCount(answer: unknown, sent: number): NqError {
  const expected = `push must answer how many of ${sent} events it has stored`;
  return wrongAnswer('NQ_OUTCOME_UNKNOWN', 'push', expected, describeKind(answer));
}

/** `error`, saying how many events of a `pushMany` are stored. */
function withStored(error: NqError, { many, stored }: PushCall): NqError {
  if (!many) return error;
  return new NqError(error.code, error.message, 'cause' in error ? { cause: error.cause, stored } : { stored });
}
