import type { LeasedEvent, ReturnedLease } from '@nq/core';
import { within } from '@nq/core/parts';
import type { Changes } from './changes.ts';
import { Committer } from './committer.ts';
import { Confirmations } from './confirmations.ts';
import type { ConsumerParts } from './consumer-parts.ts';
import { DelayRefresh } from './delay-refresh.ts';
import { EventReader } from './event-reader.ts';
import { steer } from './flow.ts';
import { GivenUp } from './given-up.ts';
import { HandedOut } from './handed-out.ts';
import { type HandOut, HeldPartition, type HeldRecord } from './held-partition.ts';
import type { KafkaFailure } from './kafka-failure.ts';
import { type Assignment, type IncomingRecord, type KafkaMember, type MemberListener, noTime } from './kafka-driver.ts';
import { emptyNote, type PartitionNote } from './partition-note.ts';
import type { ParkedReader } from './parked-reader.ts';
import { type PartitionView, type PositionOptions, positionsOf } from './positions.ts';
import { ReadyRecords } from './ready-records.ts';
import { Returns } from './returns.ts';
import { StandingFailure } from './standing-failure.ts';

/** How long deliveries have to be settled before partitions go to others, in parts of the session. */
const drainPart = 1 / 5;

/**
 * What a queue object consumes of a topic: joins the group, takes over what is fetched, hands it out with leases, and commits
 * what is done.
 */
export class KafkaConsumer implements MemberListener {
  readonly #parts: ConsumerParts;
  readonly #committer: Committer;
  readonly #confirmations: Confirmations;
  readonly #returns: Returns;
  readonly #partitions = new Map<number, HeldPartition>();
  #member: KafkaMember | undefined;
  #generation: unknown;
  /** Whether nothing is handed out, for partitions are about to be dealt out anew. */
  #isGated = true;
  readonly #ready: ReadyRecords;
  readonly #out: HandedOut;
  #onLost: (handOut: HandOut) => void = () => {};
  /** Whether it is known where the group goes on in its partitions, or was once. */
  #hasJoined = false;
  /** Whether the topic was deleted since: what is there now is all new. */
  #isRemade = false;
  /** The partitions of which nobody has said yet what is in them. */
  #unread: Set<number> | undefined;
  readonly #delays: DelayRefresh;
  /** The end of a membership that was given up. */
  #left: Promise<void> | undefined;
  #closed = false;
  /** Why there is no membership, until there is one. */
  readonly #failure: StandingFailure;
  readonly #givenUp: GivenUp;
  readonly #changes: Changes;
  readonly #reader: EventReader;

  constructor(parts: ConsumerParts) {
    this.#parts = parts;
    this.#changes = parts.changes;
    this.#reader = new EventReader({ foreign: { key: parts.options.foreignKey } });
    const { topic, openTimeoutMs: patienceMs } = parts.options;
    this.#failure = new StandingFailure({ ...parts, topic, patienceMs });
    this.#givenUp = new GivenUp({ ...parts, topic: parts.options.topic });
    this.#ready = new ReadyRecords(parts.clock, () => this.#changes.tell());
    this.#out = new HandedOut({
      clock: parts.clock,
      leaseMs: parts.options.leaseMs,
      onExpired: (handOuts) => {
        this.#ready.giveBack(handOuts.map(({ held }) => held));
        for (const handOut of handOuts) this.#onLost(handOut);
        parts.onQuiet();
      },
    });
    const commitDelays = (): void => {
      for (const partition of this.#partitions.values()) partition.version++;
      this.#committer.mark();
    };
    this.#delays = new DelayRefresh(parts.clock, () => this.#hasDelays(), commitDelays);
    this.#committer = new Committer({
      clock: parts.clock,
      partitions: () => this.#partitions.values(),
      commit: (offsets) => (this.#member as KafkaMember).commit(this.#generation, offsets),
    });
    this.#confirmations = new Confirmations({ ...parts, committer: this.#committer });
    this.#returns = new Returns({
      ...parts,
      out: this.#out,
      confirmations: this.#confirmations,
      givenUp: this.#givenUp,
      onBack: (held) => {
        this.#ready.giveBack([held]);
        this.#changes.tell();
        this.#delays.look();
      },
      complete: (handOut) => {
        this.#complete(handOut);
        this.#flow();
      },
    });
  }

  /** Calls `listener` with each hand-out that is no longer ours. */
  onLeaseLost(listener: (handOut: unknown) => void): void {
    this.#onLost = listener;
  }

  /** What the partitions that are ours say of themselves: more than was committed of them. */
  notes(): ReadonlyMap<number, PartitionView> {
    // While they are dealt out, whoever commits knows more.
    if (this.#isGated) return new Map();
    return new Map(
      Array.from(this.#partitions, ([number, partition]) => [
        number,
        { offset: partition.tracker.watermark, note: partition.note(this.#parts.clock.now()) },
      ]),
    );
  }

  /** What is consumed, and for whom. */
  get place(): PositionOptions {
    return this.#parts.options;
  }

  /** How many records could be handed out at once. */
  get ready(): number {
    return this.#ready.length;
  }

  /** Whether it is not known yet what is in the partitions, or which of them are ours. */
  get isReading(): boolean {
    return this.#unread === undefined || this.#unread.size > 0;
  }

  /** Why nothing comes, if that does not pass by itself. */
  get failure(): KafkaFailure | undefined {
    return this.#failure.final;
  }

  /** Whether something is handed out. */
  get hasOut(): boolean {
    return this.#out.size > 0;
  }

  get isMember(): boolean {
    return this.#member !== undefined;
  }

  /** Is a member of the group, or about to become one, unless the queue is closed. */
  async join(): Promise<void> {
    await this.#left;
    if (this.#member !== undefined || this.#closed) return;
    const { options, driver } = this.#parts;
    const { topic, group, sessionTimeoutMs, rebalanceTimeoutMs, fetchBytes } = options;
    this.#unread = undefined;
    this.#failure.begin();
    const membership = { topic, group, sessionTimeoutMs, rebalanceTimeoutMs, fetchBytes, claimsAll: false };
    this.#member = driver.join(membership, this);
  }

  /** Hands out what is ready, `max` events at most. */
  take(max: number): readonly LeasedEvent[] {
    const { clock } = this.#parts;
    const date = clock.date();
    const leases: LeasedEvent[] = [];
    while (leases.length < max && !this.#isGated) {
      const held = this.#ready.take();
      if (held === undefined) break;
      const decoded = this.#reader.read(held.record);
      if ('flaw' in decoded) {
        void this.#setAside(held, decoded.flaw);
        continue;
      }
      const handOut = this.#out.begin(held);
      const { event } = decoded;
      const { attempts: attempt, record } = held;
      if (record.time === noTime) leases.push({ receipt: handOut, event, attempt });
      else leases.push({ receipt: handOut, event, attempt, waitedMs: Math.max(0, date - record.time) });
    }
    if (leases.length > 0) this.#committer.mark();
    return leases;
  }

  /** Leaves its partitions to others, until it joins again. */
  leave(): void {
    this.#left = this.#leave();
  }

  ack(handOuts: readonly HandOut[]): Promise<readonly boolean[]> {
    for (const handOut of handOuts) this.#complete(handOut);
    this.#flow();
    return this.#confirmations.ofAcks(handOuts);
  }

  /** As {@link Returns.take}. */
  nack(returns: readonly ReturnedLease[]): Promise<readonly (boolean | Error)[]> {
    return this.#returns.take(returns);
  }

  /** @returns whether it is still handed out. */
  extend(handOut: HandOut, ms: number): boolean {
    if (!this.#out.has(handOut)) return false;
    this.#out.extend(handOut, ms);
    return true;
  }

  /** Gives back what is handed out, commits what is done, and leaves the group. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#delays.close();
    this.#ready.close();
    this.#out.close();
    this.#changes.tell();
    await this.#leave();
    this.#committer.close();
  }

  // --- what the member tells

  async leaving(): Promise<void> {
    this.#isGated = true;
    if (this.#partitions.size === 0) return;
    const { clock, options } = this.#parts;
    const deadline = clock.now() + options.sessionTimeoutMs * drainPart;
    while (this.#out.size > 0 && clock.now() < deadline) await this.#changes.next(deadline - clock.now());
    await this.#flush();
  }

  async joined({ generation, continues, partitions }: Assignment): Promise<ReadonlyMap<number, number>> {
    const { driver, options } = this.#parts;
    for (const [number, partition] of this.#partitions) {
      if (!continues || !partitions.includes(number)) this.#drop(partition);
    }
    this.#generation = generation;
    const added = partitions.filter((partition) => !this.#partitions.has(partition));
    const startFrom = this.#isRemade ? 'earliest' : options.startFrom;
    const { views, starts } = await positionsOf(driver, { ...options, startFrom }, added);
    this.#isRemade = false;
    this.#hasJoined = true;
    if (starts.length > 0) await this.#member?.commit(generation, starts);
    for (const [number, { offset, note, isNew }] of views) {
      const partition = this.#partitionAt(number, offset, note);
      // From where a group begins is settled with its first look, not with its first acknowledgement. Of what waits for
      // long it is told then, too, if it is deleted meanwhile.
      if (isNew && (options.startFrom === 'latest' || this.#parts.parked !== undefined)) {
        partition.version++;
        this.#committer.mark();
      }
      this.#partitions.set(number, partition);
    }
    await this.#parts.parked?.prepare(this.#partitions.values());
    this.#isGated = false;
    this.#failure.note(undefined);
    this.#unread = new Set(partitions);
    for (const partition of this.#partitions.values()) partition.isPaused = false;
    this.#member?.resume([...this.#partitions.keys()]);
    this.#flow();
    this.#committer.changed();
    this.#changes.tell();
    // Who popped may have given up meanwhile, and what was in hand may be lost.
    this.#parts.onQuiet();
    return new Map(Array.from(this.#partitions, ([number, { tracker }]) => [number, tracker.end]));
  }

  received(number: number, records: readonly IncomingRecord[], end: number, isAll: boolean): void {
    const [partition, now] = [this.#partitions.get(number), this.#parts.clock.now()];
    this.#failure.noteReading();
    if (partition === undefined) return;
    const { parked } = this.#parts;
    if (parked !== undefined) this.#receiveParked(partition, records, parked);
    else for (const record of records) this.#ready.add(partition.add(record, now));
    partition.skipTo(end);
    if (isAll) partition.readAllAt = now;
    this.#unread?.delete(number);
    this.#delays.look();
    this.#flow();
    this.#changes.tell();
  }

  lostRecords(number: number, asked: number, position: number): void {
    const { topic, group } = this.#parts.options;
    const partition = this.#partitions.get(number);
    this.#parts.onWarning(
      `Partition ${number} of ${topic} has no offset ${asked} any more: group ${group} goes on at ${position}`,
    );
    if (partition === undefined) return;
    if (position >= asked) return partition.skipTo(position);
    // The log has become shorter than what was read, or is another one: nothing that is known of its offsets holds.
    this.#drop(partition);
    this.#partitions.set(number, this.#partitionAt(number, position, emptyNote));
  }

  #partitionAt(partition: number, position: number, note: PartitionNote): HeldPartition {
    const { topic, order } = this.#parts.options;
    return new HeldPartition({ topic, partition, order, position, note });
  }

  #receiveParked(partition: HeldPartition, records: readonly IncomingRecord[], reader: ParkedReader): void {
    for (const one of records) {
      const read = reader.read(one, partition);
      if (read !== undefined) this.#ready.add(partition.add(read.record, this.#parts.clock.now(), read.parked));
      else {
        // It is for nobody, and what is committed is to be behind it.
        partition.version++;
        this.#committer.mark();
      }
    }
  }

  inHand(): readonly number[] {
    return this.#out.partitions();
  }

  failed(failure: KafkaFailure | undefined): void {
    if (failure?.kind === 'missing' && this.#hasJoined) this.#isRemade = true;
    this.#failure.note(failure);
    this.#changes.tell();
  }

  /** What is no event makes room for what is behind it, once it is among the dead letters. Never rejects. */
  async #setAside(held: HeldRecord, flaw: string): Promise<void> {
    if (!(await this.#givenUp.setAside(held, flaw))) {
      this.#ready.add(held);
      return;
    }
    if (!held.partition.isOurs) return;
    this.#ready.add(held.partition.complete(held));
    this.#flow();
    this.#committer.mark();
  }

  // --- settling

  #complete(handOut: HandOut): void {
    if (!this.#out.has(handOut)) return;
    const { held } = handOut;
    const { partition } = held;
    this.#out.end(handOut);
    if (this.#out.size === 0) this.#changes.tell();
    this.#ready.add(partition.complete(held));
    handOut.doneIn = partition.version;
  }

  // --- the membership

  /** Never rejects. */
  async #leave(): Promise<void> {
    await this.#left;
    const member = this.#member;
    if (member === undefined) return;
    this.#isGated = true;
    await this.#flush();
    await member.close();
    this.#member = undefined;
    for (const partition of this.#partitions.values()) this.#drop(partition);
    this.#committer.changed();
  }

  /** Commits what can be committed without waiting for long: a coordinator may be away. Never rejects. */
  async #flush(): Promise<void> {
    const { clock, options } = this.#parts;
    await within(this.#committer.flush(), options.sessionTimeoutMs * drainPart, undefined, clock);
  }

  // --- partitions

  /** Whether anything is delayed that whoever has its partition next has to be told of. */
  #hasDelays(): boolean {
    if (this.#closed || this.#ready.delayed === 0) return false;
    const now = this.#parts.clock.now();
    return Array.from(this.#partitions.values()).some((partition) => partition.hasDelays(now));
  }

  /** Partitions are not ours any more, and neither is what was handed out of them. */
  #drop(partition: HeldPartition): void {
    partition.isOurs = false;
    this.#partitions.delete(partition.partition);
    this.#ready.forget(partition);
    for (const handOut of this.#out.endAllOf(partition)) this.#onLost(handOut);
  }

  /** Fetches no more than fits, and goes on when half of it is done. */
  #flow(): void {
    const { pausing, resuming } = steer(this.#partitions, this.#parts.options);
    if (pausing.length > 0) this.#member?.pause(pausing);
    if (resuming.length > 0) this.#member?.resume(resuming);
  }
}
