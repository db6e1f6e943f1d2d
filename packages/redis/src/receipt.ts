/** What was handed out in one answer: its lease is one member of `leases`, as long as any of it is held. */
export class SharedLease {
  readonly member: string;
  held: number;

  constructor(consumer: string, first: number, count: number) {
    this.member = `${consumer}:${first}:${count}`;
    this.held = count;
  }
}

/** What names one hand-out of an element to Redis. */
export class Receipt {
  /** The field of `held`: never used for anything else. */
  readonly field: string;
  /** The number of the hand-out: later ones have higher ones. */
  readonly number: number;
  readonly lease: SharedLease;
  /** What is known of the event, for its dead letter. */
  told: { readonly id: string; readonly attempt: number } | undefined;
  /** Whether it was renewed, and so has a lease of its own. */
  renewed = false;
  /** Whether a request that settles it has failed, although it may have been done: its lease tells nothing any more. */
  doubtful = false;
  /** Whether a request has said that it is settled: its lease may end with it. */
  leaving = false;
  /**
   * How a request has settled it whose answer came too late for who had asked. Only then is somebody going to ask again,
   * and Redis, which has forgotten the hand-out, would say that it was lost.
   */
  settledBy: 'ack' | 'nack' | undefined;

  constructor(consumer: string, number: number, lease: SharedLease) {
    this.field = `${consumer}:${number}`;
    this.number = number;
    this.lease = lease;
  }

  /** Adds to `ended` the members of `leases` that end when this hand-out is settled: once, unless it has to {@link stay}. */
  leave(ended: string[]): void {
    if (this.leaving) return;
    this.leaving = true;
    if (this.renewed) ended.push(`${this.field}:1`);
    if (--this.lease.held === 0) ended.push(this.lease.member);
  }

  /** The request that said so has failed: the lease must not end with the others that share it. */
  stay(): void {
    this.doubtful = true;
    if (!this.leaving) return;
    this.leaving = false;
    this.lease.held++;
  }
}
