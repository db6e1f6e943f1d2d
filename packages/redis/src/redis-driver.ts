import { randomBytes } from 'node:crypto';
import {
  type Capabilities,
  type Clock,
  type DeadLetters,
  type LeasedEvent,
  NqError,
  type NqErrorCode,
  type QueueDriver,
  type QueueEvent,
  type QueueSize,
  type ReturnedLease,
  type RewindPosition,
  type Timer,
} from '@nq/core';
import { Heap, within } from '@nq/core/parts';
import { Alarm } from './alarm.ts';
import type { Connection } from './connection.ts';
import { type ClaimedElement, unseen } from './consumer-request.ts';
import { ConsumerLine } from './consumer-line.ts';
import { letterHead, RedisDeadLetters } from './dead-letters.ts';
import { decodeElement, encodeElement, pushTimeOf } from './element.ts';
import { memoryKinds } from './keys.ts';
import type { Layout } from './layout.ts';
import { Producer } from './producer.ts';
import type { Receipt } from './receipt.ts';
import type { ResolvedRedisOptions } from './redis-options.ts';
import { read, request } from './request.ts';
import { memoryMs } from './request-memory.ts';
import { runScript } from './script.ts';
import { Turns } from './turns.ts';

/** Long delays that are over within so long are given back together, in milliseconds, if nobody takes them before. */
const longDelaysMs = 1000;
/** How much longer than asked for somebody may block and not look, in milliseconds: Redis looks ten times a second by default. */
const lateMs = 300;

/** How long a server that does not answer is waited for when the queue is closed, in milliseconds. */
const leaveMs = 500;

/** What a driver is made of. */
export interface DriverParts {
  readonly options: ResolvedRedisOptions;
  readonly capabilities: Capabilities;
  readonly layout: Layout;
  /** For everything that does not block. */
  readonly connection: Connection;
  /** Opens a connection that may be blocked. */
  readonly connect: () => Connection;
  readonly clock: Clock;
}

/**
 * A queue in Redis, on a list or on a stream, as its {@link Layout} says. Each method is one script, which Redis runs in
 * one step; for many events, a pop reads what its script has handed out.
 */
export class RedisDriver implements QueueDriver<string> {
  readonly capabilities: Capabilities;
  readonly capacity: number;
  readonly deadLetters: DeadLetters;
  readonly #parts: DriverParts;
  readonly #id = randomBytes(9).toString('hex');
  readonly #producer: Producer;
  /** That of the producer: WAIT would keep everybody else waiting. */
  readonly #pushConnection: Connection;
  readonly #consumer: ConsumerLine;
  readonly #alarm: Alarm;
  #rewinds = 0;
  readonly #turnsOfRewinds = new Turns();
  /** When delays of ours are over, in the time of the clock, and the same in order. */
  readonly #delayEnds = new Set<number>();
  readonly #delayEndsInOrder = new Heap<number>((a, b) => a - b);
  /** The first of them, and who tells Redis then. */
  #due: { readonly at: number; readonly timer: Timer } | undefined;

  constructor(parts: DriverParts) {
    const { options, capabilities, layout, connection, connect, clock } = parts;
    const { keys, push, consume } = layout;
    this.#parts = parts;
    this.capabilities = capabilities;
    this.capacity = options.capacity;
    this.#pushConnection = options.durability === undefined ? connection : connect();
    const producerParts = { ...parts, connection: this.#pushConnection };
    this.#producer = new Producer(producerParts, { ...push, keys: [keys.memory('push', this.#id), ...push.keys] });
    this.#consumer = new ConsumerLine(
      connection,
      {
        consumer: this.#id,
        script: consume.script,
        keys: consume.keys(keys.memory('consume', this.#id)),
        held: keys.held,
        elementOf: layout.elementOf,
        leaseMs: options.leaseMs,
        requestTimeoutMs: options.requestTimeoutMs,
      },
      clock,
    );
    this.#alarm = new Alarm(connect, layout, clock, () => void this.#unstage().catch(() => {}));
    this.deadLetters = new RedisDeadLetters(parts, this.#id);
  }

  encode(event: QueueEvent): string {
    return encodeElement(event, this.#parts.clock.date(), this.capabilities.maxPayloadBytes);
  }

  push(elements: readonly string[]): Promise<number> {
    return this.#producer.push(elements);
  }

  async pop(max: number, waitMs: number, signal: AbortSignal): Promise<readonly LeasedEvent[]> {
    const { clock } = this.#parts;
    const deadline = clock.now() + waitMs;
    // A claim that is sent later takes for nobody, and until all of it is back the queue seems to have room for as much.
    while (!signal.aborted) {
      const claimed = await this.#consumer.claim(max, signal);
      if (claimed === undefined) break;
      this.#alarm.heard();
      const leases = this.#read(claimed.elements);
      const leftMs = deadline - clock.now();
      // What was no event has made room for what is behind it.
      const mayBeMore = claimed.elements.length > 0;
      if (leases.length > 0 || (leftMs <= 0 && !mayBeMore)) return leases;
      if (mayBeMore) continue;
      await this.#alarm.wait(claimed.nextMs < 0 ? leftMs : Math.min(leftMs, claimed.nextMs + 1), signal);
    }
    // What has woken us may stand there still: a claim that waits behind another request is not sent any more.
    this.#alarm.leave();
    return [];
  }

  /** The leases of what is an event. The rest becomes dead letters. */
  #read(elements: readonly ClaimedElement[]): readonly LeasedEvent[] {
    const { options, layout, clock } = this.#parts;
    const now = clock.date();
    const leases: LeasedEvent[] = [];
    for (const { receipt, bytes } of elements) {
      const element = decodeElement(bytes, options.foreign);
      const attempt = element.handOuts + 1;
      if ('flaw' in element) {
        const letter = letterHead(receipt.name, attempt, element.flaw + layout.hint, now);
        void this.#consumer.giveBack([{ receipt, delayMs: 0, letter }]).catch(() => {});
        continue;
      }
      const { event, pushedAt } = element;
      receipt.told = { id: event.id, attempt };
      if (pushedAt === undefined) leases.push({ receipt, event, attempt });
      else leases.push({ receipt, event, attempt, waitedMs: Math.max(0, now - pushedAt) });
    }
    return leases;
  }

  ack(receipts: readonly unknown[]): Promise<readonly boolean[]> {
    return this.#consumer.ack(receipts as readonly Receipt[]);
  }

  async nack(returns: readonly ReturnedLease[]): Promise<readonly boolean[]> {
    const { clock } = this.#parts;
    const back = returns.map(({ receipt, delayMs, reason, deadLetter, unused }) => {
      const { told } = receipt as Receipt;
      const letter = deadLetter ? letterHead(told?.id ?? '', told?.attempt ?? 0, reason, clock.date()) : '';
      return { receipt: receipt as Receipt, delayMs: unused ? unseen : Math.ceil(delayMs), letter };
    });
    const answers = await this.#consumer.giveBack(back);
    const delays = back.flatMap(({ delayMs, letter }) => (delayMs > 0 && letter === '' ? delayMs : []));
    for (const delayMs of new Set(delays)) this.#tendIn(delayMs);
    if (delays.length < back.length) this.#alarm.stir();
    return answers;
  }

  extend(receipts: readonly unknown[], ms: number): Promise<readonly boolean[]> {
    return this.#consumer.renew(receipts as readonly Receipt[], Math.ceil(ms));
  }

  async size(): Promise<QueueSize> {
    const { script, keys } = this.#parts.layout.size;
    const answer = await read(this.#parts, 'count', (client) => runScript(client, script, keys, []));
    const [readyCount, inFlight, delayedCount, exact, now, oldest] = answer as [
      number,
      number,
      number,
      number,
      number,
      Buffer,
    ];
    const pushedAt = pushTimeOf(oldest.toString('latin1'));
    return {
      ready: readyCount,
      inFlight,
      delayed: delayedCount,
      oldestAgeMs: readyCount === 0 || pushedAt === undefined ? 0 : Math.max(0, now - pushedAt),
      exact: exact === 1,
    };
  }

  async rewind(position: RewindPosition): Promise<void> {
    const { rewind, keys } = this.#parts.layout;
    if (rewind === undefined) throw new NqError('NQ_UNSUPPORTED', 'Cannot rewind: a list keeps nothing that was taken');
    const names = [keys.memory('rewind', this.#id), ...rewind.keys];
    const id = readPosition(position);
    await this.#turnsOfRewinds.take(() => {
      const args = [++this.#rewinds, memoryMs, ...id];
      return request(this.#parts, 'rewind', (client) => runScript(client, rewind.script, names, args));
    });
    this.#alarm.stir();
  }

  /** What the methods above throw is named already. */
  classify(): NqErrorCode {
    return 'NQ_BACKEND';
  }

  async close(): Promise<void> {
    const { connection, clock } = this.#parts;
    const mayBeStaged = this.#alarm.isSet;
    this.#due?.timer.cancel();
    this.#alarm.close();
    try {
      if (connection.isReady) await within(this.#leave(mayBeStaged), leaveMs, undefined, clock);
    } finally {
      this.#consumer.close();
      this.#pushConnection.close();
      connection.close();
    }
  }

  async #leave(mayBeStaged: boolean): Promise<void> {
    const { keys } = this.#parts.layout;
    // What a claim brings for which nobody waits any more goes back, or it would be away until its lease ends.
    await this.#consumer.idle();
    if (mayBeStaged) await this.#unstage();
    const memories = memoryKinds.map((kind) => keys.memory(kind, this.#id));
    await request(this.#parts, 'close', (client) => client.del(...memories));
  }

  /** Puts what woke us, and nobody took, back to where it wakes somebody else. */
  async #unstage(): Promise<void> {
    const { unstage } = this.#parts.layout;
    if (unstage !== undefined) await request(this.#parts, 'pop', unstage);
  }

  /** Has Redis give back what is over in `ms`: those who wait elsewhere do not know of a delay that began meanwhile. */
  #tendIn(ms: number): void {
    const { clock, layout } = this.#parts;
    const end = clock.now() + ms;
    // Before a long delay is over they have looked. It may be told later, together with others, however many there are.
    const isLong = ms > layout.longestBlockMs + lateMs;
    const at = isLong ? Math.ceil(end / longDelaysMs) * longDelaysMs : end;
    if (this.#delayEnds.has(at)) return;
    this.#delayEnds.add(at);
    this.#delayEndsInOrder.add(at);
    this.#awaitDelay();
  }

  #awaitDelay(): void {
    const { clock } = this.#parts;
    const at = this.#delayEndsInOrder.peek();
    if (at === undefined || (this.#due !== undefined && this.#due.at <= at)) return;
    this.#due?.timer.cancel();
    const tend = (): void => {
      this.#due = undefined;
      const now = clock.now();
      while ((this.#delayEndsInOrder.peek() ?? Infinity) <= now) {
        this.#delayEnds.delete(this.#delayEndsInOrder.take() as number);
      }
      this.#consumer.tend();
      this.#alarm.stir();
      this.#awaitDelay();
    };
    this.#due = { at, timer: clock.schedule(tend, at - clock.now() + 1, { keepAlive: false }) };
  }
}

/** The two numbers of the id of an entry. @throws {RangeError} if it is none. */
function readPosition(position: RewindPosition): readonly [string, string] {
  if ('time' in position) return [String(Math.max(0, Math.floor(position.time))), '0'];
  const [, ms, sequence = '0'] = /^(\d{1,15})(?:-(\d{1,15}))?$/.exec(position.position) ?? [];
  if (ms !== undefined) return [ms, sequence];
  throw new RangeError(
    'Cannot rewind: position must be the id of an entry, such as "1700000000000-0", with 15 digits at the most on either side',
  );
}
