import { setTimeout as sleep } from 'node:timers/promises';
import type { Put } from '../harness/arrivals.ts';
import type { Budget } from '../harness/budget.ts';
import type { Column, Readings } from '../harness/case.ts';
import { formatNumber } from '../harness/format.ts';

/** What {@link rebalance} reads. */
export const rebalanceColumns: readonly Column[] = [
  { heading: 'nothing handled at all, ms at most', keys: ['longestGapMs'], format: formatNumber },
  { heading: 'a message has waited, ms at most', keys: ['longestWaitMs'], format: formatNumber },
  { heading: 'handled twice, messages per rebalance', keys: ['duplicates'], format: formatNumber },
  { heading: 'never handled, messages', keys: ['lost'], format: formatNumber },
];

/** Lets one more member join, which calls `handled` with the numbers of its messages. Resolves with what makes it leave. */
export type Join = (handled: (index: number) => void) => Promise<() => Promise<unknown>>;

const perSecond = 1000;
/** A member that joins and leaves makes for two. */
const rebalancesMade = 2;
/** After so long a member counts as one that never gets a message, and a message as lost, in milliseconds. */
const patienceMs = 40_000;

/** Measures what a group under load suffers when a member joins and leaves. */
export function rebalance(
  prepare: (address: string) => Promise<{ readonly put: Put; readonly join: Join }>,
): (budget: Budget, address: string) => Promise<Readings> {
  return async ({ loopMs }, address) => {
    const { put, join } = await prepare(address);
    const load = new Load(put);
    await join((index) => load.handled(index));
    const pushing = load.run();
    await until('the first member to handle something', () => load.handledCount > 0);
    await sleep(loopMs);

    load.watch();
    let ofSecond = 0;
    const leave = await join((index) => {
      ofSecond++;
      load.handled(index);
    });
    await until('the second member to handle something', () => ofSecond > 0);
    await sleep(loopMs);
    await leave();
    const pushedByThen = load.pushedCount;
    await untilOrLate(() => load.isHandledUpTo(pushedByThen));
    await sleep(loopMs);
    load.stop();
    await pushing;
    await untilOrLate(() => load.isHandledUpTo(load.pushedCount));
    return load.readings();
  };
}

/** Messages at a fixed rate, and when each was pushed and handled. */
class Load {
  handledCount = 0;
  readonly #put: Put;
  readonly #pushedAt: number[] = [];
  readonly #times: number[] = [];
  #longestGapMs = 0;
  #longestWaitMs = 0;
  #lastAt = 0;
  #firstOpen = 0;
  #isWatched = false;
  #isOver = false;

  constructor(put: Put) {
    this.#put = put;
  }

  get pushedCount(): number {
    return this.#pushedAt.length;
  }

  async run(): Promise<void> {
    const startedAt = performance.now();
    while (!this.#isOver) {
      const due = ((performance.now() - startedAt) * perSecond) / 1000;
      while (this.#pushedAt.length < due) {
        const index = this.#pushedAt.length;
        this.#pushedAt.push(performance.now());
        this.#times.push(0);
        this.#put(index);
      }
      await sleep(1);
    }
  }

  stop(): void {
    this.#isOver = true;
  }

  /** From now on it counts how long something takes. */
  watch(): void {
    this.#isWatched = true;
    this.#lastAt = performance.now();
  }

  handled(index: number): void {
    const now = performance.now();
    this.handledCount++;
    this.#times[index] = (this.#times[index] as number) + 1;
    if (this.#isWatched) {
      this.#longestGapMs = Math.max(this.#longestGapMs, now - this.#lastAt);
      // What is handled twice has not waited for the second time.
      if (this.#times[index] === 1) {
        this.#longestWaitMs = Math.max(this.#longestWaitMs, now - (this.#pushedAt[index] as number));
      }
    }
    this.#lastAt = now;
  }

  isHandledUpTo(end: number): boolean {
    while (this.#firstOpen < end && (this.#times[this.#firstOpen] as number) > 0) this.#firstOpen++;
    return this.#firstOpen >= end;
  }

  readings(): Readings {
    const again = this.#times.reduce((sum, times) => sum + Math.max(0, times - 1), 0);
    return {
      longestGapMs: this.#longestGapMs,
      longestWaitMs: this.#longestWaitMs,
      duplicates: again / rebalancesMade,
      lost: this.#times.filter((times) => times === 0).length,
    };
  }
}

async function until(what: string, fact: () => boolean): Promise<void> {
  await untilOrLate(fact);
  if (!fact()) throw new Error(`Waited ${patienceMs} ms for ${what}`);
}

async function untilOrLate(fact: () => boolean): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!fact() && performance.now() < deadline) await sleep(10);
}
