import type { Clock } from '@nq/core';
import { within } from '@nq/core/parts';
import type { HeldPartition } from './held-partition.ts';
import type { IncomingRecord, KafkaDriver } from './kafka-driver.ts';
import { isClockRecord, type ParkedRecord, readParked, type RetryTopic } from './retry-topic.ts';

/** What is needed to read a retry topic. */
export interface ParkedReaderParts {
  readonly driver: KafkaDriver;
  readonly clock: Clock;
  readonly retries: RetryTopic;
  /** Its name, and whose retries are in it. */
  readonly topic: string;
  readonly retriesOf: string;
  /** How long it may take to learn what time it is, in milliseconds. */
  readonly limitMs: number;
}

/** Reads what waits in a retry topic. */
export class ParkedReader {
  readonly #parts: ParkedReaderParts;

  constructor(parts: ParkedReaderParts) {
    this.#parts = parts;
  }

  /**
   * Makes ready to read: what waits already has its time from the brokers, so it has to be known what time it is there;
   * what comes from now on is new.
   *
   * @throws {KafkaFailure} if nobody says what there is.
   */
  async prepare(partitions: Iterable<HeldPartition>): Promise<void> {
    const { driver, clock, retries, topic, limitMs } = this.#parts;
    const unread = Array.from(partitions).filter(({ readAllAt }) => readAllAt === -Infinity);
    if (unread.length === 0) return;
    const askedAt = clock.now();
    const ranges = await driver.ranges(topic, 1 + Math.max(...unread.map(({ partition }) => partition)));
    const ends = new Map(ranges.map(({ partition, high }) => [partition, high]));
    const isEmpty = ({ partition, tracker }: HeldPartition): boolean =>
      tracker.end >= (ends.get(partition) ?? Infinity);
    const waiting = unread.find((one) => !isEmpty(one));
    if (waiting !== undefined) await within(retries.learnTime(waiting.partition), limitMs, undefined, clock);
    for (const one of unread) if (isEmpty(one)) one.readAllAt = askedAt;
  }

  /** The record as it was before it came there, and what is known of it; `undefined` if it is none that anybody gets. */
  read(record: IncomingRecord, { readAllAt }: HeldPartition): ParkedRecord | undefined {
    if (isClockRecord(record)) return undefined;
    const { clock, retries, retriesOf } = this.#parts;
    // What has come since everything was read was written since.
    const ageMs = Math.min(clock.now() - readAllAt, retries.ageOf(record));
    return readParked(record, { topic: retriesOf, ageMs });
  }
}
