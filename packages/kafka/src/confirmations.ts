import type { Committer } from './committer.ts';
import type { HandOut, HeldPartition, HeldRecord } from './held-partition.ts';
import type { KafkaDriver } from './kafka-driver.ts';
import { KafkaFailure } from './kafka-failure.ts';
import { isDone, type PositionOptions } from './positions.ts';

/** Who is asked whether something is committed. */
export interface ConfirmationsParts {
  readonly committer: Committer;
  readonly driver: KafkaDriver;
  readonly options: PositionOptions & { readonly requestTimeoutMs: number };
}

/** Says of settlements whether they are committed. */
export class Confirmations {
  readonly #parts: ConfirmationsParts;

  constructor(parts: ConfirmationsParts) {
    this.#parts = parts;
  }

  /** As {@link ofAck}, for several. */
  async ofAcks(handOuts: readonly HandOut[]): Promise<readonly boolean[]> {
    // The last of each partition first: with it, all of them are.
    const lasts = new Map<HeldPartition, HandOut>();
    for (const handOut of handOuts) lasts.set(handOut.held.partition, handOut);
    await Promise.all(Array.from(lasts.values(), (last) => this.ofAck(last)));
    const answers = handOuts.map((handOut) => this.ofAck(handOut));
    return answers.every(isKnown) ? answers : Promise.all(answers);
  }

  /** Whether it is committed that a hand-out was acknowledged; `false` if it was not. @throws as {@link of}. */
  ofAck({ held, doneIn }: HandOut): boolean | Promise<boolean> {
    if (doneIn === undefined) return false;
    return held.partition.committed >= doneIn || this.of(held, doneIn);
  }

  /** Whether it is committed that `held` was settled in `version`. @throws {KafkaFailure} `unsure` if nobody knows. */
  async of({ partition, record }: HeldRecord, version: number): Promise<boolean> {
    const { committer, driver, options } = this.#parts;
    const answer = await committer.confirm(partition, version, options.requestTimeoutMs);
    if (answer !== undefined) return answer;
    // A commit without an answer, and no other one comes: what whoever has the partition now began with says it.
    if (!partition.isOurs) return isDone(driver, options, partition.partition, record.offset);
    throw new KafkaFailure('unsure', 'Kafka has not answered in time; it may be done');
  }
}

const isKnown = (answer: boolean | Promise<boolean>): answer is boolean => typeof answer === 'boolean';
