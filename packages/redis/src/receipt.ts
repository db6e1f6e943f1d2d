/** What those share that were handed out together: one lease, and a list in Redis for as long as any of them is held. */
export class SharedLease {
  readonly consumer: string;
  /** The number of the first hand-out: no other list of this consumer has the same. */
  readonly first: number;
  readonly count: number;

  constructor(consumer: string, first: number, count: number) {
    this.consumer = consumer;
    this.first = first;
    this.count = count;
  }
}

/** What becomes of an event: it is forgotten, ready again, at once or later, or a dead letter. */
export type SettlementKind = 'acknowledged' | 'returned' | 'delayed' | 'buried';

/** What names one hand-out of an element to Redis. */
export class Receipt {
  readonly lease: SharedLease;
  /** Where it is in the list, from 0. */
  readonly place: number;
  /** What is known of the event, for its dead letter. */
  told: { readonly id: string; readonly attempt: number } | undefined;
  /** Whether it was renewed, and so may have a lease of its own. */
  renewed = false;
  /**
   * How a request has settled it whose answer came too late for who had asked. Only then is somebody going to ask again,
   * and Redis, which has forgotten the hand-out, would say that it was lost.
   */
  settledAs: SettlementKind | undefined;

  constructor(lease: SharedLease, place: number) {
    this.lease = lease;
    this.place = place;
  }

  /** The number of the hand-out: later ones have higher ones. */
  get number(): number {
    return this.lease.first + this.place;
  }

  /** A name that nothing else has. */
  get name(): string {
    return `${this.lease.consumer}:${this.number}`;
  }

  /** The member of `leases` that is for it alone; `undefined` if there is none. */
  get ownLease(): string | undefined {
    const { consumer, first, count } = this.lease;
    return this.renewed && count > 1 ? `${consumer}:${first}:${count}:${this.place}` : undefined;
  }
}
