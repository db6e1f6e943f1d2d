import type { Clock, LeasedEvent, ReturnedLease, Timer } from '@nq/core';
import { Heap } from '@nq/core/parts';
import { decodeAckMap } from './ack-map.ts';
import { Committer } from './committer.ts';
import { HandOut, HeldPartition, type HeldRecord, type Order } from './held-partition.ts';
import type { Assignment, IncomingRecord, KafkaDriver, KafkaMember, MemberListener } from './kafka-driver.ts';
import { decodeRecord } from './record.ts';

/** What a consumer needs to know. */
export interface ConsumerOptions {
  readonly topic: string;
  readonly group: string;
  readonly order: Order;
  readonly startFrom: 'earliest' | 'latest';
  readonly leaseMs: number;
  /** How many records are fetched ahead. */
  readonly prefetch: number;
  readonly prefetchBytes: number;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly fetchBytes: number;
  readonly requestTimeoutMs: number;
  readonly foreignKey: string | undefined;
}

/** What a consumer is made of. */
export interface ConsumerParts {
  readonly options: ConsumerOptions;
  readonly driver: KafkaDriver;
  readonly clock: Clock;
  readonly onWarning: (warning: string) => void;
}

/** The most offsets between the watermark of a partition and its end: what is done of them fits into what is committed. */
const longestSpan = 20_000;
/** How long deliveries have to be settled before partitions go to others, in parts of the session. */
const drainPart = 1 / 5;

/** When something becomes ready again: a lease that ends, or a delay. */
interface Due {
  readonly at: number;
  readonly held: HeldRecord;
  /** The hand-out whose lease it is; `undefined` for a delay. */
  readonly handOut: HandOut | undefined;
}

/**
 * What a queue object consumes of a topic: joins the group with the first pop, takes over what is fetched, hands it out
 * with leases, and commits what is done.
 */
export class KafkaConsumer implements MemberListener {
  readonly #parts: ConsumerParts;
  readonly #committer: Committer;
  readonly #partitions = new Map<number, HeldPartition>();
  #member: KafkaMember | undefined;
  #generation: unknown;
  /** Whether nothing is handed out, for partitions are about to be dealt out anew. */
  #isGated = true;
  /** What can be handed out, and what came back, which comes first. */
  readonly #ready: HeldRecord[] = [];
  #readyAt = 0;
  readonly #returned: HeldRecord[] = [];
  readonly #out = new Set<HandOut>();
  #delayed = 0;
  readonly #due = new Heap<Due>((a, b) => a.at - b.at);
  #timer: Timer | undefined;
  #onLost: (handOut: HandOut) => void = () => {};
  /** Who waits for something to hand out, or for a settlement. */
  readonly #waiting = new Set<() => void>();
  #failure: unknown;

  constructor(parts: ConsumerParts) {
    this.#parts = parts;
    this.#committer = new Committer({
      clock: parts.clock,
      partitions: () => this.#partitions.values(),
      commit: (offsets) => (this.#member as KafkaMember).commit(this.#generation, offsets),
    });
  }

  /** Calls `listener` with each hand-out that is no longer ours. */
  onLeaseLost(listener: (handOut: unknown) => void): void {
    this.#onLost = listener;
  }

  get counts(): { readonly inFlight: number; readonly delayed: number } {
    return { inFlight: this.#out.size, delayed: this.#delayed };
  }

  async pop(max: number, waitMs: number, signal: AbortSignal): Promise<readonly LeasedEvent[]> {
    const { clock, options, driver } = this.#parts;
    const { topic, group, sessionTimeoutMs, rebalanceTimeoutMs, fetchBytes } = options;
    this.#member ??= driver.join({ topic, group, sessionTimeoutMs, rebalanceTimeoutMs, fetchBytes }, this);
    const deadline = clock.now() + waitMs;
    for (;;) {
      const leases = this.#take(max);
      const leftMs = deadline - clock.now();
      if (leases.length > 0 || leftMs <= 0 || signal.aborted) return leases;
      await this.#change(leftMs, signal);
    }
  }

  async ack(handOuts: readonly HandOut[]): Promise<readonly boolean[]> {
    for (const handOut of handOuts) this.#complete(handOut);
    return Promise.all(handOuts.map((handOut) => this.#confirm(handOut)));
  }

  nack(returns: readonly ReturnedLease[]): readonly boolean[] {
    const now = this.#parts.clock.now();
    const back: HeldRecord[] = [];
    const answers = returns.map(({ receipt, delayMs }) => {
      const handOut = receipt as HandOut;
      const { held } = handOut;
      if (!this.#isOut(handOut)) return false;
      this.#release(handOut);
      if (delayMs > 0) {
        this.#delayed++;
        this.#schedule({ at: now + delayMs, held, handOut: undefined });
      } else back.push(held);
      return true;
    });
    this.#giveBack(back);
    return answers;
  }

  extend(handOuts: readonly HandOut[], ms: number): readonly boolean[] {
    const at = this.#parts.clock.now() + ms;
    return handOuts.map((handOut) => {
      if (!this.#isOut(handOut)) return false;
      handOut.expiresAt = at;
      this.#schedule({ at, held: handOut.held, handOut });
      return true;
    });
  }

  /** Gives back what is handed out, commits what is done, and leaves the group. Never rejects. */
  async close(): Promise<void> {
    this.#isGated = true;
    this.#timer?.cancel();
    if (this.#member !== undefined) {
      await this.#committer.flush().catch(() => {});
      await this.#member.close();
    }
    this.#committer.close();
    this.#wake();
  }

  // --- what the member tells

  async leaving(): Promise<void> {
    this.#isGated = true;
    if (this.#partitions.size === 0) return;
    const { clock, options } = this.#parts;
    const deadline = clock.now() + options.sessionTimeoutMs * drainPart;
    while (this.#out.size > 0 && clock.now() < deadline) await this.#change(deadline - clock.now(), undefined);
    await this.#committer.flush();
  }

  async joined({ generation, continues, partitions }: Assignment): Promise<ReadonlyMap<number, number>> {
    const { driver, options } = this.#parts;
    const { group, topic, order } = options;
    for (const [number, partition] of this.#partitions) {
      if (!continues || !partitions.includes(number)) this.#drop(partition);
    }
    this.#generation = generation;
    const added = partitions.filter((partition) => !this.#partitions.has(partition));
    if (added.length > 0) {
      const committed = new Map((await driver.committed(group, topic, added)).map((one) => [one.partition, one]));
      const starts = committed.size < added.length ? await this.#starts() : new Map<number, number>();
      for (const partition of added) {
        const known = committed.get(partition);
        const position = known?.offset ?? starts.get(partition) ?? 0;
        const held = new HeldPartition(partition, order, position, decodeAckMap(position, known?.metadata));
        // From where a group begins is settled with its first look, not with its first acknowledgement.
        if (known === undefined && options.startFrom === 'latest') held.version++;
        this.#partitions.set(partition, held);
      }
    }
    this.#isGated = false;
    this.#failure = undefined;
    for (const partition of this.#partitions.values()) partition.isPaused = false;
    this.#member?.resume([...this.#partitions.keys()]);
    this.#flow();
    this.#committer.changed();
    this.#wake();
    return new Map(Array.from(this.#partitions, ([number, { tracker }]) => [number, tracker.end]));
  }

  received(number: number, records: readonly IncomingRecord[], end: number): void {
    const partition = this.#partitions.get(number);
    if (partition === undefined) return;
    for (const record of records) {
      const held = partition.add(record);
      if (held !== undefined) this.#ready.push(held);
    }
    partition.tracker.skipTo(end);
    this.#flow();
    this.#wake();
  }

  lostRecords(number: number, position: number): void {
    const { options, onWarning } = this.#parts;
    const partition = this.#partitions.get(number);
    const from = partition?.tracker.end ?? 0;
    onWarning(
      `Partition ${number} of ${options.topic} has no offset ${from} any more: group ${options.group} goes on at ${position}`,
    );
    if (partition !== undefined && position > from) partition.tracker.skipTo(position);
  }

  failed(failure: unknown): void {
    this.#failure = failure;
    this.#wake();
  }

  // --- handing out

  #take(max: number): LeasedEvent[] {
    const leases: LeasedEvent[] = [];
    if (this.#isGated) return leases;
    const { clock, options } = this.#parts;
    const now = clock.now();
    const date = clock.date();
    while (leases.length < max) {
      const held = this.#next();
      if (held === undefined) break;
      const decoded = decodeRecord(held.record, { foreignKey: options.foreignKey });
      if ('flaw' in decoded) {
        this.#setAside(held, decoded.flaw);
        continue;
      }
      const handOut = new HandOut(held, now + options.leaseMs);
      held.handOut = handOut;
      held.attempts++;
      this.#out.add(handOut);
      this.#schedule({ at: handOut.expiresAt, held, handOut });
      const waitedMs = Math.max(0, date - held.record.time);
      leases.push({ receipt: handOut, event: decoded.event, attempt: held.attempts, waitedMs });
    }
    return leases;
  }

  /** What is no event makes room for what is behind it. */
  #setAside(held: HeldRecord, flaw: string): void {
    const { options, onWarning } = this.#parts;
    onWarning(
      `Record ${held.record.offset} of partition ${held.partition.partition} of ${options.topic} is no event: ${flaw}`,
    );
    const following = held.partition.complete(held);
    if (following !== undefined) this.#ready.push(following);
  }

  #next(): HeldRecord | undefined {
    for (;;) {
      const held = this.#returned.shift() ?? this.#nextReady();
      if (held === undefined || held.partition.isOurs) return held;
    }
  }

  #nextReady(): HeldRecord | undefined {
    const held = this.#ready[this.#readyAt];
    if (held === undefined) {
      this.#ready.length = 0;
      this.#readyAt = 0;
      return undefined;
    }
    this.#ready[this.#readyAt++] = undefined as never;
    if (this.#readyAt > 1024 && 2 * this.#readyAt > this.#ready.length) {
      this.#ready.splice(0, this.#readyAt);
      this.#readyAt = 0;
    }
    return held;
  }

  #giveBack(records: readonly HeldRecord[]): void {
    if (records.length === 0) return;
    this.#returned.push(...records.toSorted((a, b) => a.record.offset - b.record.offset));
    this.#wake();
  }

  // --- settling

  #isOut(handOut: HandOut): boolean {
    return handOut.held.handOut === handOut && handOut.held.partition.isOurs;
  }

  #release(handOut: HandOut): void {
    handOut.held.handOut = undefined;
    this.#out.delete(handOut);
    if (this.#out.size === 0) this.#wake();
  }

  #complete(handOut: HandOut): void {
    if (!this.#isOut(handOut)) return;
    const { held } = handOut;
    const { partition } = held;
    this.#release(handOut);
    const following = partition.complete(held);
    handOut.doneIn = partition.version;
    if (following !== undefined) this.#ready.push(following);
    this.#flow();
    if (following !== undefined) this.#wake();
  }

  /** @returns whether it was ours. @throws {Error} if nobody knows. */
  async #confirm(handOut: HandOut): Promise<boolean> {
    const { doneIn, held } = handOut;
    if (doneIn === undefined) return false;
    const answer = await this.#committer.confirm(held.partition, doneIn, this.#parts.options.requestTimeoutMs);
    if (answer === undefined) throw new Error('unconfirmed');
    return answer;
  }

  // --- partitions

  /** Partitions are not ours any more, and neither is what was handed out of them. */
  #drop(partition: HeldPartition): void {
    partition.isOurs = false;
    this.#partitions.delete(partition.partition);
    for (const handOut of this.#out) {
      if (handOut.held.partition !== partition) continue;
      this.#out.delete(handOut);
      this.#onLost(handOut);
    }
  }

  async #starts(): Promise<Map<number, number>> {
    const { driver, options } = this.#parts;
    const ranges = await driver.ranges(options.topic);
    return new Map(
      ranges.map(({ partition, low, high }) => [partition, options.startFrom === 'earliest' ? low : high]),
    );
  }

  /** Fetches no more than fits, and goes on when half of it is done. */
  #flow(): void {
    const { prefetch, prefetchBytes } = this.#parts.options;
    const count = this.#partitions.size;
    const pausing: number[] = [];
    const resuming: number[] = [];
    for (const [number, partition] of this.#partitions) {
      const { held, bytes, tracker, isPaused } = partition;
      const fill = Math.max((held * count) / prefetch, (bytes * count) / prefetchBytes, tracker.span / longestSpan);
      if (!isPaused && fill >= 1) pausing.push(number);
      else if (isPaused && fill <= 0.5) resuming.push(number);
      else continue;
      partition.isPaused = !isPaused;
    }
    if (pausing.length > 0) this.#member?.pause(pausing);
    if (resuming.length > 0) this.#member?.resume(resuming);
  }

  // --- time

  #schedule(due: Due): void {
    this.#due.add(due);
    if (this.#due.peek() === due) this.#arm();
  }

  #arm(): void {
    this.#timer?.cancel();
    const first = this.#due.peek();
    if (first === undefined) return;
    const ms = Math.max(0, first.at - this.#parts.clock.now());
    this.#timer = this.#parts.clock.schedule(() => this.#expire(), ms, { keepAlive: false });
  }

  #expire(): void {
    const now = this.#parts.clock.now();
    const back: HeldRecord[] = [];
    for (let due = this.#due.peek(); due !== undefined && due.at <= now; due = this.#due.peek()) {
      this.#due.take();
      const { held, handOut } = due;
      if (handOut === undefined) {
        this.#delayed--;
        if (held.partition.isOurs) back.push(held);
      } else if (this.#isOut(handOut) && handOut.expiresAt <= now) {
        this.#release(handOut);
        back.push(held);
        this.#onLost(handOut);
      }
    }
    this.#giveBack(back);
    this.#arm();
  }

  // --- waiting

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  #change(limitMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', end);
        this.#waiting.delete(end);
        resolve();
      };
      const timer = this.#parts.clock.schedule(end, limitMs);
      signal?.addEventListener('abort', end);
      this.#waiting.add(end);
    });
  }
}
