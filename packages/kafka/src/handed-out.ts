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

/** What is handed out, and until when. All leases are equally long, so the first to be handed out is the first to end. */
export class HandedOut {
  readonly #parts: HandedOutParts;
  /** In the order in which they were handed out. */
  readonly #out = new Set<HandOut>();
  /** Those whose lease was made to end at another time, which may be done by now. */
  readonly #extended = new Heap<{ readonly at: number; readonly handOut: HandOut }>((a, b) => a.at - b.at);
  #timer: Timer | undefined;
  #timerAt = Infinity;

  constructor(parts: HandedOutParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#out.size;
  }

  /** Whether it is the hand-out under way of a record that is ours. */
  has(handOut: HandOut): boolean {
    return this.#out.has(handOut);
  }

  /** Hands `held` out. */
  begin(held: HeldRecord): HandOut {
    const handOut = new HandOut(held, this.#parts.clock.now() + this.#parts.leaseMs);
    held.partition.begin(held, handOut);
    this.#out.add(handOut);
    this.#armFor(handOut.expiresAt);
    return handOut;
  }

  /** Ends `handOut`: it is settled, or lost. */
  end(handOut: HandOut): void {
    handOut.held.handOut = undefined;
    this.#out.delete(handOut);
  }

  /** Makes its lease end `ms` from now. */
  extend(handOut: HandOut, ms: number): void {
    handOut.expiresAt = this.#parts.clock.now() + ms;
    handOut.isExtended = true;
    this.#extended.add({ at: handOut.expiresAt, handOut });
    this.#armFor(handOut.expiresAt);
  }

  /** Ends what is handed out of `partition`. @returns it. */
  endAllOf(partition: HeldPartition): readonly HandOut[] {
    const lost = [...this.#out].filter(({ held }) => held.partition === partition);
    for (const handOut of lost) this.end(handOut);
    return lost;
  }

  close(): void {
    this.#timer?.cancel();
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
    for (const handOut of this.#out) {
      if (handOut.isExtended) continue;
      next = handOut.expiresAt;
      if (next > now) break;
      expired.push(handOut);
      next = Infinity;
    }
    for (let first = this.#extended.peek(); first !== undefined; first = this.#extended.peek()) {
      const { at, handOut } = first;
      // It is settled, or was extended once more.
      const isOver = !this.#out.has(handOut) || handOut.expiresAt !== at;
      if (!isOver && at > now) break;
      this.#extended.take();
      if (!isOver) expired.push(handOut);
    }
    for (const handOut of expired) this.end(handOut);
    this.#armFor(Math.min(next, this.#extended.peek()?.at ?? Infinity));
    if (expired.length > 0) this.#parts.onExpired(expired);
  }
}
