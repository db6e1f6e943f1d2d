import { describeKind } from './check.ts';
import type { Clock, Timer } from './clock.ts';
import type { LeasedEvent, QueueDriver } from './driver.ts';
import { describeMember, isCount, wrapDriverError, wrongAnswer } from './driver-calls.ts';
import type { DriverDelivery } from './driver-delivery.ts';
import { NqError } from './errors.ts';
import type { QueueEvent } from './event.ts';
import { Pace } from './pace.ts';
import type { WaitOptions } from './queue.ts';
import { Waiter, WaitingLine, type WaitLimits } from './waiting.ts';

/** A call of `pop` or `popMany`. */
interface PopCall {
  readonly max: number;
  /** Whether it tries once and does not wait for an event. */
  readonly once: boolean;
  /** Whether the request that is under way was made for it. */
  asked: boolean;
}

type PopWaiter = Waiter<PopCall, readonly DriverDelivery[]>;

/** What becomes of what the driver leased. */
export interface LeaseOwner {
  /** Makes a delivery of a lease, for a call that waits. */
  handOut(lease: LeasedEvent): DriverDelivery;
  /** Puts leases back that nobody waits for any more. */
  giveBackUnused(leases: readonly LeasedEvent[]): void;
}

/** The most events in one request. */
const largestBatch = 256;
/** How long one request waits for an event, in milliseconds; then it is asked again, so that a lost request is noticed. */
const requestWaitMs = 5000;
/**
 * A driver that answers 'none' without waiting is asked again after so long, doubled up to the longest, in milliseconds,
 * and at once after a push of ours: asked again right away, it would leave no turn of the event loop to anybody else.
 */
const firstPauseMs = 1;
const longestPauseMs = 50;
/** How long a single try waits for the answer, in milliseconds; what comes later is given back. */
const answerMs = 1000;

/** The calls that pop, first come, first served. One request is under way at a time, for all that wait. */
export class PopLine {
  readonly #driver: QueueDriver;
  readonly #clock: Clock;
  readonly #limits: () => WaitLimits;
  readonly #owner: LeaseOwner;
  readonly line = new WaitingLine<PopCall, readonly DriverDelivery[]>(
    (waiter) => this.#leave(() => waiter.resolve([])),
    (waiter, reason) => this.#leave(() => waiter.reject(reason)),
  );
  /** Ends the request that is under way early. */
  #request: AbortController | undefined;
  /** Whether the same request may wait for an event. */
  #mayWait = false;
  /** The same request; ends when its answer has been dealt with. */
  #asking: Promise<void> | undefined;
  #scheduled = false;
  readonly #pace = new Pace();
  #closed = false;
  #pause: Timer | undefined;
  #pauseMs = firstPauseMs;

  constructor(driver: QueueDriver, clock: Clock, limits: () => WaitLimits, owner: LeaseOwner) {
    this.#driver = driver;
    this.#clock = clock;
    this.#limits = limits;
    this.#owner = owner;
  }

  pop(max: number, options: WaitOptions): Promise<readonly DriverDelivery[]> {
    const once = options.timeoutMs === 0;
    const waiter: PopWaiter = new Waiter({ max, once, asked: false });
    this.line.join(waiter);
    this.#limits().apply(waiter, once ? { signal: options.signal, timeoutMs: answerMs } : options);
    // The request under way may wait for long, and so may the pause: a single try must not. One that does not wait is left
    // alone: it was made for single tries before this one, whose events would go back.
    if (once) {
      if (this.#mayWait) this.#request?.abort();
      this.#endPause();
    }
    this.#schedule();
    return waiter.promise;
  }

  /** There may be events again. */
  arrived(): void {
    if (this.#pause === undefined) return;
    this.#endPause();
    this.#pauseMs = firstPauseMs;
    this.#schedule();
  }

  /** Releases every call with `NQ_CLOSED`, and ends the request; what it still brings is given back. */
  close(): void {
    this.#closed = true;
    this.#endPause();
    for (let waiter = this.line.first; waiter !== null; waiter = this.line.first) {
      this.line.leave(waiter);
      waiter.reject(new NqError('NQ_CLOSED', 'Cannot pop: the queue was closed meanwhile'));
    }
    this.#request?.abort();
  }

  /** Resolves once the request that is under way has its answer: never, if the backend does not answer. */
  async idle(): Promise<void> {
    await this.#asking;
  }

  #endPause(): void {
    this.#pause?.cancel();
    this.#pause = undefined;
  }

  #leave(settle: () => void): void {
    settle();
    // Nobody waits any more: what the request would take would only have to be given back.
    if (this.line.first === null) {
      this.#request?.abort();
      this.#endPause();
    }
  }

  #schedule(): void {
    if (this.#scheduled || this.#request !== undefined || this.#pause !== undefined || this.#closed) return;
    this.#scheduled = true;
    this.#pace.soon(() => {
      this.#scheduled = false;
      if (this.line.first !== null && !this.#closed) this.#asking = this.#ask();
    });
  }

  async #ask(): Promise<void> {
    let max = 0;
    let once = false;
    for (let waiter = this.line.first; waiter !== null; waiter = waiter.next) {
      waiter.item.asked = true;
      max += waiter.item.max;
      once ||= waiter.item.once;
    }
    const request = new AbortController();
    this.#request = request;
    const askedAt = this.#clock.now();
    const waitMs = once ? 0 : requestWaitMs;
    this.#mayWait = !once;
    try {
      const answer: unknown = await this.#driver.pop(Math.min(max, largestBatch), waitMs, request.signal);
      const leases = this.#leasesOf(answer);
      this.#pace.count(leases.length);
      this.#hand(leases);
      const tooSoon = leases.length === 0 && !request.signal.aborted && this.#clock.now() - askedAt < waitMs / 2;
      if (tooSoon) this.#pauseAWhile();
      else this.#pauseMs = firstPauseMs;
    } catch (error) {
      this.#fail(wrapDriverError(this.#driver, 'pop', error));
    }
    this.#request = undefined;
    this.#schedule();
  }

  /** @throws {NqError} `NQ_BACKEND` if `answer` is not an array of leases; those in it are given back. */
  #leasesOf(answer: unknown): readonly LeasedEvent[] {
    if (!Array.isArray(answer)) throw noLeases('an array of leases', describeKind(answer));
    // Not every(), which passes over holes.
    const wrong = answer.findIndex((one) => !isLease(one));
    if (wrong === -1) return answer;
    this.#owner.giveBackUnused(answer.filter(isLease));
    throw noLeases('leases { receipt, event, attempt }', flawOf(answer[wrong]));
  }

  #pauseAWhile(): void {
    if (this.line.first === null || this.#closed) return;
    this.#pause = this.#clock.schedule(() => {
      this.#pause = undefined;
      this.#schedule();
    }, this.#pauseMs);
    this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2);
  }

  /** Gives leases to who waits, oldest to first; those who tried once and got none learn it. */
  #hand(leases: readonly LeasedEvent[]): void {
    let next = 0;
    for (let waiter = this.line.first; waiter !== null;) {
      const following: PopWaiter | null = waiter.next;
      const { max, once, asked } = waiter.item;
      if (next < leases.length || (once && asked)) {
        this.line.leave(waiter);
        // At once, not when the caller hears of it: a close in between finds the delivery.
        const deliveries: DriverDelivery[] = [];
        for (const end = Math.min(leases.length, next + max); next < end; next++) {
          deliveries.push(this.#owner.handOut(leases[next] as LeasedEvent));
        }
        waiter.resolve(deliveries);
      }
      waiter = following;
    }
    if (next < leases.length) this.#owner.giveBackUnused(leases.slice(next));
  }

  #fail(error: NqError): void {
    for (let waiter = this.line.first; waiter !== null;) {
      const following: PopWaiter | null = waiter.next;
      if (waiter.item.asked) {
        this.line.leave(waiter);
        waiter.reject(error);
      }
      waiter = following;
    }
  }
}

/** Whether a delivery can be made of `value`. What a receipt is, only its driver knows. */
function isLease(value: unknown): value is LeasedEvent {
  if (typeof value !== 'object' || value === null) return false;
  const { receipt, event, attempt } = value as Partial<LeasedEvent>;
  if (typeof event !== 'object' || event === null) return false;
  return receipt !== undefined && typeof event.id === 'string' && typeof event.type === 'string' && isCount(attempt, 1);
}

/** Why `value` is no lease, without payload. */
function flawOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return describeKind(value);
  const { receipt, event, attempt } = value as Partial<Record<keyof LeasedEvent, unknown>>;
  if (receipt === undefined) return describeMember('receipt', receipt);
  if (typeof event !== 'object' || event === null) return describeMember('event', event);
  const { id, type } = event as Partial<Record<keyof QueueEvent, unknown>>;
  if (typeof id !== 'string') return describeMember('event.id', id);
  if (typeof type !== 'string') return describeMember('event.type', type);
  return describeMember('attempt', attempt);
}

function noLeases(expected: string, got: string): NqError {
  return wrongAnswer('NQ_BACKEND', 'pop', `pop must answer ${expected}`, got);
}
