import { isNqError, NqError } from '@nq/core';
import type { OutgoingRecord } from './kafka-driver.ts';
import { type PartitionProducer, requestBytes } from './partition-producer.ts';

/** A record on its way. */
interface Waiting {
  readonly record: OutgoingRecord;
  readonly isWanted: () => boolean;
  /** Until when it is tried. */
  readonly deadline: number;
  readonly resolve: (isStored: boolean) => void;
  readonly reject: (error: Error) => void;
}

/** The most records of one request, unless they are too large together. */
const largestBatch = 500;

/**
 * Records for one partition that are written one by one: what comes while a request is under way goes together with the
 * next one, and each has an answer of its own.
 */
export class RecordLine {
  readonly #producer: PartitionProducer;
  #waiting: Waiting[] = [];
  #isBusy = false;
  #isClosed = false;

  constructor(producer: PartitionProducer) {
    this.#producer = producer;
  }

  /**
   * Stores `record`, unless it is not wanted any more when its turn comes.
   *
   * @returns whether it is stored. @throws {NqError} as {@link PartitionProducer.push}.
   */
  add(record: OutgoingRecord, isWanted: () => boolean): Promise<boolean> {
    if (this.#isClosed) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ record, isWanted, deadline: this.#producer.deadline, resolve, reject });
      if (this.#isBusy) return;
      this.#isBusy = true;
      void this.#run();
    });
  }

  /** What is under way ends with its next failure, nothing is tried again, and what waits is not sent. */
  close(): void {
    this.#isClosed = true;
    this.#producer.close();
    for (const { reject } of this.#waiting.splice(0)) reject(closed());
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    // What comes in the same turn goes with it.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const wanted: Waiting[] = [];
      for (const one of this.#takeBatch()) {
        if (one.isWanted()) wanted.push(one);
        else one.resolve(false);
      }
      if (wanted.length > 0) await this.#store(wanted);
    }
    this.#isBusy = false;
  }

  /** What one request can carry. */
  #takeBatch(): readonly Waiting[] {
    let count = 0;
    for (let bytes = 0; count < Math.min(largestBatch, this.#waiting.length); count++) {
      const { key, value } = (this.#waiting[count] as Waiting).record;
      bytes += (key?.length ?? 0) + (value?.length ?? 0);
      if (count > 0 && bytes > requestBytes) break;
    }
    return this.#waiting.splice(0, count);
  }

  async #store(wanted: readonly Waiting[]): Promise<void> {
    // The first has waited longest.
    const { deadline } = wanted[0] as Waiting;
    const lastDeadline = wanted.at(-1)?.deadline;
    const records = wanted.map(({ record }) => record);
    const failures = await this.#producer.pushInParts(records, deadline, lastDeadline);
    for (const [index, { resolve, reject }] of wanted.entries()) {
      const failure = failures[index];
      if (failure === undefined) resolve(true);
      else reject(failure);
    }
    const last = failures.at(-1);
    if (isNqError(last, 'NQ_UNAVAILABLE') || isNqError(last, 'NQ_OUTCOME_UNKNOWN')) this.#giveUp(last);
  }

  /** What has waited as long as those that were given up is not sent: with a try of its own, each would wait for those before. */
  #giveUp(failure: NqError): void {
    const end = this.#waiting.findIndex(({ deadline }) => !this.#producer.isOver(deadline));
    const over = this.#waiting.splice(0, end === -1 ? this.#waiting.length : end);
    if (over.length === 0) return;
    // Of what was sent nobody may know; this was not.
    const unsent = failure.code === 'NQ_UNAVAILABLE' ? failure : unanswered(failure);
    for (const { isWanted, resolve, reject } of over) {
      if (isWanted()) reject(unsent);
      else resolve(false);
    }
  }
}

const unanswered = (cause: NqError): NqError =>
  new NqError('NQ_UNAVAILABLE', 'Cannot settle: Kafka has not answered in time what is in front of it', { cause });
const closed = (): NqError => new NqError('NQ_CLOSED', 'Cannot settle: the queue was closed meanwhile');
