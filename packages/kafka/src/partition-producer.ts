import { type Clock, isNqError, NqError } from '@nq/core';
import type { Compression } from './codecs/codec.ts';
import type { KafkaDriver, OutgoingRecord, ProducerIdentity } from './kafka-driver.ts';
import { kafkaError } from './kafka-error.ts';
import { KafkaFailure } from './kafka-failure.ts';

/** After a failure it is tried again after so long, doubled up to the longest, in milliseconds. */
const firstRetryMs = 20;
const longestRetryMs = 500;

/**
 * How long a try may take at least that begins when hardly any time is left, in milliseconds: as long as a call of a queue
 * waits for the answer when its time is over. A broker that is given less says that it has not finished, and is about to.
 */
const shortestTryMs = 1000;
/** After so long without an answer, in milliseconds, what can go elsewhere does: brokers that are well need a part of it. */
const stuckMs = 1000;

/** The largest request, in bytes, unless it is for a single record: half of what brokers take by default (`message.max.bytes`). */
export const requestBytes = 512 * 1024;

/** How many numbers there are for the records of an identity: then they begin anew, as the brokers expect. */
const sequences = 2 ** 31;

/** What a producer needs. */
export interface PartitionProducerParts {
  readonly driver: KafkaDriver;
  readonly topic: string;
  readonly partition: number;
  readonly clock: Clock;
  readonly compression: Compression;
  /** How long a record may be under way, in milliseconds. */
  readonly deliveryTimeoutMs: number;
  /** What it is that cannot be done then. @default 'push' */
  readonly verb?: string;
}

/**
 * What is pushed into one partition: one request at a time, so that nothing overtakes anything, and tried again until it
 * is stored. Each record has a number, by which the broker knows one that it has already; so what is tried again after an
 * answer was lost is stored once.
 */
export class PartitionProducer {
  readonly #parts: PartitionProducerParts;
  #identity: ProducerIdentity | undefined;
  #sequence = 0;
  #last: Promise<unknown> = Promise.resolve();
  /** When what is under way began, by the clock; `undefined` if nothing is. */
  #began: number | undefined;
  #isRetrying = false;
  #closed = false;

  constructor(parts: PartitionProducerParts) {
    this.#parts = parts;
  }

  /** Until when what is pushed now is tried, by the clock. */
  get deadline(): number {
    const { clock, deliveryTimeoutMs } = this.#parts;
    return clock.now() + deliveryTimeoutMs;
  }

  /** Whether it would not be tried again after a failure now, which was to be stored until `deadline`. */
  isOver(deadline: number): boolean {
    return this.#parts.clock.now() + longestRetryMs >= deadline;
  }

  /** Whether what is under way has failed and is tried again, or has had no answer for long: what comes now waits for it. */
  get isStuck(): boolean {
    if (this.#began === undefined) return false;
    return this.#isRetrying || this.#parts.clock.now() - this.#began > stuckMs;
  }

  /**
   * Stores `records`, all or none, behind those of calls before. They are tried once at least.
   *
   * @param deadline until when they are tried, by the clock: by default for `deliveryTimeoutMs` from now on, also if they wait.
   * @param lastDeadline the same where they may be stored already: nobody can tell the first from the others any more, so all
   * are tried as long as the last of them, under the same numbers.
   * @returns when they were written, as {@link KafkaDriver.produce}.
   * @throws {NqError} `NQ_UNAVAILABLE` if nothing is stored then; `NQ_OUTCOME_UNKNOWN` if it may be.
   */
  push(
    records: readonly OutgoingRecord[],
    deadline = this.deadline,
    lastDeadline = deadline,
  ): Promise<number | undefined> {
    const pushed = this.#last.then(() => this.#push(records, deadline, lastDeadline));
    this.#last = pushed.catch(() => {});
    return pushed;
  }

  /** As `push`, in several requests if they are too large for one. @returns for each why it is not stored, if it is not. */
  async pushInParts(
    records: readonly OutgoingRecord[],
    deadline = this.deadline,
    lastDeadline = deadline,
  ): Promise<readonly (Error | undefined)[]> {
    try {
      await this.push(records, deadline, lastDeadline);
      return records.map(() => undefined);
    } catch (error) {
      if (!isNqError(error, 'NQ_PAYLOAD') || records.length === 1) return records.map(() => error as Error);
      const half = Math.ceil(records.length / 2);
      const [first, second] = [records.slice(0, half), records.slice(half)];
      return [
        ...(await this.pushInParts(first, deadline, lastDeadline)),
        ...(await this.pushInParts(second, deadline, lastDeadline)),
      ];
    }
  }

  /** What is under way ends with its next failure, and nothing is tried again. */
  close(): void {
    this.#closed = true;
  }

  async #push(records: readonly OutgoingRecord[], deadline: number, lastDeadline: number): Promise<number | undefined> {
    this.#began = this.#parts.clock.now();
    try {
      return await this.#store(records, deadline, lastDeadline);
    } finally {
      this.#began = undefined;
      this.#isRetrying = false;
    }
  }

  async #store(
    records: readonly OutgoingRecord[],
    deadline: number,
    lastDeadline: number,
  ): Promise<number | undefined> {
    const { driver, topic, partition, clock, compression, deliveryTimeoutMs } = this.#parts;
    const leastMs = Math.min(shortestTryMs, deliveryTimeoutMs);
    let retryMs = firstRetryMs;
    let mayBeStored = false;
    for (;;) {
      const leftMs = (mayBeStored ? lastDeadline : deadline) - clock.now();
      try {
        this.#identity ??= await driver.newIdentity();
        const timeoutMs = Math.ceil(Math.max(leastMs, leftMs));
        const time = await driver.produce({
          topic,
          partition,
          records,
          identity: this.#identity,
          sequence: this.#sequence,
          compression,
          timeoutMs,
        });
        this.#sequence = (this.#sequence + records.length) % sequences;
        return time;
      } catch (error) {
        const failure =
          error instanceof KafkaFailure ? error : new KafkaFailure('other', 'the client has failed', error);
        mayBeStored ||= failure.kind === 'unsure';
        // The numbers of what may be stored are known to the broker; a new identity would store it again.
        if (failure.kind === 'identity' && !mayBeStored) this.#forget();
        const isOver = this.#closed || clock.now() + retryMs >= (mayBeStored ? lastDeadline : deadline);
        if (isOver || !isPassing(failure)) throw this.#verdict(failure, mayBeStored);
      }
      this.#isRetrying = true;
      await new Promise<void>((resolve) => {
        clock.schedule(resolve, retryMs);
      });
      retryMs = Math.min(longestRetryMs, 2 * retryMs);
    }
  }

  #forget(): void {
    this.#identity = undefined;
    this.#sequence = 0;
  }

  #verdict(failure: KafkaFailure, mayBeStored: boolean): NqError {
    const { verb = 'push' } = this.#parts;
    // The next records get numbers that the broker has never seen, or it would take them for these if it has them after all.
    this.#forget();
    if (!mayBeStored) return kafkaError(verb, failure);
    const message = `Cannot ${verb}: Kafka has not answered in time; it may be stored`;
    return new NqError('NQ_OUTCOME_UNKNOWN', message, { cause: failure });
  }
}

/** Whether the same may work a little later: a broker may not have heard yet of a topic that was just made. */
function isPassing({ kind }: KafkaFailure): boolean {
  return kind === 'away' || kind === 'unsure' || kind === 'identity' || kind === 'missing';
}
