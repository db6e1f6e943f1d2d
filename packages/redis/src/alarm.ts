import type { Clock, Timer } from '@nq/core';
import type { Connection } from './connection.ts';
import type { QueueKeys } from './keys.ts';

/** The longest that Redis is asked to block, in milliseconds: after so long a link that is dead is noticed. */
const longestBlockMs = 2000;
/** How much later than asked for the answer may come, in milliseconds, before the connection is given up. */
const answerMs = 1000;
/** Less than this is waited for without Redis, in milliseconds. */
const shortestBlockMs = 5;
/** How long is waited where Redis does not let us block: out of memory, or while there is no connection, in milliseconds. */
const pauseMs = 50;

/**
 * Wakes a consumer that waits when something is pushed, by whomever. BLMOVE does it: it moves an element to where the next
 * claim, of whichever consumer, takes it first. So one consumer is woken for one event, and what is moved while a link
 * breaks is not lost, as it would be with BRPOP. The answer itself does not matter.
 */
export class Alarm {
  readonly #connect: () => Connection;
  readonly #keys: QueueKeys;
  readonly #clock: Clock;
  /** Opened when somebody waits for the first time. */
  #connection: Connection | undefined;
  /** A BLMOVE under way, until it has its answer or is given up. It outlives who waits for it. */
  #ringing: Promise<void> | undefined;
  /** Whether somebody waits. */
  #waits = false;
  readonly #onUnheard: () => void;

  /** @param onUnheard is called when something was moved and nobody waits for it any more. */
  constructor(connect: () => Connection, keys: QueueKeys, clock: Clock, onUnheard: () => void) {
    this.#connect = connect;
    this.#keys = keys;
    this.#clock = clock;
    this.#onUnheard = onUnheard;
  }

  /** Whether Redis may be about to move an element for us. */
  get isSet(): boolean {
    return this.#ringing !== undefined;
  }

  /** Resolves when something was pushed, perhaps sooner, and after `ms` or when `signal` aborts at the latest. */
  wait(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        signal.removeEventListener('abort', end);
        this.#waits = false;
        resolve();
      };
      const timer: Timer = this.#clock.schedule(end, ms);
      signal.addEventListener('abort', end);
      this.#waits = true;
      if (ms < shortestBlockMs) return;
      this.#ringing ??= this.#ring(Math.min(ms, longestBlockMs));
      void this.#ringing.then(end);
    });
  }

  close(): void {
    this.#connection?.close();
  }

  /** Never rejects. */
  async #ring(ms: number): Promise<void> {
    this.#connection ??= this.#connect();
    const connection = this.#connection;
    let moved: string | null = null;
    const watchdog = this.#clock.schedule(() => {
      if (connection.isReady) connection.replace();
    }, ms + answerMs);
    try {
      const client = await connection.ready(ms, 'pop');
      moved = await client.blmove(this.#keys.ready, this.#keys.staged, 'RIGHT', 'LEFT', ms / 1000);
    } catch {
      await new Promise<void>((resolve) => {
        this.#clock.schedule(resolve, pauseMs * (1 + this.#clock.random()));
      });
    } finally {
      watchdog.cancel();
    }
    this.#ringing = undefined;
    if (moved !== null && !this.#waits) this.#onUnheard();
  }
}
