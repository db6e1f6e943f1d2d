import type { Clock, Timer } from '@nq/core';
import type { Connection } from './connection.ts';
import type { Layout } from './layout.ts';

/** How much later than asked for the answer may come, in milliseconds, before the connection is given up. */
const answerMs = 1000;
/** Less than this is waited for without Redis, in milliseconds. */
const shortestBlockMs = 5;
/** How long is waited where Redis does not let us block: out of memory, or while there is no connection, in milliseconds. */
const pauseMs = 50;

/**
 * Wakes a consumer that waits when something is pushed, by whomever. A command that blocks does it, and moves an event to
 * where the next claim, of whichever consumer, takes it first. So one consumer is woken for one event, and what is moved
 * while a link breaks is not lost. The answer says only whether something was moved.
 */
export class Alarm {
  readonly #connect: () => Connection;
  readonly #layout: Layout;
  readonly #clock: Clock;
  /** Opened when somebody waits for the first time. */
  #connection: Connection | undefined;
  /** A command under way that blocks, until it has its answer or is given up. It outlives who waits for it. */
  #ringing: Promise<void> | undefined;
  /** Ends the wait of whoever waits. */
  #end: (() => void) | undefined;
  readonly #onUnheard: () => void;
  /** Whether something was moved that no claim has had a chance to take since. */
  #hasMoved = false;
  #closed = false;

  /** @param onUnheard is called when something was moved and nobody waits for it any more. */
  constructor(connect: () => Connection, layout: Layout, clock: Clock, onUnheard: () => void) {
    this.#connect = connect;
    this.#layout = layout;
    this.#clock = clock;
    this.#onUnheard = onUnheard;
  }

  /** Whether Redis may have moved an element for us, or be about to. */
  get isSet(): boolean {
    return this.#ringing !== undefined || this.#hasMoved;
  }

  /** A claim was answered: it has taken first what was moved. */
  heard(): void {
    this.#hasMoved = false;
  }

  /** Nobody waits any more, and no claim was answered since the wait: what was moved is for somebody else. */
  leave(): void {
    if (!this.#hasMoved) return;
    this.#hasMoved = false;
    this.#onUnheard();
  }

  /** Resolves when something was pushed, perhaps sooner, and after `ms` or when `signal` aborts at the latest. */
  wait(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', end);
        this.#end = undefined;
        resolve();
      };
      const timer: Timer = this.#clock.schedule(end, ms);
      signal.addEventListener('abort', end);
      this.#end = end;
      if (ms < shortestBlockMs) return;
      this.#ringing ??= this.#ring(Math.min(ms, this.#layout.longestBlockMs));
      void this.#ringing.then(end);
    });
  }

  /** Has whoever waits look now: something became ready that does not wake by itself. */
  stir(): void {
    this.#end?.();
  }

  close(): void {
    this.#closed = true;
    this.#connection?.close();
  }

  /** Never rejects. */
  async #ring(ms: number): Promise<void> {
    this.#connection ??= this.#connect();
    const connection = this.#connection;
    let watchdog: Timer | undefined;
    try {
      const client = await connection.ready(ms, 'pop');
      watchdog = this.#clock.schedule(() => {
        if (connection.isReady) connection.replace();
      }, ms + answerMs);
      const moved = await connection.answerOf(client, this.#layout.wait(client, ms));
      this.#hasMoved ||= moved;
    } catch {
      if (!this.#closed) await this.#pause();
    }
    watchdog?.cancel();
    this.#ringing = undefined;
    if (this.#end === undefined) this.leave();
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.schedule(resolve, pauseMs * (1 + this.#clock.random()));
    });
  }
}
