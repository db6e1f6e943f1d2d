import { type Clock, NqError, type Timer } from '@nq/core';
import type { Connection } from './connection.ts';
import {
  type Claimed,
  type ConsumerAnswer,
  ConsumerRequest,
  type ReturnedElement,
  unseen,
} from './consumer-request.ts';
import { failureOf, isUnsent, lateError, lostError, redisError } from './errors.ts';
import type { Receipt } from './receipt.ts';
import { pause } from './request.ts';
import { runScript, type Script } from './script.ts';

/** What a line needs to know. */
export interface ConsumerLineOptions {
  /** Names this queue object: no other has ever had the same name. */
  readonly consumer: string;
  readonly script: Script;
  /** Those of the script, in its order. */
  readonly keys: readonly string[];
  readonly leaseMs: number;
  /** How long a caller waits for an answer, in milliseconds. */
  readonly requestTimeoutMs: number;
}

/** How long Redis remembers the last request of a queue object that is silent, in milliseconds: longer than any outage. */
export const memoryMs = 600_000;

/** How often is looked for callers who have waited too long, in parts of how long they wait. */
const watchesPerTimeout = 8;

/**
 * What a queue object asks of Redis as a consumer: one request at a time, with everything that has come together
 * meanwhile. A hundred calls that settle and pop at once become one round trip.
 *
 * A request whose connection is lost is sent again, under the same number, until it has its answer: Redis tells it from a
 * new one. Who asked is told after `requestTimeoutMs` that nobody knows; what the answer brings after all is given back,
 * and what it has settled is remembered.
 */
export class ConsumerLine {
  readonly #connection: Connection;
  readonly #clock: Clock;
  readonly #options: ConsumerLineOptions;
  #next = new ConsumerRequest();
  #sent: ConsumerRequest | undefined;
  /** Ends when the request that is under way, or the next one, has been dealt with; `undefined` if there is neither. */
  #sending: Promise<void> | undefined;
  #requests = 0;
  #handOuts = 0;
  /** Whether the request under way has left. */
  #mayBeDone = false;
  /** Since when there could be an answer to it, in the time of the clock; `undefined` while it is not with a client. */
  #askedAt: number | undefined;
  /** Whether an answer to the request under way may have been lost: then an error says nothing of what was done before. */
  #isLost = false;
  #watch: Timer | undefined;
  #closed = false;

  constructor(connection: Connection, options: ConsumerLineOptions, clock: Clock) {
    this.#connection = connection;
    this.#options = options;
    this.#clock = clock;
  }

  /** Forgets elements. @returns for each whether it was still ours. */
  ack(receipts: readonly Receipt[]): Promise<boolean[]> {
    const answers = this.#next.ack(receipts, this.#deadline());
    this.#schedule();
    return answers;
  }

  /** Gives elements back, or makes dead letters of them. @returns for each whether it was still ours. */
  giveBack(returns: readonly ReturnedElement[]): Promise<boolean[]> {
    const answers = this.#next.giveBack(returns, this.#deadline());
    this.#schedule();
    return answers;
  }

  /** Makes leases end `ms` from now. @returns for each whether it was still ours. */
  renew(receipts: readonly Receipt[], ms: number): Promise<boolean[]> {
    const answers = this.#next.renew(receipts, ms, this.#deadline());
    this.#schedule();
    return answers;
  }

  /**
   * Takes up to `max` elements. What comes after `signal` has aborted, or too late, is given back.
   *
   * @returns `undefined` if the signal aborted before there was an answer.
   * @throws {NqError} if there is no answer within `requestTimeoutMs`.
   */
  claim(max: number, signal: AbortSignal): Promise<Claimed | undefined> {
    const claimed = this.#next.claim(max, this.#deadline(), signal);
    this.#schedule();
    return claimed;
  }

  /** Has Redis give back what is over. */
  tend(): void {
    this.#next.tends = true;
    this.#schedule();
  }

  /** Resolves once everything so far has its answer, and what nobody waits for has been given back. */
  async idle(): Promise<void> {
    while (!this.#closed && this.#sending !== undefined) await this.#sending;
  }

  /** Rejects everything that has no answer. */
  close(): void {
    this.#closed = true;
    this.#watch?.cancel();
    this.#sent?.fail(this.#mayBeDone ? unknown : closed);
    this.#next.fail(closed);
  }

  #deadline(): number {
    return this.#clock.now() + this.#options.requestTimeoutMs;
  }

  /**
   * Has the next request go, with everything that has come by the time `when` calls.
   *
   * @param when by default the next tick: a settlement and the claim that follows it come on two ticks that are in line
   * already, and this one is behind both.
   */
  #schedule(when: (next: () => void) => unknown = process.nextTick): void {
    this.#watchOver();
    if (this.#sending !== undefined || this.#closed) return;
    this.#sending = new Promise((resolve) => when(() => resolve(this.#send())));
  }

  /** Never rejects. */
  async #send(): Promise<void> {
    const request = this.#next;
    this.#next = new ConsumerRequest();
    if (!request.isEmpty) {
      this.#sent = request;
      const first = this.#handOuts + 1;
      try {
        const answer = await this.#exchange(request, first);
        this.#handOuts += answer.elements.length;
        // What nobody waits for any more.
        for (const { receipt } of request.answer(this.#options.consumer, first, answer)) {
          void this.#next.giveBack([{ receipt, delayMs: unseen, letter: '' }], Infinity).catch(() => {});
        }
      } catch (error) {
        const makeError = this.#isLost ? lostError : redisError;
        request.fail((verb) => (error instanceof NqError ? error : makeError({ verb, changes: true }, error)));
      }
    }
    this.#sent = undefined;
    this.#askedAt = undefined;
    this.#sending = undefined;
    // Whoever gets the answer takes some ticks to ask for more: sent before that, settlements and claims would take turns.
    if (!this.#next.isEmpty) this.#schedule(setImmediate);
  }

  /**
   * Sends a request until there is an answer, or the queue is closed. Who has given up before it leaves is left out.
   *
   * @throws what the server has answered.
   */
  async #exchange(request: ConsumerRequest, first: number): Promise<ConsumerAnswer> {
    const { consumer, script, keys, leaseMs, requestTimeoutMs } = this.#options;
    this.#mayBeDone = false;
    this.#isLost = false;
    let max = 0;
    let args: readonly (string | number)[] | undefined;
    for (;;) {
      let losses = this.#connection.losses;
      try {
        const client = await this.#connection.ready(requestTimeoutMs, 'reach the queue');
        if (args === undefined) {
          max = request.max;
          args = [consumer, ++this.#requests, memoryMs, leaseMs, max, first, ...request.toArguments()];
        }
        losses = this.#connection.losses;
        this.#mayBeDone = true;
        this.#askedAt = this.#clock.now();
        const answer = await this.#connection.answerOf(client, runScript(client, script, keys, args));
        const [late, nextMs, elements] = answer as [Buffer, number, (Buffer | null)[]];
        return { late: late.toString(), nextMs, elements };
      } catch (error) {
        this.#askedAt = undefined;
        const code = error instanceof NqError ? error.code : failureOf(error)?.code;
        this.#isLost ||= this.#mayBeDone && (code === 'NQ_OUTCOME_UNKNOWN' || this.#connection.losses !== losses);
        if (isUnsent(error) && !this.#isLost && !this.#closed) {
          this.#mayBeDone = false;
          await pause(this.#clock);
          continue;
        }
        // Only what is answered when it is sent again tells what was done. The server may refuse that for a while.
        const mayTell = error instanceof NqError || code === 'NQ_OUTCOME_UNKNOWN' || code === 'NQ_UNAVAILABLE';
        if (!this.#isLost || !mayTell || this.#closed) {
          // Never to be used again, for something may have been handed out under these numbers all the same.
          this.#handOuts += max;
          throw error;
        }
        // A connection that is refused says so at once.
        await pause(this.#clock);
      }
    }
  }

  #watchOver(): void {
    if (this.#watch !== undefined || this.#closed) return;
    this.#watch = this.#clock.schedule(() => {
      this.#watch = undefined;
      const now = this.#clock.now();
      this.#sent?.abandon(now, this.#mayBeDone ? unknown : unanswered);
      this.#next.abandon(now, unanswered);
      this.#giveUpSilence(now);
      if (this.#sending !== undefined) this.#watchOver();
    }, this.#options.requestTimeoutMs / watchesPerTimeout);
  }

  /**
   * Has the request under way go on another connection when this one does not answer it in time. Whether anybody waits for
   * the answer does not count, for everything that comes later waits for this request.
   */
  #giveUpSilence(now: number): void {
    if (this.#askedAt === undefined) return;
    // It is sent again when there is a connection, and has its time from then on.
    if (!this.#connection.isReady) this.#askedAt = now;
    else if (now - this.#askedAt >= this.#options.requestTimeoutMs) this.#connection.replace();
  }
}

const unknown = (verb: string): NqError => lateError({ verb, changes: true });

const closed = (verb: string): NqError => new NqError('NQ_CLOSED', `Cannot ${verb}: the queue is closed`);

const unanswered = (verb: string): NqError =>
  new NqError('NQ_UNAVAILABLE', `Cannot ${verb}: Redis has not answered in time; nothing was sent`);
