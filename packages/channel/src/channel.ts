import { type Clock, type NackOptions, NqError, type QueueSize, type WaitOptions } from '@nq/core';
import {
  callUncaught,
  checkMs,
  resolveNack,
  unsupported,
  Waiter,
  WaitingLine,
  WaitLimits,
  within,
} from '@nq/core/parts';
import { AdmittedProducers } from './admitted-producers.ts';
import { Arrivals, type Arrived } from './arrivals.ts';
import type { ChannelCodec, Stored } from './channel-codec.ts';
import { ChannelDeadLetters } from './channel-dead-letters.ts';
import { ChannelDelivery, cutOff, type DeliveryOwner, lost } from './channel-delivery.ts';
import type { ResolvedChannelOptions } from './channel-options.ts';
import { Leases } from './leases.ts';
import { type ReturnedEvent, ReturnedEvents } from './returned-events.ts';
import { Ring } from './ring.ts';

/**
 * From this capacity on, waiting callers are served together: consumers by a tick that is scheduled at most once per
 * burst, producers once per turn of the event loop, so that they fill the queue in one go and timers and I/O always get
 * their turn. Serving each at once would wake consumer and producer in turn for every single event (measured: 4 to 8
 * million events a second instead of 15 to 17). Below it there is nothing to gather, and waiting costs more than it
 * saves (with capacity 1: 5 to 7 million instead of 10 to 13), so everybody is served at once.
 */
const batchingCapacity = 64;

/** What a pop is answered: nothing when its time is over. */
export type PopResult<Data> = ChannelDelivery<Data> | undefined;

/**
 * The channel itself: events in order, who waits for room or for events, and whose deliveries are open. It checks
 * nothing; `ChannelQueue` does.
 */
export class Channel<Data> implements DeliveryOwner<Data> {
  readonly deadLetters: ChannelDeadLetters<Data>;
  readonly #capacity: number;
  readonly #clock: Clock;
  readonly #codec: ChannelCodec<Data>;
  readonly #maxAttempts: number;
  readonly #hasLease: boolean;
  /** Whether waiting callers are served one by one: see {@link batchingCapacity}. */
  readonly #atOnce: boolean;
  /** Events that were never handed out. */
  readonly #fresh = new Ring<Stored<Data>>();
  readonly #returned: ReturnedEvents<Data>;
  readonly #arrivals: Arrivals;
  /** How many events were ever stored, and how many of them were handed out for the first time. */
  #storedCount = 0;
  #takenCount = 0;
  readonly #leases: Leases<Data>;
  readonly #pushers = new WaitingLine<Stored<Data>, void>((waiter) => waiter.reject(this.timedOut()));
  readonly #poppers = new WaitingLine<undefined, PopResult<Data>>((waiter) => waiter.resolve(undefined));
  readonly #limits: WaitLimits;
  readonly #admitted = new AdmittedProducers();
  /** An array, for it is asked at every push whether it is empty, and the size of a `Set` costs a call. */
  #listeners: readonly { readonly listener: () => void }[] = [];
  #serving = false;
  readonly #serve = (): void => this.#serveWaiting();
  #onSettled: (() => void) | undefined;

  constructor(options: ResolvedChannelOptions, codec: ChannelCodec<Data>) {
    const { capacity, clock, leaseMs, maxAttempts, deadLetterCapacity } = options;
    this.#capacity = capacity;
    this.#clock = clock;
    this.#codec = codec;
    this.#maxAttempts = maxAttempts;
    this.#hasLease = leaseMs !== Infinity;
    this.#atOnce = capacity < batchingCapacity;
    this.#returned = new ReturnedEvents(clock, () => this.#wake());
    this.#arrivals = new Arrivals(clock);
    this.#limits = new WaitLimits(clock, [this.#pushers, this.#poppers]);
    this.#leases = new Leases(clock, leaseMs, (deliveries) => this.#expire(deliveries));
    this.deadLetters = new ChannelDeadLetters(deadLetterCapacity, codec, ({ stored }) => this.#store(stored));
  }

  // --- in

  /** Stores an event, unless there is no room or others wait for it. @returns whether it is stored. */
  tryPush(stored: Stored<Data>): boolean {
    if (this.#pushers.first !== null || !this.#hasRoom()) return false;
    this.#store(stored);
    return true;
  }

  /** Resolves once the event is stored. */
  waitForRoom(stored: Stored<Data>, options: WaitOptions | undefined): Promise<void> {
    const waiter = new Waiter<Stored<Data>, void>(stored);
    this.#pushers.join(waiter);
    if (options !== undefined) this.#limits.apply(waiter, options);
    // With capacity 0 a listener is a consumer that may take the event out of the hand of who waits.
    if (this.#capacity === 0 && this.#listeners.length > 0) this.#wake();
    return waiter.promise;
  }

  #hasRoom(): boolean {
    const { readyCount, delayedCount } = this.#returned;
    if (this.#fresh.length + readyCount + delayedCount < this.#capacity) return true;
    // Served at once, a waiting consumer takes the event out again before anybody could see it in the queue.
    return this.#atOnce && this.#poppers.first !== null;
  }

  #store(stored: Stored<Data>): void {
    this.#fresh.push(stored);
    this.#arrivals.note(this.#storedCount++);
    if (this.#poppers.first !== null || this.#listeners.length > 0) this.#wake();
  }

  /** Lets the events of waiting producers in, as far as there is room. */
  #admit(): void {
    while (this.#pushers.first !== null && this.#hasRoom()) this.#admitFirst();
  }

  /** The event enters at once, so that order and room are exact; its producer goes on later, together with others. */
  #admitFirst(): void {
    const waiter = this.#pushers.first as Waiter<Stored<Data>, void>;
    this.#pushers.leave(waiter);
    this.#store(waiter.item);
    if (this.#atOnce) waiter.resolve();
    else this.#admitted.add(waiter);
  }

  // --- out

  /** Hands out the oldest event, if there is one that nobody waits for. */
  tryPop(): PopResult<Data> {
    if (this.#poppers.first !== null) this.#serveConsumers();
    return this.#take();
  }

  waitForEvent(options: WaitOptions | undefined): Promise<PopResult<Data>> {
    const waiter = new Waiter<undefined, PopResult<Data>>(undefined);
    this.#poppers.join(waiter);
    if (options !== undefined) this.#limits.apply(waiter, options);
    return waiter.promise;
  }

  onReady(listener: () => void): () => void {
    const added = { listener };
    this.#listeners = [...this.#listeners, added];
    this.#wake();
    return () => {
      this.#listeners = this.#listeners.filter((one) => one !== added);
    };
  }

  /** The oldest event, a returned one first. With capacity 0 it comes straight from a waiting producer. */
  #take(): PopResult<Data> {
    if (this.#returned.readyCount > 0) {
      const { stored, attempts, number, arrived } = this.#returned.take() as ReturnedEvent<Data>;
      return this.#handOut(stored, attempts + 1, number, arrived);
    }
    if (this.#fresh.length === 0) {
      if (this.#pushers.first === null) return undefined;
      this.#admitFirst();
    }
    const stored = this.#fresh.shift();
    const number = this.#takenCount++;
    return this.#handOut(stored, 1, number, this.#arrivals.of(number));
  }

  #handOut(stored: Stored<Data>, attempt: number, number: number, arrived: Arrived): ChannelDelivery<Data> {
    const event = this.#codec.decode(stored);
    const expiresAt = this.#leases.deadline();
    const delivery = new ChannelDelivery<Data>(this, event, stored, attempt, number, arrived, expiresAt);
    this.#leases.start(delivery);
    if (this.#pushers.first !== null) this.#admit();
    return delivery;
  }

  /** Serves waiting consumers and tells listeners: at once or soon, once per burst. */
  #wake(): void {
    if (this.#atOnce && this.#poppers.first !== null) this.#serveConsumers();
    if (this.#serving) return;
    this.#serving = true;
    process.nextTick(this.#serve);
  }

  #serveWaiting(): void {
    this.#serving = false;
    this.#serveConsumers();
    const waiting = this.#capacity === 0 && this.#pushers.first !== null;
    if (waiting || this.#fresh.length > 0 || this.#returned.readyCount > 0) this.#tellListeners();
  }

  #serveConsumers(): void {
    while (this.#poppers.first !== null && (this.#fresh.length > 0 || this.#returned.readyCount > 0)) {
      const waiter = this.#poppers.first;
      this.#poppers.leave(waiter);
      waiter.resolve(this.#take());
    }
  }

  #tellListeners(): void {
    for (const one of this.#listeners) {
      // Another listener may have ended it just now.
      if (!this.#listeners.includes(one)) continue;
      callUncaught(one.listener);
    }
  }

  // --- back: what deliveries ask for

  acknowledge(delivery: ChannelDelivery<Data>): void {
    this.#leases.end(delivery);
    if (this.#onSettled !== undefined) this.#onSettled();
  }

  takeBack(delivery: ChannelDelivery<Data>, options: NackOptions): void {
    const { delayMs, reason, deadLetter } = resolveNack(options);
    if (!deadLetter) this.#return(delivery, delayMs, reason);
    else if (this.deadLetters.kept) this.#bury(delivery, reason);
    else throw unsupported('nack with deadLetter', 'deadLetter');
    this.acknowledge(delivery);
  }

  extend(delivery: ChannelDelivery<Data>, ms: number): void {
    checkMs('Cannot extend', 'ms', ms, 1);
    if (!this.#hasLease) throw unsupported('extend', 'lease');
    this.#leases.extend(delivery, ms);
  }

  since(arrived: Arrived): number {
    return this.#clock.now() - arrived.time;
  }

  /** Makes the event ready again, or a dead letter if it came back too often and there is room for one. */
  #return(delivery: ChannelDelivery<Data>, delayMs: number, reason: string): void {
    const { stored, attempt, number, arrived } = delivery;
    if (attempt >= this.#maxAttempts && !this.deadLetters.full) {
      this.#bury(delivery, reason);
      return;
    }
    this.#returned.add({ stored, attempts: attempt, number, arrived }, delayMs);
    if (delayMs <= 0) this.#wake();
  }

  #bury({ stored, attempt }: ChannelDelivery<Data>, reason: string): void {
    // Not the id that the delivery shows: with copies, its holder may have changed it.
    const { id } = this.#codec.decode(stored);
    this.deadLetters.add({ stored, id, attempts: attempt, reason, deadAt: this.#clock.date() });
  }

  #expire(deliveries: readonly ChannelDelivery<Data>[]): void {
    for (const delivery of deliveries) {
      delivery.revoke(lost);
      this.#return(delivery, 0, 'the lease ended before the delivery was settled');
    }
    for (const delivery of deliveries) delivery.tellRevoked();
    if (this.#onSettled !== undefined) this.#onSettled();
  }

  // --- looking and ending

  size(): QueueSize {
    const ready = this.#fresh.length + this.#returned.readyCount;
    const oldest = this.#returned.peek()?.arrived ?? this.#arrivals.of(this.#takenCount);
    return {
      ready,
      inFlight: this.#leases.count,
      delayed: this.#returned.delayedCount,
      oldestAgeMs: ready === 0 ? 0 : this.since(oldest),
      exact: true,
    };
  }

  /** Releases everybody who waits, with the error that `closed` makes, and takes no limits any more. */
  releaseWaiting(closed: (action: string) => NqError): void {
    for (let waiter = this.#pushers.first; waiter !== null; waiter = this.#pushers.first) {
      this.#pushers.leave(waiter);
      waiter.reject(closed('Cannot push'));
    }
    for (let waiter = this.#poppers.first; waiter !== null; waiter = this.#poppers.first) {
      this.#poppers.leave(waiter);
      waiter.reject(closed('Cannot pop'));
    }
    this.#limits.close();
    this.#admitted.release();
  }

  /** Resolves once no delivery is open, or after `drainMs`. */
  async settled(drainMs: number): Promise<void> {
    if (drainMs === 0 || this.#leases.count === 0) return;
    const settled = new Promise<void>((resolve) => {
      this.#onSettled = () => {
        if (this.#leases.count === 0) resolve();
      };
    });
    await within(settled, drainMs, undefined, this.#clock);
  }

  /**
   * Cuts off what is still open, and lets go of every timer.
   *
   * @returns how many deliveries were open, and how many events and dead letters kept.
   */
  end(): { readonly open: number; readonly kept: number; readonly dead: number } {
    const open = this.#leases.endAll();
    for (const delivery of open) delivery.revoke(cutOff);
    this.#returned.close();
    const dead = this.deadLetters.close();
    const kept = this.#fresh.length + this.#returned.readyCount + this.#returned.delayedCount;
    for (const delivery of open) delivery.tellRevoked();
    this.#tellListeners();
    return { open: open.length, kept, dead };
  }

  /** What a push rejects with whose time is over. */
  timedOut(): NqError {
    return new NqError(
      'NQ_TIMEOUT',
      `Cannot push: none of the ${this.#capacity} places of the channel became free in time`,
    );
  }
}
