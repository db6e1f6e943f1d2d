import { checkMs, resolveNack } from './check.ts';
import type { LeasedEvent, ReturnedLease } from './driver.ts';
import { isNqError, NqError, type NqErrorCode } from './errors.ts';
import type { QueueEvent } from './event.ts';
import type { Delivery, NackOptions } from './queue.ts';

/** What a delivery asks of the queue it came from. Each resolves whether the lease was still ours. */
export interface DeliveryOwner {
  acknowledge(receipt: unknown): Promise<boolean>;
  /** @throws {NqError} `NQ_UNSUPPORTED` if the queue does not declare what `back` asks for. */
  giveBack(back: ReturnedLease): Promise<boolean>;
  extend(receipt: unknown, ms: number): Promise<boolean>;
  /** The time of the clock. */
  now(): number;
  /** The delivery is no longer open. */
  closed(delivery: DriverDelivery): void;
}

type Verb = 'ack' | 'nack';

/** A delivery of a queue made by `createQueue`: settled once, whatever the backend does. */
export class DriverDelivery<Data = unknown> implements Delivery<Data> {
  readonly event: QueueEvent<Data>;
  readonly attempt: number;
  readonly receipt: unknown;
  readonly #owner: DeliveryOwner;
  /** In the time of the clock of the owner. */
  readonly #pushedAt: number | undefined;
  /** The first settlement, under way or done. */
  #settlement: { readonly verb: Verb; readonly promise: Promise<void> } | undefined;
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
    this.receipt = lease.receipt;
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
    return this.#settle('ack', () => this.#owner.acknowledge(this.receipt));
  }

  nack(options: NackOptions = {}): Promise<void> {
    try {
      const { delayMs, reason, deadLetter } = resolveNack(options);
      return this.#settle('nack', () => this.#owner.giveBack({ receipt: this.receipt, delayMs, reason, deadLetter }));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async extend(ms: number): Promise<void> {
    checkMs('Cannot extend', 'ms', ms, 1);
    if (ms === Infinity) throw new RangeError('Cannot extend: ms must be finite, got Infinity');
    if (this.#ended !== undefined) throw this.#refusal('extend', this.#ended);
    if (this.#settlement !== undefined) throw this.#refusal('extend', 'NQ_ALREADY_SETTLED');
    if (await this.#owner.extend(this.receipt, ms)) return;
    // Overtaken by a settlement: that is why the lease is no longer ours, and nobody else has the event.
    if (this.#settlement !== undefined) throw this.#refusal('extend', 'NQ_ALREADY_SETTLED');
    this.end('NQ_LEASE_LOST');
    throw this.#refusal('extend', 'NQ_LEASE_LOST');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended !== undefined || this.#settlement !== undefined) return;
    try {
      await this.nack();
    } catch (error) {
      // It was lost before, without our knowing.
      if (!isNqError(error, 'NQ_LEASE_LOST')) throw error;
    }
  }

  /** Whether a settlement is under way or done. */
  get isSettling(): boolean {
    return this.#settlement !== undefined;
  }

  /** The lease is over without a settlement: lost, or cut off by the queue's close. */
  end(code: 'NQ_LEASE_LOST' | 'NQ_CLOSED'): void {
    if (this.#ended !== undefined) return;
    this.#ended = code;
    this.#owner.closed(this);
    this.#controller?.abort(this.#refusal('use', code));
  }

  #settle(verb: Verb, ask: () => Promise<boolean>): Promise<void> {
    if (this.#settlement !== undefined) {
      return this.#settlement.verb === verb
        ? this.#settlement.promise
        : Promise.reject(this.#refusal(verb, 'NQ_ALREADY_SETTLED'));
    }
    if (this.#ended !== undefined) return Promise.reject(this.#refusal(verb, this.#ended));
    const promise = this.#conclude(verb, ask());
    this.#settlement = { verb, promise };
    return promise;
  }

  async #conclude(verb: Verb, asked: Promise<boolean>): Promise<void> {
    let ours: boolean;
    try {
      ours = await asked;
    } catch (error) {
      // Nothing is certain, or nothing has happened: the holder may settle again.
      this.#settlement = undefined;
      throw error;
    }
    if (ours) {
      this.#owner.closed(this);
      return;
    }
    // It was too late, so it has settled nothing: the end of the lease is what later calls are told.
    this.#settlement = undefined;
    this.end('NQ_LEASE_LOST');
    throw this.#refusal(verb, 'NQ_LEASE_LOST');
  }

  #refusal(verb: string, code: NqErrorCode): NqError {
    const why =
      code === 'NQ_LEASE_LOST'
        ? 'its lease ended before'
        : code === 'NQ_CLOSED'
          ? 'the queue was closed and the event returned'
          : `it was settled by ${this.#settlement?.verb} before`;
    return new NqError(
      code,
      `Cannot ${verb} delivery ${this.attempt} of event ${JSON.stringify(this.event.id)}: ${why}`,
    );
  }
}
