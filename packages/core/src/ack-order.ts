import type { Delivery } from './queue.ts';

/** A delivery that was handed out, and what waits for its turn to be acknowledged. */
interface Place {
  readonly delivery: Delivery;
  /** Lets its acknowledgement go on; `undefined` while the delivery is worked on. */
  proceed: (() => void) | undefined;
}

/**
 * For a queue with `ack: 'cumulative'`: acknowledging a delivery there acknowledges everything that was handed out before
 * it. So an acknowledgement waits until every earlier delivery is settled; otherwise events whose handlers still run, or
 * have failed, would be lost.
 */
export class AckOrder {
  /** In the order in which they were handed out. */
  readonly #places = new Map<Delivery, Place>();

  /** To be called for every delivery, in the order in which they are handed out. */
  begin(delivery: Delivery): void {
    this.#places.set(delivery, { delivery, proceed: undefined });
  }

  /** The deliveries that are done and wait for those before them. */
  get waiting(): readonly Delivery[] {
    return [...this.#places.values()].filter(({ proceed }) => proceed !== undefined).map(({ delivery }) => delivery);
  }

  /** Acknowledges `delivery` when its turn has come. */
  async ack(delivery: Delivery): Promise<void> {
    const place = this.#places.get(delivery);
    if (place !== undefined) {
      const turn = new Promise<void>((resolve) => {
        place.proceed = resolve;
      });
      this.#advance();
      await turn;
    }
    try {
      await delivery.ack();
    } finally {
      this.end(delivery);
    }
  }

  /** To be called when `delivery` is settled, or lost. Repeating it is a no-op. */
  end(delivery: Delivery): void {
    if (this.#places.delete(delivery)) this.#advance();
  }

  #advance(): void {
    const first = this.#places.values().next().value;
    first?.proceed?.();
  }
}
