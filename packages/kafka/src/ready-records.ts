import type { Clock, Timer } from '@nq/core';
import { Heap } from '@nq/core/parts';
import type { HeldPartition, HeldRecord } from './held-partition.ts';

/** A record that waits for the end of its delay. */
interface Delayed {
  /** In the time of the clock. */
  readonly at: number;
  readonly held: HeldRecord;
}

/** A record that came back, and when. */
interface Returned {
  readonly turn: number;
  readonly held: HeldRecord;
}

/**
 * The records whose turn it is: they can be handed out, or will be after a delay. What came back comes first, in the order
 * of its offsets.
 */
export class ReadyRecords {
  readonly #clock: Clock;
  /** Is called when there is something that was not there before. */
  readonly #onReady: () => void;
  /** Those that were never given back, from `#from` on. */
  #fresh: (HeldRecord | undefined)[] = [];
  #from = 0;
  #returned = newReturned();
  /** How often something was taken: what comes back in between is sorted, and waits behind what came back before. */
  #turn = 0;
  #delayed = newHeap();
  #timer: Timer | undefined;

  constructor(clock: Clock, onReady: () => void) {
    this.#clock = clock;
    this.#onReady = onReady;
  }

  /** How many can be taken. */
  get length(): number {
    return this.#returned.length + this.#fresh.length - this.#from;
  }

  /** How many wait for the end of their delay. */
  get delayed(): number {
    return this.#delayed.length;
  }

  /** Adds a record whose turn has come, if there is one, and its partition is ours. */
  add(held: HeldRecord | undefined): void {
    if (held === undefined || !held.partition.isOurs || this.#isDelayed(held)) return;
    this.#fresh.push(held);
    this.#onReady();
  }

  /** Adds records that were handed out. */
  giveBack(records: readonly HeldRecord[]): void {
    const back = records.filter((held) => !this.#isDelayed(held));
    if (back.length === 0) return;
    for (const held of back) this.#returned.add({ turn: this.#turn, held });
    this.#onReady();
  }

  /** Takes the next record. */
  take(): HeldRecord | undefined {
    this.#turn++;
    return this.#returned.take()?.held ?? this.#takeFresh();
  }

  /** Forgets what there is of a partition that is not ours any more: whoever has it next knows of it. */
  forget(partition: HeldPartition): void {
    const delayed = newHeap();
    for (let one = this.#delayed.take(); one !== undefined; one = this.#delayed.take()) {
      if (one.held.partition !== partition) delayed.add(one);
    }
    this.#delayed = delayed;
    const returned = newReturned();
    for (let one = this.#returned.take(); one !== undefined; one = this.#returned.take()) {
      if (one.held.partition !== partition) returned.add(one);
    }
    this.#returned = returned;
    this.#fresh = this.#fresh.slice(this.#from).filter((held) => held?.partition !== partition);
    this.#from = 0;
  }

  close(): void {
    this.#timer?.cancel();
  }

  /** Whether it has to wait, and does so now. */
  #isDelayed(held: HeldRecord): boolean {
    const { until } = held;
    if (until === undefined || until <= this.#clock.now()) return false;
    const delayed = { at: until, held };
    this.#delayed.add(delayed);
    if (this.#delayed.peek() === delayed) this.#arm();
    return true;
  }

  #arm(): void {
    this.#timer?.cancel();
    const first = this.#delayed.peek();
    if (first === undefined) return;
    const ms = Math.max(0, first.at - this.#clock.now());
    this.#timer = this.#clock.schedule(() => this.#endDelays(), ms, { keepAlive: false });
  }

  #endDelays(): void {
    const now = this.#clock.now();
    const back: HeldRecord[] = [];
    for (let first = this.#delayed.peek(); first !== undefined && first.at <= now; first = this.#delayed.peek()) {
      this.#delayed.take();
      first.held.until = undefined;
      back.push(first.held);
    }
    this.giveBack(back);
    this.#arm();
  }

  #takeFresh(): HeldRecord | undefined {
    const held = this.#fresh[this.#from];
    if (held === undefined) return undefined;
    this.#fresh[this.#from++] = undefined;
    // As often as it costs no more than what was taken since.
    if (this.#from === this.#fresh.length || this.#from >= shiftAfter + this.#fresh.length / 2) {
      this.#fresh = this.#fresh.slice(this.#from);
      this.#from = 0;
    }
    return held;
  }
}

const newHeap = (): Heap<Delayed> => new Heap((a, b) => a.at - b.at);
const newReturned = (): Heap<Returned> =>
  new Heap((a, b) => a.turn - b.turn || a.held.record.offset - b.held.record.offset);

/** How many places in front are left empty before what is behind them is moved. */
const shiftAfter = 1024;
