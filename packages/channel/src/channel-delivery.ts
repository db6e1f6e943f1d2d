import { type Delivery, type NackOptions, NqError, type QueueEvent } from '@nq/core';
import { done } from '@nq/core/parts';
import type { Arrived } from './arrivals.ts';
import type { Stored } from './channel-codec.ts';
import type { LeasePage } from './leases.ts';

/** How a delivery stands. Numbers, because they are compared for every event. */
const open = 0;
const acked = 1;
const nacked = 2;
/** The lease ended: the event went back to the queue. */
export const lost = 3;
/** The queue was closed while the delivery was open. */
export const cutOff = 4;

type State = typeof open | typeof acked | typeof nacked | typeof lost | typeof cutOff;

/** What a delivery asks of the queue it came from. */
export interface DeliveryOwner<Data> {
  /** Forgets an acknowledged delivery. */
  acknowledge(delivery: ChannelDelivery<Data>): void;
  /** Takes an event back as `options` say. @throws {NqError} and leaves everything as it was if it cannot. */
  takeBack(delivery: ChannelDelivery<Data>, options: NackOptions): void;
  /** Makes the lease end `ms` from now. @throws {TypeError} or {RangeError} if `ms` is not a duration. */
  extend(delivery: ChannelDelivery<Data>, ms: number): void;
  /** Milliseconds since `arrived`. */
  since(arrived: Arrived): number;
}

/** A delivery of a channel. What is not part of `Delivery` is for the queue alone. */
export class ChannelDelivery<Data> implements Delivery<Data> {
  readonly event: QueueEvent<Data>;
  readonly attempt: number;
  readonly stored: Stored<Data>;
  /** The place of the event in the order of the pushes. */
  readonly number: number;
  readonly arrived: Arrived;
  readonly #owner: DeliveryOwner<Data>;
  /** The tick of the queue's ticker at which the lease ends. */
  expiresAt: number;
  /** Where it stands among the open deliveries. */
  page: LeasePage<Data> | undefined;
  place = -1;
  #state: State = open;
  #controller: AbortController | undefined;

  constructor(
    owner: DeliveryOwner<Data>,
    event: QueueEvent<Data>,
    stored: Stored<Data>,
    attempt: number,
    number: number,
    arrived: Arrived,
    expiresAt: number,
  ) {
    this.#owner = owner;
    this.event = event;
    this.stored = stored;
    this.attempt = attempt;
    this.number = number;
    this.arrived = arrived;
    this.expiresAt = expiresAt;
  }

  get waitedMs(): number {
    return this.#owner.since(this.arrived);
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#state === lost || this.#state === cutOff) this.#controller.abort(this.#refusal('use'));
    }
    return this.#controller.signal;
  }

  ack(): Promise<void> {
    if (this.#state !== open) return this.#again('ack', acked);
    this.#state = acked;
    this.#owner.acknowledge(this);
    return done;
  }

  nack(options: NackOptions = {}): Promise<void> {
    if (this.#state !== open) return this.#again('nack', nacked);
    try {
      this.#owner.takeBack(this, options);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#state = nacked;
    return done;
  }

  extend(ms: number): Promise<void> {
    try {
      if (this.#state !== open) throw this.#refusal('extend');
      this.#owner.extend(this, ms);
      return done;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === open) await this.nack();
  }

  /**
   * Ends the lease from the side of the queue. Nobody is told yet: listeners of a signal may settle other deliveries, so
   * all that end together are revoked, and back in the queue, before {@link tellRevoked} is called for the first.
   */
  revoke(state: typeof lost | typeof cutOff): void {
    this.#state = state;
  }

  /** Aborts the signal of a revoked delivery. */
  tellRevoked(): void {
    this.#controller?.abort(this.#refusal('use'));
  }

  /** Answers a settlement that comes after the first one. */
  #again(verb: 'ack' | 'nack', state: State): Promise<void> {
    return this.#state === state ? done : Promise.reject(this.#refusal(verb));
  }

  #refusal(verb: string): NqError {
    const what = `Cannot ${verb} delivery ${this.attempt} of event ${JSON.stringify(this.event.id)}`;
    if (this.#state === lost) return new NqError('NQ_LEASE_LOST', `${what}: its lease ended before`);
    if (this.#state === cutOff)
      return new NqError('NQ_CLOSED', `${what}: the queue was closed, and the event is gone with it`);
    const before = this.#state === acked ? 'acknowledged' : 'given back';
    return new NqError('NQ_ALREADY_SETTLED', `${what}: it was ${before} before`);
  }
}
