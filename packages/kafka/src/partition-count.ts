import type { Clock } from '@nq/core';
import type { KafkaDriver } from './kafka-driver.ts';

/** Whose partitions are counted. */
export interface PartitionCountParts {
  readonly driver: KafkaDriver;
  readonly clock: Clock;
  readonly topic: string;
  /** How many there are now. */
  readonly count: number;
  /** How old the count may be that events are pushed by, in milliseconds. */
  readonly maxAgeMs: number;
  readonly onWarning: (warning: string) => void;
}

/** How many partitions a topic has, as far as is known: they may be added at any time, and are fewer if it is made anew. */
export class PartitionCount {
  readonly #parts: PartitionCountParts;
  #now: number;
  #countedAt: number;
  /** What was counted last. */
  #last: number;

  constructor(parts: PartitionCountParts) {
    this.#parts = parts;
    this.#now = parts.count;
    this.#last = parts.count;
    this.#countedAt = parts.clock.now();
  }

  get now(): number {
    return this.#now;
  }

  /** Counts them again before long, if that was long ago. */
  look(): void {
    const { clock, maxAgeMs } = this.#parts;
    if (clock.now() - this.#countedAt < maxAgeMs) return;
    this.#countedAt = clock.now();
    void this.#count();
  }

  /** Never rejects. */
  async #count(): Promise<void> {
    const { driver, topic, onWarning } = this.#parts;
    const counted = await driver.partitionsOf(topic).catch(() => this.#now);
    const before = this.#last;
    this.#last = counted;
    // One broker may not have heard yet of those that were added, which are not fewer for that: so it takes two to say so.
    if (counted === this.#now || (counted < this.#now && before >= this.#now)) return;
    const why =
      counted > this.#now ? 'an event may overtake others of its key that were pushed before' : 'it was made anew';
    onWarning(`Topic ${topic} has ${counted} partitions instead of ${this.#now}: ${why}`);
    this.#now = counted;
  }
}
