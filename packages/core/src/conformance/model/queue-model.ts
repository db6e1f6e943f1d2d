import type { Capabilities } from '../../capabilities.ts';
import type { QueueEvent } from '../../event.ts';
import type { Delivery } from '../../queue.ts';

/** An event as the model knows it. */
export interface ModelEvent {
  readonly event: QueueEvent;
  /** Its place in the order of the pushes. */
  readonly number: number;
  /** How often it was handed out. */
  attempts: number;
}

/** A delivery that is not settled. */
export interface HeldEvent {
  readonly of: ModelEvent;
  readonly delivery: Delivery;
}

/** What a queue is, without any cleverness: lists, and the set of answers that each call may have. */
export class QueueModel {
  readonly capabilities: Capabilities;
  readonly capacity: number;
  ready: ModelEvent[] = [];
  readonly held: HeldEvent[] = [];
  #pushed = 0;

  constructor(capabilities: Capabilities, capacity: number) {
    this.capabilities = capabilities;
    this.capacity = capacity;
  }

  get full(): boolean {
    return this.ready.length >= this.capacity;
  }

  push(event: QueueEvent): void {
    this.ready.push({ event, number: this.#pushed++, attempts: 0 });
  }

  /** The events that may come out next. */
  get next(): readonly ModelEvent[] {
    const { order, strictRetry } = this.capabilities;
    const oldestFirst = [...this.ready].sort((a, b) => a.number - b.number);
    if (order === 'none') return oldestFirst;
    const precedes = (a: ModelEvent, b: ModelEvent): boolean =>
      a.number < b.number && (order === 'fifo' || a.event.key === b.event.key);
    // Without strictRetry, an event that came back may come again at any time, and does not hold up the others.
    const ordered = (one: ModelEvent): boolean => strictRetry || one.attempts === 0;
    return oldestFirst.filter(
      (one) => !ordered(one) || !oldestFirst.some((other) => ordered(other) && precedes(other, one)),
    );
  }

  /** Whether one of them must come: those of a key may be kept until what is held of it is settled. */
  get mustCome(): boolean {
    if (this.capabilities.order !== 'key') return this.next.length > 0;
    const isHeld = (key: string | undefined): boolean => this.held.some(({ of }) => of.event.key === key);
    return this.next.some(({ event: { key } }) => key === undefined || !isHeld(key));
  }

  /** Notes that `delivery` has come out. */
  handOut(one: ModelEvent, delivery: Delivery): void {
    one.attempts++;
    this.ready = this.ready.filter((other) => other !== one);
    this.held.push({ of: one, delivery });
  }

  /** Notes that a delivery was settled. */
  settle(held: HeldEvent, returned: boolean): void {
    this.held.splice(this.held.indexOf(held), 1);
    if (returned) this.ready.push(held.of);
  }

  /** Notes that every delivery went back. */
  returnAll(): void {
    for (const held of [...this.held]) this.settle(held, true);
  }
}
