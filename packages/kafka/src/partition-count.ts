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

/** How many partitions a topic has, as far as is known: they may be added at any time, and are never removed. */
export class PartitionCount {
  readonly #parts: PartitionCountParts;
  #now: number;
  #countedAt: number;

  constructor(parts: PartitionCountParts) {
    this.#parts = parts;
    this.#now = parts.count;
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
    if (counted <= this.#now) return;
    onWarning(
      `Topic ${topic} has ${counted} partitions instead of ${this.#now}: an event may overtake others of its key that were pushed before`,
    );
    this.#now = counted;
  }
}
