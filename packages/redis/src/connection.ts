import { type Clock, NqError, type Timer } from '@nq/core';
import { closedMessage, failureOf, redisError, withoutCommand } from './errors.ts';
import { inquire, type Inquiry } from './inquiry.ts';
import type { MakeClient } from './open-client.ts';
import type { Cluster, Redis } from 'ioredis';
import type { RedisClient } from './script.ts';

/** How long a connection that no time mends is waited for all the same, in milliseconds. */
const refusalMs = 5;
/** After how long a client that has given up is replaced, in milliseconds. */
const renewMs = 200;

/** How long a server may take from the connection to its last word about itself, in milliseconds: as long as to connect. */
const greetingMs = 10_000;
/** The same of a cluster, which asks one of its nodes, by chance: when that one stands still, another may not. */
const clusterGreetingMs = 3000;

/**
 * A connection to Redis that is ours: it comes back by itself when it was lost, and is given up for a new one when it does
 * not answer, although nothing says that it is lost.
 */
export class Connection {
  readonly #make: () => RedisClient;
  readonly #clock: Clock;
  #client: RedisClient;
  /** What the client said last of why there is no connection. */
  #trouble: unknown;
  /** The search for why there is no connection. */
  #inquiry: Inquiry | undefined;
  /** Who waits until commands can be sent. */
  readonly #waiting = new Set<() => void>();
  /** By client, while there may be answers: how to tell who waits for one that none will come. */
  readonly #unanswered = new Map<RedisClient, Set<(reason: Error) => void>>();
  #losses = 0;
  #wasReady = false;
  #closed = false;

  /** Connects in the background. @param name is shown by CLIENT LIST. */
  constructor(make: MakeClient, name: string, clock: Clock) {
    this.#make = () => make(name);
    this.#clock = clock;
    this.#client = this.#connect();
  }

  /**
   * The client, once commands can be sent; at once if they can be.
   *
   * @throws {NqError} the reason if they cannot be sent within `limitMs`: nothing was sent.
   */
  async ready(limitMs: number, verb: string): Promise<RedisClient> {
    if (!this.#isReady) await this.#untilReady(limitMs);
    if (this.#closed) throw new NqError('NQ_CLOSED', `Cannot ${verb}: the queue is closed`);
    if (this.#isReady) return this.#client;
    // It says that it is ready, and has no way to send anything.
    if (this.#client.status === 'ready') this.replace();
    throw this.#refusal(verb);
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /**
   * What `answer` resolves, for which `client` was asked. Rejects as soon as the client is given up or has ended: ioredis
   * itself forgets then what it would have sent again, and nobody is told (ioredis #2193).
   */
  answerOf<Answer>(client: RedisClient, answer: Promise<Answer>): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const unanswered = this.#unanswered.get(client);
      if (unanswered === undefined) reject(new Error(closedMessage));
      unanswered?.add(reject);
      void answer.then(resolve, reject).finally(() => unanswered?.delete(reject));
    });
  }

  /**
   * How often a connection was lost. What was under way then, the client sends again by itself, and its answer says nothing
   * of what came of it the first time.
   */
  get losses(): number {
    return this.#losses;
  }

  /** Gives up a connection that does not answer: what is under way there rejects, although it may have been done. */
  replace(): void {
    if (this.#closed) return;
    this.#inquiry?.stop();
    const stuck = this.#client;
    this.#client = this.#connect();
    // A client that is told so while it reconnects stays there for ever (BullMQ #4585), with all that it was asked.
    stuck.disconnect();
    this.#end(stuck);
  }

  /** Everything under way rejects. */
  close(): void {
    this.#closed = true;
    this.#inquiry?.stop();
    this.#client.disconnect();
    this.#end(this.#client);
    this.#wake();
  }

  get #isReady(): boolean {
    if (this.#client.status !== 'ready') return false;
    // A connection that is being given up, by us or by the server, takes nothing any more.
    return this.#client.isCluster || (this.#client as Redis).stream.writable;
  }

  #connect(): RedisClient {
    const client = this.#make();
    this.#unanswered.set(client, new Set());
    const isOurs = (): boolean => client === this.#client && !this.#closed;
    const note = (error: unknown): void => {
      if (!isOurs()) return;
      // That the connection was lost as well tells less than why.
      if (tells(error) || !tells(this.#trouble)) this.#trouble = error;
      // What no time mends is told at once.
      if (failureOf(error)?.code === 'NQ_CONFIG') this.#wake();
    };
    client.on('error', (error: unknown) => {
      note(error);
      if (!isOurs()) return;
      // It would go on in database 0, and send again there what has no answer.
      if (isOfSelect(error)) client.disconnect();
      if (!tells(this.#trouble)) this.#inquire(client, note);
    });
    // One of many tells nothing of the others: while ioredis connects it goes on to the next one, and when there is a
    // connection it has others.
    client.on('node error', (error: unknown) => {
      if (!isOurs() || client.status === 'connecting' || client.status === 'ready') return;
      if (failureOf(error)?.code === 'NQ_CONFIG') this.#inquire(client, note);
      else note(error);
    });
    // ioredis waits for ever for a server that has accepted the connection, and says nothing.
    let greeting: Timer | undefined;
    client.on('connect', () => {
      if (!isOurs()) return;
      const giveUp = (): void => {
        if (isOurs()) this.replace();
      };
      const limitMs = client.isCluster ? clusterGreetingMs : greetingMs;
      greeting = this.#clock.schedule(giveUp, limitMs, { keepAlive: false });
    });
    for (const end of ['ready', 'close', 'end']) client.on(end, () => greeting?.cancel());
    // A cluster has a connection to each node.
    client.on(client.isCluster ? '-node' : 'close', () => {
      if (!isOurs()) return;
      this.#losses++;
    });
    // It has given up, whatever its strategy says.
    client.on('end', () => {
      this.#end(client);
      if (!isOurs()) return;
      const renew = (): void => {
        if (isOurs()) this.#client = this.#connect();
      };
      this.#clock.schedule(renew, renewMs, { keepAlive: false });
    });
    client.on('ready', () => {
      if (!isOurs()) return;
      this.#inquiry?.stop();
      this.#trouble = undefined;
      this.#wasReady = true;
      this.#wake();
    });
    // What fails is told by the events.
    client.connect().catch(() => {});
    return client;
  }

  /** One at a time: an outage is no reason for more and more connections. */
  #inquire(client: RedisClient, tell: (reason: unknown) => void): void {
    if (this.#inquiry !== undefined) return;
    const inquiry = inquire(client, tell);
    this.#inquiry = inquiry;
    void inquiry.done.then(() => (this.#inquiry = undefined));
  }

  /** Nothing is answered by `client` any more. */
  #end(client: RedisClient): void {
    const unanswered = this.#unanswered.get(client) ?? [];
    this.#unanswered.delete(client);
    for (const reject of unanswered) reject(new Error(closedMessage));
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  /** Until commands can be sent, no time will mend that they cannot, the queue is closed, or `limitMs` are over. */
  async #untilReady(limitMs: number): Promise<void> {
    const deadline = this.#clock.now() + limitMs;
    // What no time mends is told at once; but not so soon that who asks again and again leaves no turn to the connection.
    if (this.#isRefused) return this.#wait(Math.min(limitMs, refusalMs));
    // A connection may be lost again before anybody who waits for it has a turn.
    for (let leftMs = limitMs; leftMs > 0 && !this.#isReady; leftMs = deadline - this.#clock.now()) {
      await this.#wait(leftMs);
      if (this.#closed || this.#isRefused) return;
    }
  }

  get #isRefused(): boolean {
    return failureOf(this.#trouble)?.code === 'NQ_CONFIG';
  }

  /** Until something is told, or `waitMs` are over. */
  #wait(waitMs: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        this.#waiting.delete(end);
        resolve();
      };
      const timer: Timer = this.#clock.schedule(end, waitMs);
      this.#waiting.add(end);
    });
  }

  #refusal(verb: string): NqError {
    if (!tells(this.#trouble)) {
      const options = this.#trouble === undefined ? {} : { cause: withoutCommand(this.#trouble) };
      // A server that speaks no TLS waits, as we do.
      const hint = !this.#wasReady && speaksTls(this.#client) ? ' over TLS: it may speak none at that port' : '';
      return new NqError('NQ_UNAVAILABLE', `Cannot ${verb}: there is no connection to Redis${hint}`, options);
    }
    // Nothing was sent, whatever has become of requests before.
    return redisError({ verb, changes: false }, this.#trouble);
  }
}

function speaksTls(client: RedisClient): boolean {
  return (client.isCluster ? (client as Cluster).options.redisOptions : (client as Redis).options)?.tls !== undefined;
}

/** Whether it is the database that was refused. */
function isOfSelect(error: unknown): boolean {
  const { name, command } = error as { readonly name?: unknown; readonly command?: { readonly name?: unknown } };
  return name === 'ReplyError' && command?.name === 'select';
}

/** Whether `trouble` says why there is no connection. */
function tells(trouble: unknown): boolean {
  const failure = failureOf(trouble);
  return failure !== undefined && failure.code !== 'NQ_OUTCOME_UNKNOWN';
}
