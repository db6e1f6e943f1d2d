import type { Committed, KafkaMember } from '../kafka-driver.ts';
import { Changes } from '../changes.ts';
import { type FailureKind, KafkaFailure } from '../kafka-failure.ts';
import { type FetchedPartition, fetchRecords } from './fetch-records.ts';
import { type Cluster, type ConsumerGroup, endConnections } from './internals.ts';
import { failureOf } from './kafkajs-failures.ts';
import { joinGroup, leaveGroup } from './join-and-leave.ts';
import { MemberIdentity } from './member-identity.ts';
import type { FetchPass, MemberParts, Round } from './member-parts.ts';
import { newGroup } from './new-group.ts';

/** How long a broker waits for a record before it answers that there is none, in milliseconds: so long the first fetch after a join may wait for the last one before it. */
const fetchWaitMs = 500;
/** The same once nothing has come in answer to so many: half as many requests are a quarter of the work of doing nothing. */
const quietFetches = 2;
const quietWaitMs = 1000;
/** The same while partitions of that broker are left out: one that is to be read again waits for the answer. */
const fetchWaitAmongPausedMs = 20;
/** After a failure it is tried again after so long, doubled up to the longest, in milliseconds. */
const firstRetryMs = 100;
const longestRetryMs = 5000;
/** After how long what was refused is tried again, in milliseconds. */
const refusedMs = 1000;

/** What says of a commit that it has failed, and of the membership nothing. */
const ofCommit: ReadonlySet<FailureKind> = new Set(['tooLarge', 'refused', 'other']);

/**
 * A member of a group: joins, sends heartbeats by the clock, whatever else happens, and fetches from every broker that
 * leads one of its partitions.
 */
export class KafkajsMember implements KafkaMember {
  readonly #parts: MemberParts;
  #cluster: Cluster | undefined;
  #group: ConsumerGroup | undefined;
  /** Whichever connections we have. */
  readonly #identity = new MemberIdentity();
  #round: Round | undefined;
  #owned: readonly number[] = [];
  /** Told when something is to be fetched again; and when there is nothing to do any more. */
  readonly #resumed: Changes;
  readonly #ends: Changes;
  readonly #lived: Promise<void>;
  #closed = false;
  /** When it may be asked again who leads a partition that has no leader. */
  #refreshAt = 0;
  #retryMs = firstRetryMs;

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.#resumed = new Changes(parts.clock);
    this.#ends = new Changes(parts.clock);
    this.#lived = this.#live();
  }

  async commit(generation: unknown, offsets: readonly Committed[]): Promise<void> {
    const round = this.#round;
    if (round === undefined || round !== generation)
      throw new KafkaFailure('fenced', 'the membership in the group has ended');
    const { topic, group } = this.#parts.options;
    try {
      await round.group.coordinator.offsetCommit({
        groupId: group,
        memberId: round.memberId,
        groupGenerationId: round.generation,
        topics: [
          {
            topic,
            partitions: offsets.map(({ partition, offset, metadata }) => ({
              partition,
              offset: String(offset),
              metadata,
            })),
          },
        ],
      });
    } catch (error) {
      const failure = failureOf(error, true, { topic, group });
      // The coordinator is elsewhere, or the membership is over: the heartbeat would find out later.
      if (!ofCommit.has(failure.kind)) this.#end(round, error);
      throw failure;
    }
  }

  pause(partitions: readonly number[]): void {
    this.#group?.pause([{ topic: this.#parts.options.topic, partitions }]);
  }

  resume(partitions: readonly number[]): void {
    this.#group?.resume([{ topic: this.#parts.options.topic, partitions }]);
    this.#resumed.tell();
  }

  async close(): Promise<void> {
    if (this.#closed) return this.#lived;
    this.#closed = true;
    const round = this.#round;
    if (round !== undefined) this.#end(round, undefined);
    this.#resumed.tell();
    this.#ends.tell();
    // Before the round has ended in peace: a fetch may be under way that takes its time.
    await leaveGroup(this.#group, this.#parts);
    this.#endCluster();
    await this.#lived;
    // One that was made since.
    this.#endCluster();
    this.#parts.onClosed();
  }

  /** Never rejects. */
  async #live(): Promise<void> {
    // Not in the constructor: whoever makes a member has to know it before it says anything.
    await Promise.resolve();
    while (!this.#closed) {
      try {
        await this.#join();
        this.#retryMs = firstRetryMs;
        await this.#fetchAll();
      } catch (error) {
        if (this.#closed) break;
        await this.#recover(error);
      }
    }
  }

  async #join(): Promise<void> {
    const { options, listener } = this.#parts;
    const { topic, group: groupId } = options;
    await listener.leaving();
    this.#round = undefined;
    const { cluster, group } = await this.#connected();
    try {
      await joinGroup(group);
    } catch (error) {
      this.#identity.noteFailedJoin(group, failureOf(error, false, options).kind);
      throw error;
    }
    const partitions = group.assigned().find((own) => own.topic === topic)?.partitions ?? [];
    const { generationId: generation, memberId } = group;
    const round: Round = { group, generation, memberId, end: undefined };
    this.#round = round;
    const continues = this.#identity.noteJoin(group);
    this.#owned = [...partitions];
    void this.#beat(round);
    const positions = await listener.joined({ generation: round, continues, partitions: this.#owned });
    for (const [partition, position] of positions) {
      cluster.markOffsetAsCommitted({ groupId, topic, partition, offset: String(position) });
      // Where the last membership has read on, that counts.
      group.resolveOffset({ topic, partition, offset: String(position - 1) });
    }
  }

  async #connected(): Promise<{ readonly cluster: Cluster; readonly group: ConsumerGroup }> {
    if (this.#cluster !== undefined && this.#group !== undefined) return { cluster: this.#cluster, group: this.#group };
    if (this.#closed) throw new KafkaFailure('away', 'the member is closed');
    const { options, newCluster } = this.#parts;
    const cluster = newCluster();
    this.#cluster = cluster;
    await cluster.connect();
    await cluster.addMultipleTargetTopics([options.topic]);
    const group = newGroup(cluster, options, () => this.#wanted());
    group.memberId = this.#identity.memberId;
    this.#group = group;
    return { cluster, group };
  }

  /** Sends heartbeats until the round is over. Never rejects. */
  async #beat(round: Round): Promise<void> {
    const { sessionTimeoutMs, group: groupId } = this.#parts.options;
    const { group, memberId, generation: groupGenerationId } = round;
    const everyMs = sessionTimeoutMs / 5;
    while (round.end === undefined && !this.#closed) {
      await this.#ends.next(everyMs);
      if (round.end !== undefined || this.#closed) return;
      try {
        // Not by the group, which goes by the time of day: where that is set back, it sends none until it has caught up.
        await group.coordinator.heartbeat({ groupId, memberId, groupGenerationId });
      } catch (error) {
        this.#end(round, error);
      }
    }
  }

  /** Fetches until the round is over. @throws why. */
  async #fetchAll(): Promise<void> {
    const round = this.#round as Round;
    while (round.end === undefined && !this.#closed) {
      const cluster = this.#cluster as Cluster;
      const leaders = this.#leaders();
      const nodes = Object.keys(leaders).filter((node) => node !== '-1');
      if (nodes.length === 0) {
        await this.#ends.next(fetchWaitMs);
        if (this.#owned.length > 0) await cluster.refreshMetadata();
        continue;
      }
      // Until somebody else leads any of them: then others may have to be asked.
      const pass = { isOver: false, leaders: JSON.stringify(leaders) };
      const fetches = nodes.map((node) =>
        this.#fetchFrom(node, round, pass).finally(() => {
          pass.isOver = true;
          this.#resumed.tell();
        }),
      );
      // Whoever has to join does not wait for a broker that hangs: what it answers then is not looked at.
      const settled = new AbortController();
      const ended = await Promise.race([Promise.allSettled(fetches), this.#over(round, settled.signal)]);
      settled.abort();
      for (const fetch of ended) if (fetch.status === 'rejected') await this.#afterFetch(round, fetch.reason);
    }
    if (round.end?.error !== undefined) throw round.end.error;
  }

  /** Resolves once the round is over, or `signal` aborts. */
  async #over(round: Round, signal: AbortSignal): Promise<readonly []> {
    while (round.end === undefined && !this.#closed && !signal.aborted) await this.#ends.next(Infinity, signal);
    return [];
  }

  async #fetchFrom(node: string, round: Round, pass: FetchPass): Promise<void> {
    const { group } = round;
    const { clock, options, listener } = this.#parts;
    const { topic } = options;
    /** What could not be read, and until when nobody tries again: the other partitions need not wait for that. */
    let broken: readonly number[] = [];
    let brokenUntil = 0;
    let quiet = 0;
    while (round.end === undefined && !pass.isOver && !this.#closed) {
      if (JSON.stringify(this.#leaders()) !== pass.leaders) return;
      const now = clock.now();
      const led = this.#ledBy(node, group);
      const active = led.filter((partition) => !group.isPaused(topic, partition));
      const partitions = now < brokenUntil ? active.filter((partition) => !broken.includes(partition)) : active;
      if (partitions.length === 0) {
        await this.#resumed.next(active.length === 0 ? longestRetryMs : brokenUntil - now);
        continue;
      }
      const longestMs = quiet < quietFetches ? fetchWaitMs : quietWaitMs;
      const waitMs = partitions.length < led.length ? fetchWaitAmongPausedMs : longestMs;
      const batches = await this.#fetch(node, group, { partitions, waitMs });
      if (round.end !== undefined || this.#closed) return;
      quiet = batches.some(({ end }) => end !== undefined) ? 0 : quiet + 1;
      for (const batch of batches) if (!group.isPaused(topic, batch.partition)) this.#take(group, batch);
      const failures = batches.filter(({ failure }) => failure !== undefined);
      if (failures.length === 0 && (now < brokenUntil || broken.length === 0)) continue;
      broken = [...(now < brokenUntil ? broken : []), ...failures.map(({ partition }) => partition)];
      brokenUntil = clock.now() + longestRetryMs;
      listener.failed(failures[0]?.failure);
    }
  }

  async #fetch(
    node: string,
    group: ConsumerGroup,
    { partitions, waitMs }: { readonly partitions: readonly number[]; readonly waitMs: number },
  ): Promise<readonly FetchedPartition[]> {
    const { topic, fetchBytes } = this.#parts.options;
    const cluster = this.#cluster as Cluster;
    await this.#refresh(cluster);
    group.checkForStaleAssignment();
    const positions = partitions.map((partition) => {
      return { partition, offset: Number(String(group.offsetManager.nextOffset(topic, partition))) };
    });
    const broker = await cluster.findBroker({ nodeId: node });
    return fetchRecords(broker, { topic, partitions: positions, maxBytes: fetchBytes, waitMs });
  }

  #take(group: ConsumerGroup, { partition, records, end, isAll, failure }: FetchedPartition): void {
    if (failure !== undefined) return;
    const { topic } = this.#parts.options;
    this.#parts.listener.received(partition, records, end ?? 0, isAll);
    if (end !== undefined) group.resolveOffset({ topic, partition, offset: String(end - 1) });
  }

  /** @throws what ends the round. */
  async #afterFetch(round: Round, error: unknown): Promise<void> {
    const failure = failureOf(error, false, this.#parts.options);
    const cluster = this.#cluster as Cluster;
    if (failure.kind === 'refused') {
      // Nobody else is to deal out partitions for it.
      this.#parts.listener.failed(failure);
      await this.#ends.next(refusedMs);
      return;
    }
    if (failure.kind === 'outOfRange') {
      await this.#findRecords(error as { readonly partition: number });
      return;
    }
    // The topic has more partitions than before.
    if ((error as Error).name === 'KafkaJSStaleTopicMetadataAssignment') {
      this.#end(round, error);
      return;
    }
    if (failure.kind !== 'away') throw error;
    const { host, port } = error as { readonly host?: unknown; readonly port?: unknown };
    if (typeof host === 'string' && typeof port === 'number') cluster.removeBroker({ host, port });
    await this.#ends.next(firstRetryMs);
    await cluster.refreshMetadata();
  }

  /** Goes to the first record that is there, for the one that comes next is gone. */
  async #findRecords({ partition }: { readonly partition: number }): Promise<void> {
    const { options, listener } = this.#parts;
    const { topic, group: groupId } = options;
    const asked = Number(String(this.#group?.offsetManager.nextOffset(topic, partition) ?? 0));
    const [answer] = await (this.#cluster as Cluster).fetchTopicsOffset([
      { topic, partitions: [{ partition }], fromBeginning: true },
    ]);
    const position = Number(answer?.partitions[0]?.offset ?? 0);
    this.#cluster?.markOffsetAsCommitted({ groupId, topic, partition, offset: String(position) });
    this.#group?.resolveOffset({ topic, partition, offset: String(position - 1) });
    listener.lostRecords(partition, asked, position);
  }

  /** Asks for the leaders, if that was long ago, or a partition of ours has none. */
  async #refresh(cluster: Cluster): Promise<void> {
    const now = this.#parts.clock.now();
    if (this.#leaders()['-1'] === undefined || now < this.#refreshAt) return cluster.refreshMetadataIfNecessary();
    this.#refreshAt = now + fetchWaitMs;
    await cluster.refreshMetadata();
  }

  #leaders(): Readonly<Record<string, readonly number[]>> {
    return (this.#cluster as Cluster).findLeaderForPartitions(this.#parts.options.topic, this.#owned);
  }

  /** What we have, and want to keep: first that of which something is in hand. */
  #wanted(): readonly number[] {
    const inHand = new Set(this.#parts.listener.inHand());
    return [...this.#owned.filter((one) => inHand.has(one)), ...this.#owned.filter((one) => !inHand.has(one))];
  }

  /** Our partitions that `node` leads, of which it is known where they are to be read. */
  #ledBy(node: string, group: ConsumerGroup): readonly number[] {
    const { topic } = this.#parts.options;
    const led = this.#leaders()[node] ?? [];
    const known = group.offsetManager.committedOffsets()[topic] ?? {};
    return led.filter((partition) => known[partition] !== undefined);
  }

  /** Makes ready for another join. */
  async #recover(error: unknown): Promise<void> {
    const failure = failureOf(error, false, this.#parts.options);
    const round = this.#round;
    if (round !== undefined) this.#end(round, error);
    const isEnded = (error as { readonly type?: unknown }).type === 'UNKNOWN_MEMBER_ID';
    if (isEnded) this.#forgetMembership();
    // A topic of that name that is there later may be another one, whose offsets begin anew.
    if (failure.kind === 'missing') this.#identity.forgetGenerations();
    // As it is meant to be: somebody joins, or leaves.
    if (failure.kind === 'moved' || isEnded) return;
    if ((error as Error).name === 'KafkaJSStaleTopicMetadataAssignment') return;
    this.#parts.listener.failed(failure);
    await this.#ends.next(this.#retryMs);
    this.#retryMs = Math.min(longestRetryMs, 2 * this.#retryMs);
    await this.#reconnect();
  }

  #forgetMembership(): void {
    this.#identity.forget();
    if (this.#group !== undefined) this.#group.memberId = null;
    // Somebody else may have them, and something of them in hand.
    this.#owned = [];
  }

  /** Begins with connections that are new, but as the same member. */
  async #reconnect(): Promise<void> {
    this.#endCluster();
    this.#group = undefined;
    if (this.#closed) return;
    try {
      await this.#connected();
    } catch {
      // It was connected, and is of no use: the topic is not there, for example.
      this.#endCluster();
    }
  }

  #endCluster(): void {
    if (this.#cluster !== undefined) endConnections(this.#cluster);
    this.#cluster = undefined;
  }

  #end(round: Round, error: unknown): void {
    round.end ??= { error };
    this.#resumed.tell();
    this.#ends.tell();
  }
}
