import { checkMs, resolveNack } from './check.ts';
import type { LeasedEvent, ReturnedLease } from './driver.ts';
import { isNqError, NqError, type NqErrorCode } from './errors.ts';
import type { QueueEvent } from './event.ts';
import type { Delivery, NackOptions } from './queue.ts';
import type { Settler } from './settle-line.ts';

/** What a delivery asks of the queue it came from. */
export interface DeliveryOwner {
  /** Acknowledges it, and tells it. */
  acknowledge(delivery: DriverDelivery): void;
  /** Gives it back as `back` says, and tells it: `NQ_UNSUPPORTED` if the queue does not declare what that asks for. */
  giveBack(delivery: DriverDelivery, back: ReturnedLease): void;
  /** @returns whether the lease was still ours. */
  extend(receipt: unknown, ms: number): Promise<boolean>;
  /** The time of the clock. */
  now(): number;
  /** The delivery is no longer open. */
  closed(delivery: DriverDelivery): void;
}

type Verb = 'ack' | 'nack';

/** A delivery of a queue made by `createQueue`: settled once, whatever the backend does. */
export class DriverDelivery<Data = unknown> implements Delivery<Data>, Settler {
  readonly event: QueueEvent<Data>;
  readonly attempt: number;
  readonly #receipt: unknown;
  readonly #owner: DeliveryOwner;
  /** In the time of the clock of the owner. */
  readonly #pushedAt: number | undefined;
  /** The first settlement, under way or done; `undefined` if there is none. */
  #settledBy: Verb | undefined;
  #settlement: Promise<void> | undefined;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;
  /** Why the lease is no longer ours. */
  #ended: NqErrorCode | undefined;
  #controller: AbortController | undefined;
  /** The tick at which the lease ends, if it is timed here. */
  expiresAt = Infinity;

  constructor(owner: DeliveryOwner, lease: LeasedEvent) {
    this.#owner = owner;
    this.event = lease.event as QueueEvent<Data>;
    this.attempt = lease.attempt;
    this.#pushedAt = lease.waitedMs === undefined ? undefined : owner.now() - lease.waitedMs;
    this.#receipt = lease.receipt;
  }

  /** No member of its own: what logs a delivery as JSON is not to run into the inside of a driver. */
  get receipt(): unknown {
    return this.#receipt;
  }

  get waitedMs(): number | undefined {
    return this.#pushedAt === undefined ? undefined : this.#owner.now() - this.#pushedAt;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#ended !== undefined) this.#controller.abort(this.#refusal('use', this.#ended));
    }
    return this.#controller.signal;
  }

  ack(): Promise<void> {
    const known = this.#known('ack');
    if (known !== undefined) return known;
    const settlement = this.#begin('ack');
    this.#owner.acknowledge(this);
    return settlement;
  }

  nack(options: NackOptions = {}): Promise<void> {
    try {
      const { delayMs, reason, deadLetter } = resolveNack(options);
      const known = this.#known('nack');
      if (known !== undefined) return known;
      const settlement = this.#begin('nack');
      this.#owner.giveBack(this, { receipt: this.#receipt, delayMs, reason, deadLetter });
      return settlement;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async extend(ms: number): Promise<void> {
    checkMs('Cannot extend', 'ms', ms, 1);
    if (ms === Infinity) throw new RangeError('Cannot extend: ms must be finite, got Infinity');
    if (this.#ended !== undefined) throw this.#refusal('extend', this.#ended);
    if (this.#settledBy !== undefined) throw this.#refusal('extend', 'NQ_ALREADY_SETTLED');
    if (await this.#owner.extend(this.#receipt, ms)) return;
    // Overtaken by a settlement: that is why the lease is no longer ours, and nobody else has the event.
    if (this.#settledBy !== undefined) throw this.#refusal('extend', 'NQ_ALREADY_SETTLED');
    this.end('NQ_LEASE_LOST');
    throw this.#refusal('extend', 'NQ_LEASE_LOST');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended !== undefined || this.#settledBy !== undefined) return;
    try {
      await this.nack();
    } catch (error) {
      // It was lost before, without our knowing.
      if (!isNqError(error, 'NQ_LEASE_LOST')) throw error;
    }
  }

  /** Whether a settlement is under way or done. */
  get isSettling(): boolean {
    return this.#settledBy !== undefined;
  }

  /** The lease is over without a settlement: lost, or cut off by the queue's close. */
  end(code: 'NQ_LEASE_LOST' | 'NQ_CLOSED'): void {
    if (this.#ended !== undefined) return;
    this.#ended = code;
    this.#owner.closed(this);
    this.#controller?.abort(this.#refusal('use', code));
  }

  settled(ours: boolean): void {
    if (ours) {
      this.#owner.closed(this);
      this.#resolve();
      return;
    }
    // It was too late, so it has settled nothing: the end of the lease is what later calls are told.
    const verb = this.#settledBy as Verb;
    this.#settledBy = undefined;
    this.end('NQ_LEASE_LOST');
    this.#reject(this.#refusal(verb, 'NQ_LEASE_LOST'));
  }

  failed(error: unknown): void {
    // Nothing is certain, or nothing has happened: the holder may settle again.
    this.#settledBy = undefined;
    this.#reject(error);
  }

  /** What is answered without asking anybody; `undefined` if it can be settled. */
  #known(verb: Verb): Promise<void> | undefined {
    if (this.#settledBy === verb) return this.#settlement;
    if (this.#settledBy !== undefined) return Promise.reject(this.#refusal(verb, 'NQ_ALREADY_SETTLED'));
    return this.#ended === undefined ? undefined : Promise.reject(this.#refusal(verb, this.#ended));
  }

  #begin(verb: Verb): Promise<void> {
    this.#settledBy = verb;
    this.#settlement = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    return this.#settlement;
  }

  #refusal(verb: string, code: NqErrorCode): NqError {
    const why =
      code === 'NQ_LEASE_LOST'
        ? 'its lease ended before'
        : code === 'NQ_CLOSED'
          ? 'the queue was closed and the event returned'
          : `it was settled by ${this.#settledBy} before`;
    return new NqError(
      code,
      `Cannot ${verb} delivery ${this.attempt} of event ${JSON.stringify(this.event.id)}: ${why}`,
    );
  }
}
