import type { Clock } from '@nq/core';
import { Ticker } from '@nq/core/parts';
import type { ChannelDelivery } from './channel-delivery.ts';

/**
 * The open deliveries of a channel and the ends of their leases. In no order: a delivery knows its place, so that
 * starting and ending cost a few writes, and the few that are open are looked through 16 times per lease.
 */
export class Leases<Data> {
  readonly #ticker: Ticker;
  readonly #onExpired: (deliveries: readonly ChannelDelivery<Data>[]) => void;
  readonly #open: ChannelDelivery<Data>[] = [];

  /** @param onExpired is given the deliveries whose leases have ended together. They are no longer open. */
  constructor(clock: Clock, leaseMs: number, onExpired: (deliveries: readonly ChannelDelivery<Data>[]) => void) {
    // A forgotten delivery in a process that has nothing else to do must not keep it alive.
    this.#ticker = new Ticker(clock, leaseMs, false, () => this.#expire());
    this.#onExpired = onExpired;
  }

  /** How many deliveries are open. */
  get count(): number {
    return this.#open.length;
  }

  /** The tick at which a lease that starts now ends. */
  deadline(): number {
    return this.#ticker.deadline();
  }

  start(delivery: ChannelDelivery<Data>): void {
    delivery.place = this.#open.length;
    this.#open.push(delivery);
  }

  /** Does nothing to a delivery that is not open. */
  end(delivery: ChannelDelivery<Data>): void {
    const { place } = delivery;
    if (this.#open[place] !== delivery) return;
    const last = this.#open.pop() as ChannelDelivery<Data>;
    if (last === delivery) return;
    this.#open[place] = last;
    last.place = place;
  }

  extend(delivery: ChannelDelivery<Data>, ms: number): void {
    delivery.expiresAt = this.#ticker.deadlineIn(ms);
  }

  /** Ends every lease and the ticking. @returns the deliveries that were open, in the order of the pushes. */
  endAll(): ChannelDelivery<Data>[] {
    this.#ticker.stop();
    return this.#open.splice(0).sort((a, b) => a.number - b.number);
  }

  #expire(): boolean {
    const { tick } = this.#ticker;
    const expired = this.#open.filter(({ expiresAt }) => expiresAt <= tick);
    for (const delivery of expired) this.end(delivery);
    if (expired.length > 0) this.#onExpired(expired);
    return this.#open.length > 0;
  }
}
