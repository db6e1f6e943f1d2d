import type { Clock, DeadLetter, DeadLetters } from '@nq/core';
import { lettersGroupOf } from './acl.ts';
import { type Claim, whileClaimed } from './claim.ts';
import type { Compression } from './codecs/codec.ts';
import type { HeldRecord } from './held-partition.ts';
import type { IncomingRecord, KafkaDriver, OutgoingRecord } from './kafka-driver.ts';
import { type Death, isFor, type Letter, letterOf, nameOf, readLetter, removalOf } from './letter.ts';
import { PartitionProducer } from './partition-producer.ts';
import { readOn } from './read-on.ts';
import { RecordLine } from './record-line.ts';

/** What the dead letters of a group need. */
export interface DeadLetterTopicParts {
  readonly driver: KafkaDriver;
  readonly clock: Clock;
  /** The topic that holds them. */
  readonly deadTopic: string;
  readonly options: {
    /** Whose records die, and in which group. */
    readonly topic: string;
    readonly retry: { readonly topic: string } | undefined;
    readonly group: string;
    readonly foreignKey: string | undefined;
    readonly compression: Compression;
    readonly deliveryTimeoutMs: number;
    readonly sessionTimeoutMs: number;
    readonly rebalanceTimeoutMs: number;
    readonly fetchBytes: number;
  };
  /** Pushes a record to the topic that it comes from. */
  readonly pushAgain: (record: OutgoingRecord) => Promise<void>;
}

/** What cannot be done then. */
const verb = 'write dead letters';

/** The partition of the dead-letter topic that has them all, so that they have an order. */
const partition = 0;

/**
 * The dead letters of a group, in a topic of their own, or in one that others use too: theirs are passed over. A letter is
 * removed by a record without a value that has its name, as in every topic that is compacted; what is there is found by
 * reading it all.
 */
export class DeadLetterTopic implements DeadLetters {
  readonly #parts: DeadLetterTopicParts;
  readonly #producer: PartitionProducer;
  /** Of what dies: each by itself. */
  readonly #dying: RecordLine;

  constructor(parts: DeadLetterTopicParts) {
    const { driver, clock, deadTopic, options } = parts;
    this.#parts = parts;
    const { compression, deliveryTimeoutMs } = options;
    const producer = { driver, topic: deadTopic, partition, clock, compression, deliveryTimeoutMs, verb };
    this.#producer = new PartitionProducer(producer);
    this.#dying = new RecordLine(this.#producer);
  }

  /**
   * Makes a dead letter of a record, unless that is not wanted any more when its turn comes. One that is made twice has the
   * same name.
   *
   * @returns whether the topic has it: only then may the record be done. @throws {NqError} if it has not, or nobody knows.
   */
  bury(held: HeldRecord, death: Death, isWanted: () => boolean): Promise<boolean> {
    return this.#dying.add(letterOf(held, this.#parts.options.group, death), isWanted);
  }

  /** Ends what is being written. */
  close(): void {
    this.#dying.close();
  }

  async count(): Promise<number> {
    return (await this.#places()).size;
  }

  async list({ limit = 100 }: { readonly limit?: number } = {}): Promise<readonly DeadLetter[]> {
    const listed: DeadLetter[] = [];
    if (limit === 0) return listed;
    for await (const { shown } of this.#letters()) {
      listed.push(shown);
      if (listed.length === limit) break;
    }
    return listed;
  }

  replay(ids?: readonly string[]): Promise<number> {
    return this.#use(ids, ({ record }) => this.#parts.pushAgain(record));
  }

  remove(ids?: readonly string[]): Promise<number> {
    return this.#use(ids, async () => {});
  }

  /** Does `work` with letters, which are removed one by one. @returns how many there were. */
  async #use(ids: readonly string[] | undefined, work: (letter: Letter) => Promise<void>): Promise<number> {
    if (ids?.length === 0) return 0;
    const wanted = ids === undefined ? undefined : new Set(ids);
    return this.#alone(async (claim) => {
      let count = 0;
      for await (const letter of this.#letters()) {
        if (wanted !== undefined && !wanted.has(letter.shown.event.id)) continue;
        await claim.check();
        await work(letter);
        await this.#producer.push([removalOf(letter.name)]);
        count++;
      }
      return count;
    });
  }

  /** What was not removed, in the order in which it was written first. */
  async *#letters(): AsyncGenerator<Letter> {
    const places = await this.#places();
    const [first] = places.values();
    if (first === undefined) return;
    let left = places.size;
    for await (const record of this.#records(first)) {
      if (record.value === null || places.get(nameOf(record)) !== record.offset) continue;
      yield readLetter(record, this.#parts.options.foreignKey);
      if (--left === 0) return;
    }
  }

  /** The names of what was not removed, and the offset of each: what they hold may be more than there is memory. */
  async #places(): Promise<ReadonlyMap<string, number>> {
    const { topic, retry, group } = this.#parts.options;
    const topics = retry === undefined ? [topic] : [topic, retry.topic];
    const places = new Map<string, number>();
    for await (const record of this.#records(0)) {
      const name = nameOf(record);
      if (!isFor({ topics, group }, name)) continue;
      if (record.value === null) places.delete(name);
      else if (!places.has(name)) places.set(name, record.offset);
    }
    return places;
  }

  /** What the topic has from an offset on, up to what is its end now. */
  async *#records(from: number): AsyncGenerator<IncomingRecord> {
    const { driver, clock, deadTopic, options } = this.#parts;
    const range = (await driver.ranges(deadTopic)).find((one) => one.partition === partition);
    const high = range?.high ?? 0;
    const persistence = { clock, limitMs: options.deliveryTimeoutMs };
    for (let offset = Math.max(from, range?.low ?? 0); offset < high;) {
      const { records, end } = await readOn(driver, persistence, { topic: deadTopic, partition, offset });
      yield* records;
      offset = end;
    }
  }

  /** Does `work` while no other process does: two who replay at the same time would replay everything twice. */
  #alone<Result>(work: (claim: Claim) => Promise<Result>): Promise<Result> {
    const { driver, clock, deadTopic, options } = this.#parts;
    const { group, sessionTimeoutMs, rebalanceTimeoutMs, fetchBytes, deliveryTimeoutMs } = options;
    const membership = {
      topic: deadTopic,
      group: lettersGroupOf(group),
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      fetchBytes,
    };
    const busy = 'Cannot use dead letters: another process is at it, or Kafka does not answer';
    return whileClaimed({ driver, clock, membership, limitMs: deliveryTimeoutMs, busy }, work);
  }
}
