import type { Clock } from '@nq/core';
import { Ticker } from '@nq/core/parts';
import type { ChannelDelivery } from './channel-delivery.ts';

/** How many deliveries stand on a page. */
const pageLength = 64;

/** Deliveries in the order of their hand-outs. A page is filled once and never written anew. */
export class LeasePage<Data> {
  // oxlint-disable-next-line no-new-array -- Array.from takes as long as all deliveries of the page together
  readonly deliveries: (ChannelDelivery<Data> | undefined)[] = new Array(pageLength);
  /** How many were ever written on it, and how many of them are open. */
  written = 0;
  open = 0;
}

/**
 * The open deliveries of a channel and the ends of their leases, on pages that are looked through once per tick. A
 * delivery knows its page and its place there, so that starting and ending a lease are a few writes; and because pages
 * are young, those writes cost the garbage collector nothing, as they would in one array that has grown old.
 */
export class Leases<Data> {
  readonly #ticker: Ticker;
  readonly #onExpired: (deliveries: readonly ChannelDelivery<Data>[]) => void;
  #page = new LeasePage<Data>();
  /** The full pages on which a delivery is open. */
  readonly #full = new Set<LeasePage<Data>>();
  /** How many deliveries are open. */
  count = 0;

  /** @param onExpired is given the deliveries whose leases have ended together. They are no longer open. */
  constructor(clock: Clock, leaseMs: number, onExpired: (deliveries: readonly ChannelDelivery<Data>[]) => void) {
    // A forgotten delivery in a process that has nothing else to do must not keep it alive.
    this.#ticker = new Ticker(clock, leaseMs, false, () => this.#expire());
    this.#onExpired = onExpired;
  }

  /** The tick at which a lease that starts now ends. */
  deadline(): number {
    return this.#ticker.deadline();
  }

  start(delivery: ChannelDelivery<Data>): void {
    let page = this.#page;
    if (page.written === pageLength) page = this.#turnPage();
    delivery.page = page;
    delivery.place = page.written;
    page.deliveries[page.written++] = delivery;
    page.open++;
    this.count++;
  }

  /** Does nothing to a delivery that is not open. */
  end(delivery: ChannelDelivery<Data>): void {
    const { page, place } = delivery;
    if (page === undefined || page.deliveries[place] !== delivery) return;
    page.deliveries[place] = undefined;
    this.count--;
    if (--page.open === 0 && page.written === pageLength) this.#full.delete(page);
  }

  extend(delivery: ChannelDelivery<Data>, ms: number): void {
    delivery.expiresAt = this.#ticker.deadlineIn(ms);
  }

  /** Ends every lease and the ticking. @returns the deliveries that were open, in the order of the pushes. */
  endAll(): ChannelDelivery<Data>[] {
    this.#ticker.stop();
    const open = this.#open();
    for (const delivery of open) this.end(delivery);
    return open.sort((a, b) => a.number - b.number);
  }

  #turnPage(): LeasePage<Data> {
    if (this.#page.open > 0) this.#full.add(this.#page);
    this.#page = new LeasePage();
    return this.#page;
  }

  #open(): ChannelDelivery<Data>[] {
    const open: ChannelDelivery<Data>[] = [];
    for (const page of [...this.#full, this.#page]) {
      for (const delivery of page.deliveries) if (delivery !== undefined) open.push(delivery);
    }
    return open;
  }

  #expire(): boolean {
    const { tick } = this.#ticker;
    const expired = this.#open().filter(({ expiresAt }) => expiresAt <= tick);
    for (const delivery of expired) this.end(delivery);
    if (expired.length > 0) this.#onExpired(expired);
    return this.count > 0;
  }
}
