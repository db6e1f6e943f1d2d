import { type Clock, NqError, type Timer } from '@nq/core';
import type { Connection } from './connection.ts';
import { type ClaimAnswer, type Claimed, ConsumerRequest, type ReturnedElement, unseen } from './consumer-request.ts';
import { failureOf, isUnsent, lateError, lostError, redisError } from './errors.ts';
import { inOneWrite } from './one-write.ts';
import type { Receipt } from './receipt.ts';
import { pause } from './request.ts';
import { memoryMs } from './request-memory.ts';
import { mostInAnswer } from './scripts/consume.ts';
import { type RedisClient, runScript, type Script } from './script.ts';

/** What a line needs to know. */
export interface ConsumerLineOptions {
  /** Names this queue object: no other has ever had the same name. */
  readonly consumer: string;
  readonly script: Script;
  /** Those of the script, in its order. */
  readonly keys: readonly string[];
  /** What the keys of lists begin with that are in flight. */
  readonly held: string;
  /** As of a `Layout`. */
  readonly elementOf: (record: Buffer) => Buffer;
  readonly leaseMs: number;
  /** How long a caller waits for an answer, in milliseconds. */
  readonly requestTimeoutMs: number;
}

/** A request as it is sent, as often as it takes. */
interface Question {
  readonly request: ConsumerRequest;
  readonly args: readonly (string | number)[];
  /** How many elements it asks for. */
  readonly max: number;
  /** The number of the first hand-out. */
  readonly first: number;
}

/** What the script answers; the last two if something has failed behind the acknowledgements. */
type ConsumeReply = readonly [Buffer, number, number | Buffer[], Buffer?, number?];

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
        // What nobody waits for any more.
        for (const { receipt } of request.answerClaim(this.#options.consumer, first, answer)) {
          void this.#next.giveBack([{ receipt, delayMs: unseen, letter: '' }], Infinity).catch(() => {});
        }
        // One request gives back so much at most, and more is over.
        if (request.tends && answer.nextMs === 0) this.#next.tends = true;
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
   * Sends a request until there is an answer, or the queue is closed. Who has given up before it leaves is left out. Everybody
   * but the claim has an answer then.
   *
   * @throws what the server has answered.
   */
  async #exchange(request: ConsumerRequest, first: number): Promise<ClaimAnswer> {
    const { consumer, leaseMs, requestTimeoutMs } = this.#options;
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
        const answer = await this.#ask(client, { request, args, max, first });
        // What is answered again does not say whether taking has failed half-way: none of these numbers is used again.
        this.#handOuts += this.#isLost ? max : answer.count;
        return answer;
      } catch (error) {
        this.#askedAt = undefined;
        const code = error instanceof NqError ? error.code : failureOf(error)?.code;
        this.#isLost ||= this.#mayBeDone && (code === 'NQ_OUTCOME_UNKNOWN' || this.#connection.losses !== losses);
        if (isUnsent(error) && !this.#isLost && !this.#closed) {
          this.#mayBeDone = false;
          // Whoever gives up until it leaves after all is left out of it.
          args = undefined;
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

  async #ask(client: RedisClient, { request, args, max, first }: Question): Promise<ClaimAnswer> {
    const { consumer, script, keys, held, elementOf } = this.#options;
    const answerOf = <Answer>(answer: Promise<Answer>): Promise<Answer> => this.#connection.answerOf(client, answer);
    const read = (): Promise<Buffer[]> => answerOf(client.lrangeBuffer(`${held}${consumer}:${first}`, 0, -1));
    const [answer, early] = inOneWrite(client, () => [
      answerOf(runScript(client, script, keys, args)),
      // What has failed is asked again, if anything was taken.
      max > mostInAnswer ? read().catch(() => []) : [],
    ]);
    const [late, nextMs, taken, failure, answered] = (await answer) as ConsumeReply;
    request.answerCalls(late.toString(), answered);
    if (failure !== undefined) throw new Error(failure.toString());
    const count = typeof taken === 'number' ? taken : taken.length;
    let records = typeof taken === 'number' ? await early : taken;
    if (records.length !== count) {
      // It was read before it was taken, for the server did not know the script, or a cluster has sent one of the two
      // elsewhere; or it is gone.
      records = await read().catch((error: unknown) => {
        // What was taken can still be had, unless it is refused for good.
        this.#isLost ||= failureOf(error)?.code !== 'NQ_CONFIG';
        throw error;
      });
    }
    // What is gone had a lease that has ended meanwhile, or a server that lacks it has taken the place of the other.
    return { nextMs, count, elements: records.length === count ? records.map(elementOf) : [] };
  }

  #watchOver(): void {
    if (this.#watch !== undefined || this.#closed) return;
    this.#watch = this.#clock.schedule(() => {
      this.#watch = undefined;
      const now = this.#clock.now();
      this.#sent?.abandon(now, this.#mayBeDone ? unknown : unsent);
      this.#next.abandon(now, unsent);
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

const unsent = (verb: string): NqError =>
  new NqError('NQ_UNAVAILABLE', `Cannot ${verb}: Redis has not answered in time; nothing was sent`);
