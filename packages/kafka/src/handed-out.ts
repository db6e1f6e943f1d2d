import type { Clock, Timer } from '@nq/core';
import { Heap } from '@nq/core/parts';
import { HandOut, type HeldPartition, type HeldRecord } from './held-partition.ts';

/** How leases end. */
export interface HandedOutParts {
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Is called with hand-outs whose lease has ended: they are not out any more. */
  readonly onExpired: (handOuts: readonly HandOut[]) => void;
}

/**
 * What is handed out, and until when. All leases are equally long, so the first to be handed out is the first to end. It is
 * a list that goes through the hand-outs themselves: thousands pass in a second, and a `Set` keeps what has passed alive.
 */
export class HandedOut {
  readonly #parts: HandedOutParts;
  #first: HandOut | undefined;
  #last: HandOut | undefined;
  #size = 0;
  /** Those whose lease was made to end at another time, which may be done by now. */
  readonly #extended = new Heap<{ readonly at: number; readonly handOut: HandOut }>((a, b) => a.at - b.at);
  #timer: Timer | undefined;
  #timerAt = Infinity;

  constructor(parts: HandedOutParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether it is the hand-out under way of a record that is ours. */
  has(handOut: HandOut): boolean {
    return handOut.isOut;
  }

  /** Hands `held` out. */
  begin(held: HeldRecord): HandOut {
    const handOut = new HandOut(held, this.#parts.clock.now() + this.#parts.leaseMs);
    held.partition.begin(held, handOut);
    this.#append(handOut);
    this.#armFor(handOut.expiresAt);
    return handOut;
  }

  /** Ends `handOut`: it is settled, or lost. */
  end(handOut: HandOut): void {
    handOut.held.handOut = undefined;
    this.#remove(handOut);
  }

  /** Makes its lease end `ms` from now. */
  extend(handOut: HandOut, ms: number): void {
    handOut.expiresAt = this.#parts.clock.now() + ms;
    handOut.isExtended = true;
    this.#extended.add({ at: handOut.expiresAt, handOut });
    this.#armFor(handOut.expiresAt);
  }

  /** The partitions of which something is handed out. */
  partitions(): readonly number[] {
    const numbers = new Set<number>();
    for (let handOut = this.#first; handOut !== undefined; handOut = handOut.after) {
      numbers.add(handOut.held.partition.partition);
    }
    return [...numbers];
  }

  /** Ends what is handed out of `partition`. @returns it. */
  endAllOf(partition: HeldPartition): readonly HandOut[] {
    const lost: HandOut[] = [];
    for (let handOut = this.#first; handOut !== undefined; handOut = handOut.after) {
      if (handOut.held.partition === partition) lost.push(handOut);
    }
    for (const handOut of lost) this.end(handOut);
    return lost;
  }

  close(): void {
    this.#timer?.cancel();
  }

  #append(handOut: HandOut): void {
    handOut.isOut = true;
    handOut.before = this.#last;
    if (this.#last === undefined) this.#first = handOut;
    else this.#last.after = handOut;
    this.#last = handOut;
    this.#size++;
  }

  #remove(handOut: HandOut): void {
    if (!handOut.isOut) return;
    const { before, after } = handOut;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    handOut.isOut = false;
    handOut.before = undefined;
    handOut.after = undefined;
    this.#size--;
  }

  #armFor(at: number): void {
    if (at >= this.#timerAt) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    const ms = Math.max(0, at - this.#parts.clock.now());
    this.#timer = this.#parts.clock.schedule(() => this.#expire(), ms, { keepAlive: false });
  }

  #expire(): void {
    this.#timerAt = Infinity;
    const now = this.#parts.clock.now();
    const expired: HandOut[] = [];
    let next = Infinity;
    for (let handOut = this.#first; handOut !== undefined; handOut = handOut.after) {
      if (handOut.isExtended) continue;
      next = handOut.expiresAt;
      if (next > now) break;
      if (!handOut.isMoving) expired.push(handOut);
      next = Infinity;
    }
    for (let first = this.#extended.peek(); first !== undefined; first = this.#extended.peek()) {
      const { at, handOut } = first;
      // It is settled, or was extended once more.
      const isOver = !handOut.isOut || handOut.expiresAt !== at;
      if (!isOver && at > now) break;
      this.#extended.take();
      if (!isOver && !handOut.isMoving) expired.push(handOut);
    }
    for (const handOut of expired) this.end(handOut);
    this.#armFor(Math.min(next, this.#extended.peek()?.at ?? Infinity));
    if (expired.length > 0) this.#parts.onExpired(expired);
  }
}
