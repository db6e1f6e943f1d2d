import { type Clock, type DeadLetter, type DeadLetters, isNqError } from '@nq/core';
import { lettersGroupOf } from './acl.ts';
import { type Claim, whileClaimed } from './claim.ts';
import type { Compression } from './codecs/codec.ts';
import type { HeldRecord } from './held-partition.ts';
import type { KafkaDriver, OutgoingRecord } from './kafka-driver.ts';
import { type Death, type Letter, letterOf, readLetter, removalOf } from './letter.ts';
import { PartitionProducer } from './partition-producer.ts';

/** What the dead letters of a group need. */
export interface DeadLetterTopicParts {
  readonly driver: KafkaDriver;
  readonly clock: Clock;
  /** The topic that holds them. */
  readonly deadTopic: string;
  readonly options: {
    readonly topic: string;
    readonly group: string;
    readonly foreignKey: string | undefined;
    readonly compression: Compression;
    readonly deliveryTimeoutMs: number;
    readonly sessionTimeoutMs: number;
    readonly rebalanceTimeoutMs: number;
    readonly fetchBytes: number;
  };
  /** Pushes records to the topic that they come from. */
  readonly pushAgain: (records: readonly OutgoingRecord[]) => Promise<void>;
}

/** What cannot be done then. */
const verb = 'write dead letters';

/** The partition of the dead-letter topic that has them all, so that they have an order. */
const partition = 0;

/**
 * The dead letters of a group, in a topic of their own. A letter is removed by a record without a value that has its name,
 * as in every topic that is compacted; what is there is found by reading it all.
 */
export class DeadLetterTopic implements DeadLetters {
  readonly #parts: DeadLetterTopicParts;
  readonly #producer: PartitionProducer;

  constructor(parts: DeadLetterTopicParts) {
    const { driver, clock, deadTopic, options } = parts;
    this.#parts = parts;
    const { compression, deliveryTimeoutMs } = options;
    const producer = { driver, topic: deadTopic, partition, clock, compression, deliveryTimeoutMs, verb };
    this.#producer = new PartitionProducer(producer);
  }

  /** Makes dead letters of records. Resolves once the topic has them: only then may they be done. */
  bury(dead: readonly { readonly held: HeldRecord; readonly death: Death }[]): Promise<void> {
    const { topic } = this.#parts.options;
    return this.#write(dead.map(({ held, death }) => letterOf(topic, held.partition.partition, held.record, death)));
  }

  /** In several requests, if they are too large for one: a letter that is written twice has the same name. */
  async #write(letters: readonly OutgoingRecord[]): Promise<void> {
    try {
      await this.#producer.push(letters);
    } catch (error) {
      if (!isNqError(error, 'NQ_PAYLOAD') || letters.length === 1) throw error;
      const half = Math.ceil(letters.length / 2);
      await this.#write(letters.slice(0, half));
      await this.#write(letters.slice(half));
    }
  }

  /** Ends what is being written. */
  close(): void {
    this.#producer.close();
  }

  async count(): Promise<number> {
    return (await this.#read()).size;
  }

  async list({ limit = 100 }: { readonly limit?: number } = {}): Promise<readonly DeadLetter[]> {
    if (limit === 0) return [];
    return Array.from((await this.#read()).values(), ({ shown }) => shown).slice(0, limit);
  }

  replay(ids?: readonly string[]): Promise<number> {
    return this.#use(ids, ({ record }) => this.#parts.pushAgain([record]));
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
      for (const letter of (await this.#read()).values()) {
        if (wanted !== undefined && !wanted.has(letter.shown.event.id)) continue;
        claim.check();
        await work(letter);
        await this.#producer.push([removalOf(letter.name)]);
        count++;
      }
      return count;
    });
  }

  /** What was not removed, in the order in which it was written first. */
  async #read(): Promise<ReadonlyMap<string, Letter>> {
    const { driver, deadTopic, options } = this.#parts;
    const range = (await driver.ranges(deadTopic)).find((one) => one.partition === partition);
    const letters = new Map<string, Letter>();
    for (let offset = range?.low ?? 0; offset < (range?.high ?? 0);) {
      const { records, end } = await driver.read(deadTopic, partition, offset);
      for (const record of records) {
        const letter = readLetter(record, options.foreignKey);
        if (letter === undefined) letters.delete(record.key?.toString() ?? '');
        else if (!letters.has(letter.name)) letters.set(letter.name, letter);
      }
      if (end <= offset) break;
      offset = end;
    }
    return letters;
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
