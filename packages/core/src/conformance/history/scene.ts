import { isDeepStrictEqual } from 'node:util';
import type { QueueEvent } from '../../event.ts';
import type { Delivery } from '../../queue.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import type { Trial } from '../trial.ts';
import {
  type CallOutcome,
  type CallRecord,
  type Caller,
  type HandOut,
  type HistoryRecord,
  HistoryRecorder,
} from './history.ts';

/** Somebody who uses the queue, on a connection. */
export interface Seat extends Caller {
  readonly queue: ObservedQueue<unknown>;
}

/** A delivery that somebody holds. */
export interface Held {
  readonly seat: Seat;
  readonly delivery: Delivery;
  readonly handOut: HandOut;
}

/** What a pop brought: an event, nothing, or a rejection. */
export interface Popped {
  readonly outcome: CallOutcome;
  readonly held: Held | undefined;
}

/** What came of a settlement. */
export interface Settled {
  readonly outcome: CallOutcome;
  /** Whether the delivery is no longer its holder's: there is nothing left to settle. */
  readonly isOver: boolean;
}

/** How the connections are cut. */
export type Cut = 'cut' | 'cutBeforeAnswer';

/** Where a workload takes place: the queues of a trial, and everything that is done with them is written down. */
export class Scene {
  readonly trial: Trial;
  readonly #recorder: HistoryRecorder;
  readonly #connect: () => Promise<ObservedQueue<unknown>>;
  /** The one connection of a queue that has only one. */
  #shared: Promise<ObservedQueue<unknown>> | undefined;
  /** What was pushed, by the names of the events. */
  readonly #pushed = new Map<string, QueueEvent>();
  /** The names of events that are stored and not yet done. */
  readonly #outstanding = new Set<string>();
  /** The names of events that were done before their push had resolved. */
  readonly #early = new Set<string>();
  #connections = 0;
  #handOuts = 0;
  #buried = 0;
  #progressedMs: number;

  /** @param connect makes another connection, if `canReconnect`; it is called once otherwise. */
  constructor(trial: Trial, connect: () => Promise<ObservedQueue<unknown>>, canReconnect: boolean) {
    this.trial = trial;
    this.#recorder = new HistoryRecorder(trial.clock);
    this.#connect = connect;
    if (!canReconnect) this.#shared = connect();
    this.#progressedMs = trial.clock.now();
  }

  /** Whether everybody has a connection of their own, and can have another. */
  get canReconnect(): boolean {
    return this.#shared === undefined;
  }

  get history(): readonly HistoryRecord[] {
    return this.#recorder.history;
  }

  /** Whether every event that was stored is done. */
  get isDone(): boolean {
    return this.#outstanding.size === 0;
  }

  /** Whether it is certain that the event was stored, and not known to be done. */
  isStored({ handOut }: Held): boolean {
    return this.#outstanding.has(handOut.event);
  }

  /** How many events were given up. */
  get buried(): number {
    return this.#buried;
  }

  /** When an event came out, or one was done, for the last time: in milliseconds of the clock. */
  get progressedMs(): number {
    return this.#progressedMs;
  }

  get pushesUnderWay(): number {
    return this.#recorder.underWay('push');
  }

  async seat(by: string): Promise<Seat> {
    if (this.#shared !== undefined) return { by, connection: 0, queue: await this.#shared };
    const connection = this.#connections++;
    return { by, connection, queue: await this.#connect() };
  }

  /** Pushes a new event. */
  async push(seat: Seat, key: string, timeoutMs: number): Promise<CallOutcome> {
    const event = this.trial.event({ key });
    const name = this.trial.journal.nameOf(event.id);
    this.#pushed.set(name, event);
    const { outcome } = await this.#recorder.call(
      caller(seat),
      'push',
      () => seat.queue.push(event, { timeoutMs }),
      (call) => ({ ...call, kind: 'push', event: name, key }),
    );
    // It may be done already: whoever pops it may hear of it first.
    if (outcome === 'ok' && !this.#early.delete(name)) this.#outstanding.add(name);
    return outcome;
  }

  async pop(seat: Seat, timeoutMs: number, signal?: AbortSignal): Promise<Popped> {
    const number = this.#handOuts++;
    const record = (call: CallRecord, delivery: Delivery | undefined): HistoryRecord => {
      const handOut = delivery === undefined ? undefined : this.#handOut(number, delivery);
      return { ...call, kind: 'pop', timeoutMs, handOut };
    };
    const { outcome, result } = await this.#recorder.call<Delivery | undefined>(
      caller(seat),
      'pop',
      () => seat.queue.pop({ timeoutMs, signal }),
      record,
      signal,
    );
    if (result === undefined) return { outcome, held: undefined };
    this.#progressedMs = this.trial.clock.now();
    return { outcome, held: { seat, delivery: result, handOut: this.#handOut(number, result) } };
  }

  /** Settles what is held. `bury` gives the event up. */
  async settle({ seat, delivery, handOut }: Held, kind: 'ack' | 'nack' | 'bury', delayMs = 0): Promise<Settled> {
    const settlements = {
      ack: () => delivery.ack(),
      nack: () => delivery.nack(delayMs > 0 ? { delayMs } : {}),
      bury: () => delivery.nack({ deadLetter: true, reason: 'given up by the workload' }),
    };
    const { number, event } = handOut;
    const { outcome, error } = await this.#recorder.call(caller(seat), kind, settlements[kind], (call) => ({
      ...call,
      kind,
      handOut: number,
      event,
    }));
    if (outcome === 'ok' && kind === 'bury') this.#buried++;
    if (kind !== 'nack' && outcome !== 'refused') {
      this.#progressedMs = this.trial.clock.now();
      if (!this.#outstanding.delete(event)) this.#early.add(event);
    }
    return { outcome, isOver: error === 'NQ_LEASE_LOST' || error === 'NQ_CLOSED' };
  }

  async close(seat: Seat): Promise<void> {
    const end = this.#recorder.begin();
    await seat.queue.close();
    this.#recorder.write({ kind: 'close', connection: seat.connection, ...end() });
  }

  async crash(seat: Seat): Promise<void> {
    const end = this.#recorder.begin();
    await this.trial.crash(seat.queue);
    this.#recorder.write({ kind: 'crash', connection: seat.connection, ...end() });
  }

  /** Does `work` while the connections are cut, and heals them. */
  async whileCut(how: Cut, work: () => Promise<void>): Promise<void> {
    const { faults, journal } = this.trial;
    const end = this.#recorder.begin();
    journal.note(how === 'cut' ? 'the connections are cut' : 'the next request is answered, and its answer is lost');
    await faults[how]();
    await work();
    await faults.heal();
    journal.note('the connections are healed');
    this.#recorder.write({ kind: 'cut', ...end() });
  }

  #handOut(number: number, { event, attempt }: Delivery): HandOut {
    const name = this.trial.journal.nameOf(event.id);
    const pushed = this.#pushed.get(name);
    const intact = pushed !== undefined && this.#isSame(event, pushed);
    return { number, event: name, attempt, intact };
  }

  #isSame(event: QueueEvent, pushed: QueueEvent): boolean {
    if (event.type !== pushed.type || event.key !== pushed.key) return false;
    return isDeepStrictEqual(event.headers, pushed.headers) && this.trial.sameData(event.data, pushed.data);
  }
}

function caller({ by, connection }: Seat): Caller {
  return { by, connection };
}
