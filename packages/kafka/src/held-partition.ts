import type { IncomingRecord } from './kafka-driver.ts';
import { KeyChains, type Link } from './key-chains.ts';
import { PartitionTracker, type Run } from './partition-tracker.ts';

/** A record that is here and not done. */
export interface HeldRecord extends Link<HeldRecord> {
  readonly partition: HeldPartition;
  readonly record: IncomingRecord;
  /** Those of one chain are handed out one after the other; `undefined` for one that keeps no order. */
  readonly chain: string | undefined;
  readonly bytes: number;
  /** How often it was handed out. */
  attempts: number;
  /** The one that is under way. */
  handOut: HandOut | undefined;
}

/** One handing-out of a record: what the driver calls a receipt. */
export class HandOut {
  readonly held: HeldRecord;
  /** In the time of the clock. */
  expiresAt: number;
  /** The version of the partition in which it is done; `undefined` as long as it is not. */
  doneIn: number | undefined;

  constructor(held: HeldRecord, expiresAt: number) {
    this.held = held;
    this.expiresAt = expiresAt;
  }
}

/** By what records of a partition keep their order. */
export type Order = 'key' | 'partition' | 'none';

/** A partition that is ours, until it is given to somebody else. */
export class HeldPartition {
  readonly partition: number;
  readonly tracker: PartitionTracker;
  readonly #order: Order;
  readonly #chains = new KeyChains<HeldRecord>();
  /** How many records are here and not done, and how large they are together. */
  held = 0;
  bytes = 0;
  /** Whether it is still ours. */
  isOurs = true;
  isPaused = false;
  /** Counts what was done; and up to where that is committed, or may be. */
  version = 0;
  committed = 0;
  unsure = 0;

  constructor(partition: number, order: Order, position: number, doneBefore: readonly Run[]) {
    this.partition = partition;
    this.#order = order;
    this.tracker = new PartitionTracker(position, doneBefore);
  }

  /** Takes a record over. @returns what can be handed out; `undefined` if it has to wait for its turn, or was here before. */
  add(record: IncomingRecord): HeldRecord | undefined {
    if (!this.tracker.receive(record.offset)) return undefined;
    const { key, value } = record;
    const held: HeldRecord = {
      partition: this,
      record,
      chain: this.#chainOf(key),
      bytes: (key?.length ?? 0) + (value?.length ?? 0),
      attempts: 0,
      handOut: undefined,
      following: undefined,
    };
    this.held++;
    this.bytes += held.bytes;
    return held.chain === undefined || this.#chains.add(held.chain, held) ? held : undefined;
  }

  /** Notes that a record is done. @returns what can be handed out now. */
  complete(held: HeldRecord): HeldRecord | undefined {
    this.tracker.complete(held.record.offset);
    this.held--;
    this.bytes -= held.bytes;
    this.version++;
    return held.chain === undefined ? undefined : this.#chains.remove(held.chain, held);
  }

  #chainOf(key: Buffer | null): string | undefined {
    if (this.#order === 'none') return undefined;
    if (this.#order === 'partition') return '';
    // Not as UTF-8: keys that are none would become one.
    return key?.toString('latin1');
  }
}
