import fc from 'fast-check';
import { type VirtualClock, virtualClock } from '@nq/core/testing';
import { describe, expect, test } from 'vitest';
import { Committer } from '../src/committer.ts';
import { HandOut, HeldPartition, type HeldRecord } from '../src/held-partition.ts';
import type { Committed } from '../src/kafka-driver.ts';
import { type FailureKind, KafkaFailure } from '../src/kafka-failure.ts';
import { decodeNote, emptyNote } from '../src/partition-note.ts';

const [partitions, records, limitMs] = [2, 6, 5000];

/** A partition of which all records are handed out, and what is known to be true of it. */
class Watched {
  readonly partition: HeldPartition;
  readonly #held: readonly HeldRecord[];
  readonly done = new Set<number>();
  /** What was done when the last request with its partition was made that was answered, or that may have arrived. */
  committed: ReadonlySet<number> = new Set();
  unsure: ReadonlySet<number> = new Set();

  constructor(number: number) {
    const topic = 't';
    this.partition = new HeldPartition({ topic, partition: number, order: 'none', position: 0, note: emptyNote });
    const record = { key: null, value: null, headers: {}, time: 0, isBrokerTime: false, bytes: 1 };
    const taken = Array.from({ length: records }, (_, offset) => this.partition.add({ ...record, offset }, 0));
    this.#held = taken as HeldRecord[];
    for (const held of this.#held) this.partition.begin(held, new HandOut(held, Infinity));
  }

  complete(offset: number): boolean {
    if (this.done.has(offset)) return false;
    this.done.add(offset);
    this.partition.complete(this.#held[offset] as HeldRecord);
    return true;
  }

  /** The first offset that is not done. */
  get watermark(): number {
    return Array.from({ length: records }, (_, offset) => offset).find((offset) => !this.done.has(offset)) ?? records;
  }
}

/** What somebody who waits for the commit of `offset` was told. */
interface Told {
  readonly of: Watched;
  readonly offset: number;
  /** Since when, by the clock. */
  readonly since: number;
  answer?: boolean | undefined | FailureKind;
}

/** A committer whose requests a test answers. */
function scene() {
  const clock: VirtualClock = virtualClock();
  const all = Array.from({ length: partitions }, (_, number) => new Watched(number));
  let request: { readonly end: (failure?: KafkaFailure) => void } | undefined;
  /** Of what the brokers take a note that is shorter only. */
  let tooLarge: readonly Watched[] = [];
  const flaws: string[] = [];
  const committer = new Committer({
    clock,
    partitions: () => all.map(({ partition }) => partition).filter(({ isOurs }) => isOurs),
    commit: (offsets) => {
      if (request !== undefined) flaws.push('two requests are under way');
      const isShort = offsets.every(({ metadata }) => metadata === '');
      const sent = offsets.map(({ partition }) => all[partition] as Watched);
      if (!isShort && sent.some((one) => tooLarge.includes(one))) flaws.push('what was too large is sent again');
      tooLarge = [];
      for (const one of offsets) flaws.push(...flawsOf(one, all[one.partition] as Watched));
      const then = new Map(sent.map((one) => [one, new Set(one.done)]));
      return new Promise((resolve, reject) => {
        const end = (failure?: KafkaFailure): void => {
          request = undefined;
          tooLarge = failure?.kind === 'tooLarge' && !isShort ? sent : [];
          for (const [one, done] of then) {
            if (failure === undefined) one.committed = done;
            else if (failure.kind === 'unsure') one.unsure = done;
          }
          if (failure === undefined) resolve();
          else reject(failure);
        };
        request = { end };
      });
    },
  });
  const told: Told[] = [];
  return {
    clock,
    committer,
    all,
    told,
    flaws,
    async complete(one: Watched, offset: number): Promise<void> {
      if (!one.partition.isOurs || !one.complete(offset)) return;
      const waits: Told = { of: one, offset, since: clock.now() };
      told.push(waits);
      try {
        waits.answer = await committer.confirm(one.partition, one.partition.version, limitMs);
        flaws.push(...lies(waits, clock));
      } catch (error) {
        waits.answer = (error as KafkaFailure).kind;
        if (waits.answer !== 'refused') flaws.push(`${waits.answer} was told`);
      }
    },
    answer(kind?: FailureKind): void {
      request?.end(kind === undefined ? undefined : new KafkaFailure(kind, 'as the test says'));
    },
    lose(one: Watched): void {
      one.partition.isOurs = false;
      committer.changed();
    },
  };
}

/** What is wrong with what is about to be committed of a partition. */
function flawsOf({ offset, metadata }: Committed, { done, watermark }: Watched): string[] {
  if (offset !== watermark) return [`${offset} is committed, where ${watermark} is the first that is not done`];
  const noted = decodeNote(offset, metadata).done.flatMap(({ start, end }) =>
    Array.from({ length: end - start }, (_, index) => start + index),
  );
  const behind = [...done].filter((one) => one > watermark).sort((a, b) => a - b);
  const isAll = metadata === '' || JSON.stringify(noted) === JSON.stringify(behind);
  return isAll ? [] : [`the note has ${noted.join()} for ${behind.join()}`];
}

/** What is not true of an answer. */
function lies({ of, offset, since, answer }: Told, clock: VirtualClock): string[] {
  const isCommitted = of.committed.has(offset);
  const { isOurs } = of.partition;
  if (answer === true && !isCommitted) return [`${offset} is not committed`];
  if (answer === false && (isOurs || of.unsure.has(offset))) return [`nobody knows that ${offset} is not committed`];
  const isOver = clock.now() - since >= limitMs;
  if (answer === undefined && isOurs && !isOver) return [`of ${offset} too early nobody knows`];
  return [];
}

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ complete: fc.nat(partitions * records - 1) }) },
  { weight: 4, arbitrary: fc.record({ answer: fc.constant('ok' as const) }) },
  { weight: 2, arbitrary: fc.record({ answer: fc.constantFrom('away', 'unsure', 'refused', 'tooLarge', 'moved') }) },
  { weight: 2, arbitrary: fc.record({ pass: fc.constantFrom(0, 10, 50, 1000, limitMs) }) },
  { weight: 1, arbitrary: fc.record({ lose: fc.nat(partitions - 1) }) },
  { weight: 1, arbitrary: fc.record({ flush: fc.constant(true), mark: fc.boolean() }) },
);

describe('what is acknowledged', () => {
  test('is committed with what is done and nothing else, by one request at a time, and whoever waits is told the truth', async () => {
    const outcomes = new Set<unknown>();
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { clock, committer, all, told, flaws, complete, answer, lose } = scene();
        for (const one of steps) {
          if ('complete' in one)
            complete(all[one.complete % partitions] as Watched, Math.floor(one.complete / partitions));
          else if ('answer' in one) answer(one.answer === 'ok' ? undefined : one.answer);
          else if ('pass' in one) await clock.advance(one.pass);
          else if ('lose' in one) lose(all[one.lose] as Watched);
          else if (one.mark) committer.mark();
          else void committer.flush();
          await clock.settle();
          expect(flaws).toEqual([]);
        }
        // Once the brokers are well, everybody has an answer.
        for (let left = 10; left > 0; left--) {
          answer();
          await clock.advance(limitMs / 5);
        }
        expect(flaws).toEqual([]);
        expect(told.filter((one) => !('answer' in one))).toEqual([]);
        const ours = all.filter(({ partition }) => partition.isOurs && partition.awaited > 0);
        expect(ours.map(({ committed }) => committed)).toEqual(ours.map(({ done }) => done));
        for (const one of told) outcomes.add(one.answer);
        committer.close();
      }),
      { numRuns: 3000 },
    );
    expect([...outcomes]).toEqual(expect.arrayContaining([true, false, undefined, 'refused']));
  });
});
