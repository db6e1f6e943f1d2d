import {
  type Capabilities,
  type Clock,
  type Gathering,
  type LeasedEvent,
  type NqErrorCode,
  type QueueDriver,
  type QueueEvent,
  type QueueSize,
  type ReturnedLease,
} from '@nq/core';
import { DeadLetterTopic } from './dead-letter-topic.ts';
import type { HandOut } from './held-partition.ts';
import { KafkaConsumer } from './kafka-consumer.ts';
import type { KafkaDriver, OutgoingRecord } from './kafka-driver.ts';
import { failureCodes, KafkaFailure } from './kafka-failure.ts';
import type { ResolvedKafkaOptions } from './kafka-options.ts';
import { partitionOf } from './murmur2.ts';
import { emptyNote } from './partition-note.ts';
import { type PartitionView, positionsOf } from './positions.ts';
import { PartitionProducer } from './partition-producer.ts';
import { encodeRecord } from './record.ts';

/** The largest request, in bytes, unless it is for a single event: half of what brokers take by default (`message.max.bytes`). */
const requestBytes = 512 * 1024;

/** What a driver is made of. */
export interface KafkaQueueDriverParts {
  readonly options: ResolvedKafkaOptions;
  readonly capabilities: Capabilities;
  readonly driver: KafkaDriver;
  readonly partitions: number;
  readonly clock: Clock;
}

/** An event on its way: the record, and the partition that it goes to. */
interface Encoded extends OutgoingRecord {
  readonly bytes: number;
  readonly partition: number;
}

/** A queue on a topic of Kafka. */
export class KafkaQueueDriver implements QueueDriver<Encoded> {
  readonly capabilities: Capabilities;
  readonly capacity = Infinity;
  /** A producer of its own for each partition: one that has no leader at the moment keeps nobody waiting but its own. */
  readonly gathering: Gathering<Encoded>;
  readonly deadLetters: DeadLetterTopic;
  readonly #parts: KafkaQueueDriverParts;
  readonly #consumer: KafkaConsumer;
  readonly #producers = new Map<number, PartitionProducer>();
  /** Where events without a key go: to one partition for a request, then to the next one. */
  #sticky = 0;

  constructor(parts: KafkaQueueDriverParts) {
    const { options, driver, clock, capabilities, partitions } = parts;
    this.#parts = parts;
    this.capabilities = capabilities;
    this.gathering = {
      laneOf: ({ partition }) => partition,
      sizeOf: ({ bytes }) => bytes,
      requestBytes,
      most: options.capacity,
      timeoutMs: options.deliveryTimeoutMs,
    };
    this.#sticky = Math.floor(clock.random() * partitions);
    this.deadLetters = new DeadLetterTopic({
      driver,
      clock,
      deadTopic: options.deadLetterTopic,
      options,
      pushAgain: (records) => this.#pushAgain(records),
    });
    this.#consumer = new KafkaConsumer({
      options,
      driver,
      clock,
      deadLetters: capabilities.deadLetter ? this.deadLetters : undefined,
      onWarning: options.onWarning,
    });
  }

  encode(event: QueueEvent): Encoded {
    const record = encodeRecord(event, this.capabilities.maxPayloadBytes);
    return { ...record, partition: this.#partitionOf(record) };
  }

  async push(events: readonly Encoded[]): Promise<number> {
    const [first] = events as readonly [Encoded];
    // The events without a key that come next go with those that do so, too, and not each with others.
    if (first.partition === this.#sticky) this.#sticky = (this.#sticky + 1) % this.#parts.partitions;
    await this.#producerOf(first.partition).push(events);
    return events.length;
  }

  pop(max: number, waitMs: number, signal: AbortSignal): Promise<readonly LeasedEvent[]> {
    return this.#consumer.pop(max, waitMs, signal);
  }

  ack(receipts: readonly unknown[]): Promise<readonly boolean[]> {
    return this.#consumer.ack(receipts as readonly HandOut[]);
  }

  nack(returns: readonly ReturnedLease[]): Promise<readonly boolean[]> {
    return this.#consumer.nack(returns);
  }

  async extend(receipts: readonly unknown[], ms: number): Promise<readonly boolean[]> {
    return this.#consumer.extend(receipts as readonly HandOut[], ms);
  }

  onLeaseLost(listener: (receipt: unknown) => void): void {
    this.#consumer.onLeaseLost(listener);
  }

  async size(): Promise<QueueSize> {
    const { driver, options } = this.#parts;
    const ranges = await driver.ranges(options.topic);
    const numbers = ranges.map(({ partition }) => partition);
    const views = new Map<number, PartitionView>(await positionsOf(driver, options, numbers));
    for (const [partition, view] of this.#consumer.notes()) views.set(partition, view);
    let [open, inFlight, delayed] = [0, 0, 0];
    for (const { partition, low, high } of ranges) {
      // One that was added meanwhile.
      const { offset, note } = views.get(partition) ?? { offset: low, note: emptyNote };
      open += Math.max(0, high - Math.max(low, offset));
      for (const { start, end } of note.done) open -= end - start;
      for (const { state } of note.records) {
        if (state === 'out') inFlight++;
        else if (typeof state === 'object') delayed++;
      }
    }
    return { ready: Math.max(0, open - inFlight - delayed), inFlight, delayed, oldestAgeMs: 0, exact: false };
  }

  classify(error: unknown): NqErrorCode {
    return error instanceof KafkaFailure ? failureCodes[error.kind] : 'NQ_BACKEND';
  }

  async close(): Promise<void> {
    await this.#consumer.close();
    await this.#parts.driver.close();
  }

  #partitionOf({ key }: OutgoingRecord): number {
    return key === null ? this.#sticky : partitionOf(key, this.#parts.partitions);
  }

  async #pushAgain(records: readonly OutgoingRecord[]): Promise<void> {
    for (const record of records) await this.#producerOf(this.#partitionOf(record)).push([record]);
  }

  #producerOf(partition: number): PartitionProducer {
    let producer = this.#producers.get(partition);
    if (producer === undefined) {
      const { driver, options, clock } = this.#parts;
      const { topic, compression, deliveryTimeoutMs } = options;
      producer = new PartitionProducer({ driver, topic, partition, clock, compression, deliveryTimeoutMs });
      this.#producers.set(partition, producer);
    }
    return producer;
  }
}
