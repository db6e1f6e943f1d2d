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
import { Consumers, type ConsumersParts } from './consumers.ts';
import { DeadLetterTopic } from './dead-letter-topic.ts';
import { EventWriter } from './event-writer.ts';
import type { HandOut } from './held-partition.ts';
import type { KafkaDriver } from './kafka-driver.ts';
import { failureCodes, KafkaFailure } from './kafka-failure.ts';
import type { ResolvedKafkaOptions } from './kafka-options.ts';
import { requestBytes } from './partition-producer.ts';
import type { PreparedTopics } from './prepare-topics.ts';
import { sizeOf } from './queue-size.ts';
import { RetryTopic } from './retry-topic.ts';
import { rewind } from './rewind.ts';
import { TopicProducer } from './topic-producer.ts';
import type { WrittenRecord } from './written-record.ts';

/** What a driver is made of. */
export interface KafkaQueueDriverParts {
  readonly options: ResolvedKafkaOptions;
  readonly capabilities: Capabilities;
  readonly driver: KafkaDriver;
  readonly topics: PreparedTopics;
  readonly clock: Clock;
}

/** An event on its way. Of a class, as what waits: see `eventOf` in core. */
class Encoded {
  readonly record: WrittenRecord;
  /** The partition that it goes to. */
  readonly partition: number;
  /** Until when it is tried, by the clock. */
  readonly deadline: number;

  constructor(record: WrittenRecord, partition: number, deadline: number) {
    this.record = record;
    this.partition = partition;
    this.deadline = deadline;
  }
}

/** A queue on a topic of Kafka. */
export class KafkaQueueDriver implements QueueDriver<Encoded> {
  readonly capabilities: Capabilities;
  readonly capacity = Infinity;
  readonly gathering: Gathering<Encoded>;
  /** They are gathered where they are written: whoever waits for one keeps nobody from going on. */
  readonly settlesAtOnce = Infinity;
  readonly deadLetters: DeadLetterTopic;
  readonly #parts: KafkaQueueDriverParts;
  readonly #producer: TopicProducer;
  readonly #writer: EventWriter;
  /** The retry topic, and who reads it; `undefined` if there is none. */
  readonly #retry: ConsumersParts['retry'];
  readonly #consumers: Consumers;
  /** The largest request, in bytes: it gets smaller where a broker takes less. */
  #requestBytes = requestBytes;

  constructor(parts: KafkaQueueDriverParts) {
    const { options, driver, clock, capabilities, topics } = parts;
    this.#parts = parts;
    this.capabilities = capabilities;
    this.#writer = new EventWriter(capabilities.maxPayloadBytes);
    const largest = (): number => this.#requestBytes;
    this.gathering = {
      laneOf: ({ partition }) => partition,
      sizeOf: ({ record }) => record.bytes,
      deadlineOf: ({ deadline }) => deadline,
      get requestBytes() {
        return largest();
      },
      most: options.capacity,
      mostBytes: options.capacityBytes,
      timeoutMs: options.deliveryTimeoutMs,
    };
    const producing = { driver, clock, options };
    this.#producer = new TopicProducer({ ...producing, topic: options.topic, partitions: topics.partitions });
    this.deadLetters = new DeadLetterTopic({
      driver,
      clock,
      deadTopic: options.deadLetterTopic,
      options,
      pushAgain: async (record) => void (await this.#producer.push(this.#producer.partitionOf(record.key), [record])),
    });
    this.#retry = this.#retryTopic();
    this.#consumers = new Consumers({
      options,
      driver,
      clock,
      deadLetters: capabilities.deadLetter ? this.deadLetters : undefined,
      retry: this.#retry,
      idleMs: options.idleMs,
      onWarning: options.onWarning,
    });
  }

  #retryTopic(): ConsumersParts['retry'] {
    const { options, driver, clock, topics } = this.#parts;
    const { retry } = options;
    if (retry === undefined) return undefined;
    const { topic, group, afterMs } = retry;
    const verb = 'give back for later';
    const producer = new TopicProducer({ driver, clock, options, topic, partitions: topics.retryPartitions, verb });
    return { topic, group, retries: new RetryTopic({ producer, clock, group: options.group, afterMs }) };
  }

  encode(event: QueueEvent): Encoded {
    const { options, clock } = this.#parts;
    const partition = this.#producer.partitionOf(event.key ?? null);
    const record = this.#writer.write(event, partition);
    // From now on, as the time of the call does that waits for it: what waits behind others is not tried when it has ended.
    return new Encoded(record, partition, clock.now() + options.deliveryTimeoutMs);
  }

  async push(events: readonly Encoded[]): Promise<number> {
    const [first] = events as readonly [Encoded];
    try {
      // The first was pushed first: its time is over before that of the others.
      const records = events.map(({ record }) => record);
      await this.#producer.push(first.partition, records, first.deadline, events.at(-1)?.deadline);
    } catch (error) {
      if (!isNqError(error, 'NQ_PAYLOAD') || events.length === 1) throw error;
      // They are too large together: they come again in smaller requests, in the end each alone.
      const sum = events.reduce((total, { record }) => total + record.bytes, 0);
      this.#requestBytes = Math.min(this.#requestBytes, Math.floor(sum / 2));
      return 0;
    }
    return events.length;
  }

  pop(max: number, waitMs: number, signal: AbortSignal): Promise<readonly LeasedEvent[]> {
    return this.#consumers.pop(max, waitMs, signal);
  }

  ack(receipts: readonly unknown[]): Promise<readonly (boolean | Error)[]> {
    return this.#consumers.ack(receipts as readonly HandOut[]);
  }

  nack(returns: readonly ReturnedLease[]): Promise<readonly (boolean | Error)[]> {
    return this.#consumers.nack(returns);
  }

  async extend(receipts: readonly unknown[], ms: number): Promise<readonly boolean[]> {
    return this.#consumers.extend(receipts as readonly HandOut[], ms);
  }

  onLeaseLost(listener: (receipt: unknown) => void): void {
    this.#consumers.onLeaseLost(listener);
  }

  size(): Promise<QueueSize> {
    const { driver, options, clock } = this.#parts;
    return sizeOf(this.#consumers, { driver, clock, limitMs: options.requestTimeoutMs });
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
    this.#producer.close();
    this.#retry?.retries.close();
    this.deadLetters.close();
    await this.#consumers.close();
    await this.#parts.driver.close();
  }
}
