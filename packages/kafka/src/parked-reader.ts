import type { Clock } from '@nq/core';
import { within } from '@nq/core/parts';
import type { HeldPartition } from './held-partition.ts';
import type { IncomingRecord, KafkaDriver } from './kafka-driver.ts';
import { isClockRecord, isOfOthers, type ParkedRecord, readParked, type RetryTopic } from './retry-topic.ts';

/** What is needed to read a retry topic. */
export interface ParkedReaderParts {
  readonly driver: KafkaDriver;
  readonly clock: Clock;
  readonly retries: RetryTopic;
  readonly topic: string;
  /** Whose retries are read: what others have given back is passed over. */
  readonly retriesOf: { readonly topic: string; readonly group: string };
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
   * what comes from now on is new. Not for long: where nobody answers, what is in other partitions is read all the same, and
   * delays may last longer. Never rejects.
   */
  async prepare(partitions: Iterable<HeldPartition>): Promise<void> {
    const { driver, clock, retries, topic, limitMs } = this.#parts;
    const unread = Array.from(partitions).filter(({ readAllAt }) => readAllAt === -Infinity);
    if (unread.length === 0) return;
    const askedAt = clock.now();
    const count = 1 + Math.max(...unread.map(({ partition }) => partition));
    const asked = driver.ranges(topic, count).catch(() => []);
    const ranges = await within(asked, limitMs, [], clock);
    const ends = new Map(ranges.map(({ partition, high }) => [partition, high]));
    const isEmpty = ({ partition, tracker }: HeldPartition): boolean =>
      tracker.end >= (ends.get(partition) ?? Infinity);
    const waiting = unread.filter((one) => !isEmpty(one)).map(({ partition }) => partition);
    // One is enough, if it is known that its leader answers.
    const learning = (ranges.length > 0 ? waiting.slice(0, 1) : waiting).map((one) => retries.learnTime(one));
    if (learning.length > 0) await within(Promise.race(learning), limitMs, undefined, clock);
    for (const one of unread) if (isEmpty(one)) one.readAllAt = askedAt;
  }

  /** The record as it was before it came there, and what is known of it; `undefined` if it is none that anybody gets. */
  read(sent: IncomingRecord, { readAllAt }: HeldPartition): ParkedRecord | undefined {
    const { clock, retries, retriesOf } = this.#parts;
    // Read here, once: what follows asks for its headers again and again.
    const { key, value, headers } = sent;
    const record = { ...sent, key, value, headers };
    if (isClockRecord(record) || isOfOthers(record, retriesOf)) return undefined;
    // What has come since everything was read was written since.
    const ageMs = Math.min(clock.now() - readAllAt, retries.ageOf(record));
    return readParked(record, { topic: retriesOf.topic, ageMs });
  }
}
