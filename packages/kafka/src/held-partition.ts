import { PassingMap } from '@nq/core/parts';
import { FetchedRecord } from './fetched-record.ts';
import type { IncomingRecord } from './kafka-driver.ts';
import { KeyChains, type Link } from './key-chains.ts';
import type { NotedRecord, PartitionNote } from './partition-note.ts';
import { PartitionTracker } from './partition-tracker.ts';
import type { Parked } from './retry-topic.ts';

/** A record that is here and not done. Of a class, as what waits: see `eventOf` in core. */
export class HeldRecord implements Link<HeldRecord> {
  readonly partition: HeldPartition;
  /** In the memory of what was sent with it, until it has a delay. */
  record: IncomingRecord;
  /** Where it was at first, as `topic/partition/offset`; `undefined` if that is where it is. */
  readonly origin: string | undefined;
  /** Those of one chain are handed out one after the other; `undefined` for one that keeps no order. */
  readonly chain: string | undefined;
  /** How often it was handed out. */
  attempts: number;
  /** Until when nobody gets it, in the time of the clock; `undefined` if it has no delay. */
  until: number | undefined;
  /** The one that is under way. */
  handOut: HandOut | undefined = undefined;
  following: HeldRecord | undefined = undefined;

  constructor(
    partition: HeldPartition,
    record: IncomingRecord,
    chain: string | undefined,
    known: { readonly origin: string | undefined; readonly attempts: number; readonly until: number | undefined },
  ) {
    this.partition = partition;
    this.record = record;
    this.chain = chain;
    this.origin = known.origin;
    this.attempts = known.attempts;
    this.until = known.until;
  }
}

/** Where a record was at first, as `topic/partition/offset`. */
export function originOf({ origin, partition: { topic, partition }, record }: HeldRecord): string {
  return origin ?? `${topic}/${partition}/${record.offset}`;
}

/** One handing-out of a record: what the queue calls a receipt. */
export class HandOut {
  readonly held: HeldRecord;
  /** In the time of the clock. */
  expiresAt: number;
  /** The version of the partition in which it is done; `undefined` as long as it is not. */
  doneIn: number | undefined;
  /** Whether it is under way: neither settled nor lost. Of {@link HandedOut} alone, as its neighbours in time are. */
  isOut = false;
  before: HandOut | undefined;
  after: HandOut | undefined;
  /** Whether its lease was made to end at another time. */
  isExtended = false;
  /** Whether it is being given back. */
  isReturning = false;
  /** Whether it is on its way to another topic: as long as it is, its lease does not end. */
  isMoving = false;
  /** Whether it is there. */
  isMoved = false;
  /** Ends when it was given back or put elsewhere, with whether it was; `undefined` if nothing of that is under way. */
  settling: Promise<boolean> | undefined;

  constructor(held: HeldRecord, expiresAt: number) {
    this.held = held;
    this.expiresAt = expiresAt;
  }
}

/** By what records of a partition keep their order. */
export type Order = 'key' | 'partition' | 'none';

/** A partition, and where it is gone on with. */
export interface HeldPartitionParts {
  readonly topic: string;
  readonly partition: number;
  readonly order: Order;
  /** The first offset that is not done, and what is known of those behind it. */
  readonly position: number;
  readonly note: PartitionNote;
}

/** A partition that is ours, until it is given to somebody else. */
export class HeldPartition {
  readonly topic: string;
  readonly partition: number;
  readonly tracker: PartitionTracker;
  readonly #order: Order;
  readonly #chains = new KeyChains<HeldRecord>();
  /** What whoever had the partition before has left to say of records that are still to come. */
  readonly #noted: Map<number, NotedRecord>;
  /** What was handed out, by us or before, and is not done. */
  readonly #begun = new PassingMap<number, HeldRecord>();
  /** How many records are here and not done, and how large they are together. */
  held = 0;
  bytes = 0;
  /** Whether it is still ours. */
  isOurs = true;
  isPaused = false;
  /** When everything was read that there was, in the time of the clock: what comes then was written since. */
  readAllAt = -Infinity;
  /** Counts what has changed; up to where somebody waits for the commit; and up to where it is committed, or may be. */
  version = 0;
  awaited = 0;
  committed = 0;
  unsure = 0;

  constructor({ topic, partition, order, position, note }: HeldPartitionParts) {
    this.topic = topic;
    this.partition = partition;
    this.#order = order;
    this.tracker = new PartitionTracker(position, note.done);
    this.#noted = new Map(note.records.map((record) => [record.offset, record]));
  }

  /**
   * Takes a record over, `now` by the clock, of which `parked` is known if nothing was committed of it.
   *
   * @returns what can be handed out; `undefined` if it has to wait for its turn, or was here before.
   */
  add(record: IncomingRecord, now: number, parked?: Parked): HeldRecord | undefined {
    const { offset } = record;
    if (!this.tracker.receive(offset)) return undefined;
    const noted = this.#noted.get(offset);
    const delayMs = noted === undefined ? parked?.delayMs : typeof noted.state === 'object' ? noted.state.delayMs : 0;
    const held = new HeldRecord(this, record, this.#chainOf(record), {
      origin: parked?.origin,
      attempts: (noted ?? parked)?.attempts ?? 0,
      until: delayMs === undefined || delayMs === 0 ? undefined : now + delayMs,
    });
    if (noted !== undefined) {
      this.#noted.delete(offset);
      this.#begun.set(offset, held);
    }
    this.held++;
    this.bytes += record.bytes;
    return held.chain === undefined || this.#chains.add(held.chain, held) ? held : undefined;
  }

  /** Notes that nothing comes before `offset` that is not here: what was said of it holds no longer. */
  skipTo(offset: number): void {
    this.tracker.skipTo(offset);
    for (const noted of this.#noted.keys()) if (noted < offset) this.#noted.delete(noted);
  }

  /** Notes that a record is handed out. */
  begin(held: HeldRecord, handOut: HandOut): void {
    held.handOut = handOut;
    held.until = undefined;
    held.attempts++;
    this.#begun.set(held.record.offset, held);
    this.version++;
  }

  /** Notes that a record is done. @returns what can be handed out now. */
  complete(held: HeldRecord): HeldRecord | undefined {
    const { offset, bytes } = held.record;
    this.tracker.complete(offset);
    this.#begun.delete(offset);
    this.held--;
    this.bytes -= bytes;
    this.version++;
    return held.chain === undefined ? undefined : this.#chains.remove(held.chain, held);
  }

  /** What whoever has the partition next has to know, `now` by the clock. */
  note(now: number): PartitionNote {
    const begun = Array.from(this.#begun.values(), (held): NotedRecord => {
      return { offset: held.record.offset, attempts: held.attempts, state: stateOf(held, now) };
    });
    const records = [...begun, ...this.#noted.values()].sort((a, b) => a.offset - b.offset);
    return { done: this.tracker.doneBehind(), records };
  }

  /** Whether anything that was handed out is delayed, `now` by the clock. */
  hasDelays(now: number): boolean {
    for (const { until } of this.#begun.values()) if (until !== undefined && until > now) return true;
    return false;
  }

  #chainOf(record: IncomingRecord): string | undefined {
    if (this.#order === 'none') return undefined;
    if (this.#order === 'partition') return '';
    // Not as UTF-8: keys that are none would become one.
    return record instanceof FetchedRecord ? record.keyText() : record.key?.toString('latin1');
  }
}

function stateOf({ handOut, until }: HeldRecord, now: number): NotedRecord['state'] {
  if (handOut !== undefined && !handOut.isReturning) return 'out';
  return until === undefined || until <= now ? 'ready' : { delayMs: until - now };
}
