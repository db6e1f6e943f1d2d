import type { Clock } from '@nq/core';
import { Heap } from '@nq/core/parts';
import type { Arrived } from './arrivals.ts';
import type { Stored } from './channel-codec.ts';

/** An event that was handed out and came back. */
export interface ReturnedEvent<Data> {
  readonly stored: Stored<Data>;
  /** How often it was handed out. */
  readonly attempts: number;
  readonly number: number;
  readonly arrived: Arrived;
  /** When it may be handed out again, in the time of the clock. */
  readonly due: number;
}

/**
 * The events that came back: those that are ready, oldest push first, and those that wait for the end of a delay. What
 * is ready here precedes every event that was never handed out, so an event that is given back without a delay keeps its
 * place.
 */
export class ReturnedEvents<Data> {
  readonly #clock: Clock;
  readonly #onReady: () => void;
  readonly #ready = new Heap<ReturnedEvent<Data>>((a, b) => a.number - b.number);
  readonly #delayed = new Heap<ReturnedEvent<Data>>((a, b) => a.due - b.due || a.number - b.number);
  #timer: { readonly due: number; cancel(): void } | undefined;

  /** @param onReady is called when delayed events have become ready. */
  constructor(clock: Clock, onReady: () => void) {
    this.#clock = clock;
    this.#onReady = onReady;
  }

  get readyCount(): number {
    return this.#ready.length;
  }

  get delayedCount(): number {
    return this.#delayed.length;
  }

  /** The oldest ready event, not removed. */
  peek(): ReturnedEvent<Data> | undefined {
    return this.#ready.peek();
  }

  take(): ReturnedEvent<Data> | undefined {
    return this.#ready.take();
  }

  add(event: Omit<ReturnedEvent<Data>, 'due'>, delayMs: number): void {
    if (delayMs <= 0) {
      this.#ready.add({ ...event, due: 0 });
      return;
    }
    this.#delayed.add({ ...event, due: this.#clock.now() + delayMs });
    this.#arm();
  }

  /** Lets go of the timer. What is delayed stays so. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** One timer, for the event that is due first. */
  #arm(): void {
    const first = this.#delayed.peek();
    if (first === undefined || (this.#timer !== undefined && this.#timer.due <= first.due)) return;
    this.#timer?.cancel();
    const timer = this.#clock.schedule(() => this.#release(), first.due - this.#clock.now());
    this.#timer = { due: first.due, cancel: () => timer.cancel() };
  }

  #release(): void {
    this.#timer = undefined;
    const now = this.#clock.now();
    let released = false;
    for (let first = this.#delayed.peek(); first !== undefined && first.due <= now; first = this.#delayed.peek()) {
      this.#ready.add(this.#delayed.take() as ReturnedEvent<Data>);
      released = true;
    }
    this.#arm();
    if (released) this.#onReady();
  }
}
