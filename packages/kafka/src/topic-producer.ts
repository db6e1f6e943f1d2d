import type { Clock } from '@nq/core';
import type { Compression } from './codecs/codec.ts';
import type { KafkaDriver, OutgoingRecord } from './kafka-driver.ts';
import { partitionOf } from './murmur2.ts';
import { PartitionCount } from './partition-count.ts';
import { PartitionProducer } from './partition-producer.ts';

/** Where records go, and how. */
export interface TopicProducerParts {
  readonly driver: KafkaDriver;
  readonly clock: Clock;
  readonly topic: string;
  /** How many partitions it has now. */
  readonly partitions: number;
  readonly options: {
    readonly compression: Compression;
    readonly deliveryTimeoutMs: number;
    readonly metadataMaxAgeMs: number;
    readonly onWarning: (warning: string) => void;
  };
  /** What it is that cannot be done, if it cannot. @default 'push' */
  readonly verb?: string;
}

/**
 * What is pushed into a topic, by a producer of its own for each partition: one that has no leader at the moment keeps
 * nobody waiting but its own.
 */
export class TopicProducer {
  readonly #parts: TopicProducerParts;
  readonly #partitions: PartitionCount;
  readonly #producers = new Map<number, PartitionProducer>();
  /** Where records without a key go: to one partition for a request, then to the next one. */
  #sticky: number;

  constructor(parts: TopicProducerParts) {
    const { driver, clock, topic, partitions, options } = parts;
    this.#parts = parts;
    const { onWarning, metadataMaxAgeMs: maxAgeMs } = options;
    this.#partitions = new PartitionCount({ driver, clock, topic, count: partitions, maxAgeMs, onWarning });
    this.#sticky = Math.floor(clock.random() * partitions);
  }

  /** Where a record with this key goes. */
  partitionOf(key: Buffer | null): number {
    return key === null ? this.#sticky : partitionOf(key, this.#partitions.now);
  }

  /** Stores records in the partition that they go to, in one request. @throws {NqError} as {@link PartitionProducer.push}. */
  push(partition: number, records: readonly OutgoingRecord[]): Promise<void> {
    this.#partitions.look();
    // The records without a key that come next go with those that do so, too, and not each with others.
    if (partition === this.#sticky) this.#sticky = (this.#sticky + 1) % this.#partitions.now;
    return this.#producerOf(partition).push(records);
  }

  /** Stores records, each where it goes. @throws {NqError} as {@link PartitionProducer.push}; some may be stored then. */
  async pushEach(records: readonly OutgoingRecord[]): Promise<void> {
    const groups = new Map<number, OutgoingRecord[]>();
    for (const record of records) {
      const partition = this.partitionOf(record.key);
      const group = groups.get(partition);
      if (group === undefined) groups.set(partition, [record]);
      else group.push(record);
    }
    this.#partitions.look();
    await Promise.all(Array.from(groups, ([partition, group]) => this.#producerOf(partition).pushInParts(group)));
  }

  /** What is under way ends with its next failure, and nothing is tried again. */
  close(): void {
    for (const producer of this.#producers.values()) producer.close();
  }

  #producerOf(partition: number): PartitionProducer {
    let producer = this.#producers.get(partition);
    if (producer === undefined) {
      const { driver, topic, clock, options, verb } = this.#parts;
      const { compression, deliveryTimeoutMs } = options;
      const what = verb === undefined ? {} : { verb };
      producer = new PartitionProducer({ driver, topic, partition, clock, compression, deliveryTimeoutMs, ...what });
      this.#producers.set(partition, producer);
    }
    return producer;
  }
}
