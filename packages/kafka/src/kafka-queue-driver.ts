import {
  type Capabilities,
  type Clock,
  type Gathering,
  isNqError,
  type LeasedEvent,
  type NqErrorCode,
  type QueueDriver,
  type QueueEvent,
  type QueueSize,
  type ReturnedLease,
  type RewindPosition,
} from '@nq/core';
import { DeadLetterTopic } from './dead-letter-topic.ts';
import type { HandOut } from './held-partition.ts';
import { KafkaConsumer } from './kafka-consumer.ts';
import type { KafkaDriver, OutgoingRecord } from './kafka-driver.ts';
import { failureCodes, KafkaFailure } from './kafka-failure.ts';
import type { ResolvedKafkaOptions } from './kafka-options.ts';
import { partitionOf } from './murmur2.ts';
import { PartitionCount } from './partition-count.ts';
import { emptyNote } from './partition-note.ts';
import { persistently } from './persistently.ts';
import { type PartitionView, positionsOf } from './positions.ts';
import { PartitionProducer } from './partition-producer.ts';
import { encodeRecord } from './record.ts';
import { rewind } from './rewind.ts';

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
  readonly #partitions: PartitionCount;
  readonly #producers = new Map<number, PartitionProducer>();
  /** The largest request, in bytes: it gets smaller where a broker takes less. */
  #requestBytes = requestBytes;
  /** Where events without a key go: to one partition for a request, then to the next one. */
  #sticky = 0;

  constructor(parts: KafkaQueueDriverParts) {
    const { options, driver, clock, capabilities, partitions } = parts;
    this.#parts = parts;
    this.capabilities = capabilities;
    const largest = (): number => this.#requestBytes;
    this.gathering = {
      laneOf: ({ partition }) => partition,
      sizeOf: ({ bytes }) => bytes,
      get requestBytes() {
        return largest();
      },
      most: options.capacity,
      mostBytes: options.capacityBytes,
      timeoutMs: options.deliveryTimeoutMs,
    };
    const { topic, onWarning, metadataMaxAgeMs: maxAgeMs } = options;
    this.#partitions = new PartitionCount({ driver, clock, topic, count: partitions, maxAgeMs, onWarning });
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
      onWarning,
    });
  }

  encode(event: QueueEvent): Encoded {
    const record = encodeRecord(event, this.capabilities.maxPayloadBytes);
    return { ...record, partition: this.#partitionOf(record) };
  }

  async push(events: readonly Encoded[]): Promise<number> {
    this.#partitions.look();
    const [first] = events as readonly [Encoded];
    // The events without a key that come next go with those that do so, too, and not each with others.
    if (first.partition === this.#sticky) this.#sticky = (this.#sticky + 1) % this.#partitions.now;
    try {
      await this.#producerOf(first.partition).push(events);
    } catch (error) {
      if (!isNqError(error, 'NQ_PAYLOAD') || events.length === 1) throw error;
      // They are too large together: they come again in smaller requests, in the end each alone.
      const sum = events.reduce((total, { bytes }) => total + bytes, 0);
      this.#requestBytes = Math.min(this.#requestBytes, Math.floor(sum / 2));
      return 0;
    }
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
    const { driver, options, clock } = this.#parts;
    const { ranges, committed } = await persistently({ clock, limitMs: options.requestTimeoutMs }, async () => {
      const now = await driver.ranges(options.topic);
      const numbers = now.map(({ partition }) => partition);
      return { ranges: now, committed: (await positionsOf(driver, options, numbers)).views };
    });
    const views = new Map<number, PartitionView>(committed);
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

  rewind(position: RewindPosition): Promise<void> {
    return rewind(this.#parts, position);
  }

  classify(error: unknown): NqErrorCode {
    return error instanceof KafkaFailure ? failureCodes[error.kind] : 'NQ_BACKEND';
  }

  explain(error: unknown): string {
    return error instanceof KafkaFailure ? error.meaning : 'the client has failed';
  }

  async close(): Promise<void> {
    for (const producer of this.#producers.values()) producer.close();
    this.deadLetters.close();
    await this.#consumer.close();
    await this.#parts.driver.close();
  }

  #partitionOf({ key }: OutgoingRecord): number {
    return key === null ? this.#sticky : partitionOf(key, this.#partitions.now);
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
