import type { Clock } from '@nq/core';
import type { Compression } from './codecs/codec.ts';
import type { KafkaDriver, OutgoingRecord } from './kafka-driver.ts';
import { partitionOf } from './murmur2.ts';
import { PartitionCount } from './partition-count.ts';
import { PartitionProducer } from './partition-producer.ts';
import { RecordLine } from './record-line.ts';

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
  readonly #lines = new Map<number, RecordLine>();
  /** Where records without a key go: to one partition for a request, or for one of those that come one by one. */
  #sticky: number;

  constructor(parts: TopicProducerParts) {
    const { driver, clock, topic, partitions, options } = parts;
    this.#parts = parts;
    const { onWarning, metadataMaxAgeMs: maxAgeMs } = options;
    this.#partitions = new PartitionCount({ driver, clock, topic, count: partitions, maxAgeMs, onWarning });
    this.#sticky = Math.floor(clock.random() * partitions);
  }

  /** Where a record with this key goes. */
  partitionOf(key: Buffer | string | null): number {
    return key === null ? this.#placeWithoutKey() : partitionOf(key, this.#partitions.now);
  }

  /** Stores records in the partition that they go to, in one request. As {@link PartitionProducer.push}. */
  push(
    partition: number,
    records: readonly OutgoingRecord[],
    deadline?: number,
    lastDeadline?: number,
  ): Promise<number | undefined> {
    this.#goOnFrom(partition);
    return this.#producerOf(partition).push(records, deadline, lastDeadline);
  }

  /** Stores a record where it goes, together with others that come meanwhile. As {@link RecordLine.add}. */
  add(record: OutgoingRecord, isWanted: () => boolean): Promise<boolean> {
    const partition = this.partitionOf(record.key);
    this.#goOnFrom(partition);
    let line = this.#lines.get(partition);
    if (line === undefined) {
      line = new RecordLine(this.#producerOf(partition));
      this.#lines.set(partition, line);
    }
    return line.add(record, isWanted);
  }

  /** What is under way ends with its next failure, and nothing is tried again. */
  close(): void {
    for (const line of this.#lines.values()) line.close();
    for (const producer of this.#producers.values()) producer.close();
  }

  /** Where records without a key go now: not where they would wait for what is stuck, unless that is everywhere. */
  #placeWithoutKey(): number {
    const { now } = this.#partitions;
    for (let step = 0; step < now; step++) {
      const partition = (this.#sticky + step) % now;
      if (this.#producers.get(partition)?.isStuck === true) continue;
      this.#sticky = partition;
      return partition;
    }
    return this.#sticky % now;
  }

  /** The records without a key that come next go to the next partition, those of one request together. */
  #goOnFrom(partition: number): void {
    this.#partitions.look();
    if (partition === this.#sticky) this.#sticky = (this.#sticky + 1) % this.#partitions.now;
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
