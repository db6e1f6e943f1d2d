import type { Clock } from '@nq/core';
import type { Kafka } from 'kafkajs';
import type {
  BrokerRelease,
  Committed,
  IncomingRecord,
  KafkaDriver,
  KafkaMember,
  MemberListener,
  MemberOptions,
  NewTopic,
  PartitionRange,
  ProducerIdentity,
  ProduceRequest,
} from '../kafka-driver.ts';
import { compressBatch } from '../codecs/compress-batch.ts';
import { KafkaFailure } from '../kafka-failure.ts';
import { encodeBatch } from '../record-batch.ts';
import { checkRequests, releaseOf } from './broker-release.ts';
import { createTopic } from './create-topic.ts';
import { diagnose } from './diagnose.ts';
import { fetchRecords } from './fetch-records.ts';
import { type Broker, type Cluster, createCluster, endConnections, protocolErrorOf } from './internals.ts';
import { failureOf } from './kafkajs-failures.ts';
import { KafkajsMember } from './kafkajs-member.ts';
import { reachLeaders } from './leaders.ts';
import { produceBatch, roomInFront } from './produce-batch.ts';
import type { Subject } from './refusals.ts';
import { refreshFor, tellTopicsApart } from './topics-apart.ts';

/** The most bytes of one answer to who reads without a group. */
const readBytes = 1024 * 1024;
/** How long a broker waits for a record before it answers, in milliseconds. */
const readWaitMs = 100;

/** What the driver needs to know. */
export interface KafkajsDriverOptions {
  readonly kafka: Kafka;
  readonly clock: Clock;
  /** How old what is known of the brokers and topics may be, in milliseconds. */
  readonly metadataMaxAgeMs: number;
}

/** {@link KafkaDriver} on kafkajs: on its protocol and its connections, not on its producer and its consumer. */
export class KafkajsDriver implements KafkaDriver {
  readonly #kafka: Kafka;
  readonly #clock: Clock;
  readonly #metadataMaxAgeMs: number;
  readonly #cluster: Cluster;
  readonly #members = new Set<KafkajsMember>();

  constructor({ kafka, clock, metadataMaxAgeMs }: KafkajsDriverOptions) {
    this.#kafka = kafka;
    this.#clock = clock;
    this.#metadataMaxAgeMs = metadataMaxAgeMs;
    this.#cluster = this.#newCluster();
  }

  async open(): Promise<void> {
    try {
      await this.#cluster.connect();
      checkRequests(await this.#cluster.brokerPool.findConnectedBroker());
      // A broker that wants a user says so only then.
      await this.#cluster.refreshMetadata();
    } catch (error) {
      throw await diagnose(this.#cluster, error);
    }
  }

  async release(): Promise<BrokerRelease> {
    return this.#ask({}, async () => releaseOf(await this.#cluster.brokerPool.findConnectedBroker()));
  }

  async reachLeaders(topic: string): Promise<readonly KafkaFailure[]> {
    return this.#ask({ topic }, () => reachLeaders(this.#cluster, topic));
  }

  async partitionsOf(topic: string): Promise<number> {
    return this.#ask({ topic }, async () => {
      await this.#connected();
      await this.#cluster.addMultipleTargetTopics([topic]);
      await refreshFor(this.#cluster, topic);
      const { length } = this.#cluster.findTopicPartitionMetadata(topic);
      if (length === 0) throw new KafkaFailure('missing', 'there is no such topic');
      return length;
    });
  }

  async createTopic(topic: string, options: NewTopic): Promise<void> {
    await this.#ask({ topic }, () => createTopic(this.#cluster, topic, options));
  }

  async ranges(topic: string, count = 0, only?: readonly number[]): Promise<readonly PartitionRange[]> {
    await this.#ask({ topic }, () => this.#knowPartitions(topic, count));
    const low = await this.#offsets(topic, { fromBeginning: true }, only);
    const high = await this.#offsets(topic, { fromBeginning: false }, only);
    return Array.from(low, ([partition, offset]) => ({ partition, low: offset, high: high.get(partition) ?? offset }));
  }

  async offsetsAt(topic: string, time: number): Promise<ReadonlyMap<number, number>> {
    // First, so that what is written meanwhile is found by its time.
    const high = await this.#offsets(topic, { fromBeginning: false });
    const found = await this.#offsets(topic, { fromTimestamp: time });
    return new Map(Array.from(high, ([partition, end]) => [partition, foundOr(found.get(partition) ?? -1, end)]));
  }

  async read(
    topic: string,
    partition: number,
    offset: number,
  ): Promise<{ readonly records: readonly IncomingRecord[]; readonly end: number }> {
    return this.#ask({ topic }, async () => {
      await this.#cluster.addMultipleTargetTopics([topic]);
      const broker = await this.#leaderOf(topic, partition);
      const partitions = [{ partition, offset }];
      const [fetched] = await fetchRecords(broker, { topic, partitions, maxBytes: readBytes, waitMs: readWaitMs });
      if (fetched?.failure !== undefined) throw fetched.failure;
      return { records: fetched?.records ?? [], end: fetched?.end ?? offset };
    });
  }

  async committed(group: string, topic: string, partitions: readonly number[]): Promise<readonly Committed[]> {
    return this.#ask({ topic, group }, async () => {
      const coordinator = await this.#cluster.findGroupCoordinator({ groupId: group });
      return readCommitted(coordinator, group, topic, partitions);
    });
  }

  async newIdentity(): Promise<ProducerIdentity> {
    return this.#ask({}, async () => {
      await this.#connected();
      // Whichever can be reached: any of them gives one.
      const broker = await this.#cluster.brokerPool.findConnectedBroker();
      const { producerId, producerEpoch } = await broker.initProducerId({ transactionTimeout: 60_000 });
      return { id: BigInt(producerId), epoch: producerEpoch };
    });
  }

  async produce({
    topic,
    partition,
    records,
    compression,
    timeoutMs,
    ...numbers
  }: ProduceRequest): Promise<number | undefined> {
    // What is compressed is somewhere else.
    const roomBefore = compression === 'none' ? roomInFront(topic) : 0;
    const plain = encodeBatch(records, { ...numbers, time: this.#clock.date() }, roomBefore);
    const batch = await compressBatch(plain, compression);
    const broker = await this.#ask({ topic }, () => this.#leaderOf(topic, partition));
    try {
      const answer = await produceBatch(broker, { topic, partition, batch, roomBefore, timeoutMs });
      const told = answer.topics.find(({ topicName }) => topicName === topic)?.partitions;
      const own = told?.find((one) => one.partition === partition);
      // An answer that does not speak of the partition says nothing of what was sent (kafkajs #1303).
      if (own === undefined) throw new KafkaFailure('unsure', 'the broker does not say whether it is stored');
      if (own.errorCode !== 0) throw protocolErrorOf(own.errorCode);
      const time = Number(own.logAppendTime);
      return time >= 0 ? time : undefined;
    } catch (error) {
      // Stored by the request before, whose answer was lost.
      if ((error as { readonly type?: unknown }).type === 'DUPLICATE_SEQUENCE_NUMBER') return undefined;
      throw await this.#failureOf(error, true, { topic });
    }
  }

  join(options: MemberOptions, listener: MemberListener): KafkaMember {
    const member = new KafkajsMember({
      options,
      listener,
      clock: this.#clock,
      newCluster: () => this.#newCluster(),
      onClosed: () => this.#members.delete(member),
    });
    this.#members.add(member);
    return member;
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#members, (member) => member.close()));
    endConnections(this.#cluster);
  }

  #newCluster(): Cluster {
    const cluster = createCluster(this.#kafka, {
      metadataMaxAge: this.#metadataMaxAgeMs,
      allowAutoTopicCreation: false,
      // Records of transactions that were aborted are none.
      isolationLevel: 1,
    });
    // Those of members too: whoever leads a group asks for the topics of all its members.
    tellTopicsApart(cluster);
    return cluster;
  }

  async #connected(): Promise<void> {
    if (this.#cluster.isConnected()) return;
    await this.#cluster.connect();
  }

  async #leaderOf(topic: string, partition: number): Promise<Broker> {
    await this.#connected();
    await refreshFor(this.#cluster, topic);
    const [nodeId] = Object.keys(this.#cluster.findLeaderForPartitions(topic, [partition]));
    if (nodeId === undefined || nodeId === '-1') {
      await this.#cluster.refreshMetadata();
      throw new KafkaFailure('away', 'no broker leads the partition at the moment');
    }
    const broker = await this.#cluster.findBroker({ nodeId });
    return broker;
  }

  /** What `work` resolves, of which nothing is done if it fails. @throws {KafkaFailure} in place of an error of kafkajs. */
  async #ask<Answer>(about: Subject, work: () => Promise<Answer>): Promise<Answer> {
    try {
      return await work();
    } catch (error) {
      throw await this.#failureOf(error, false, about);
    }
  }

  /** What `error` means; what may have changed is asked for again, so that the next request goes elsewhere. */
  async #failureOf(error: unknown, sent: boolean, about: Subject): Promise<KafkaFailure> {
    const failure = failureOf(error, sent, about);
    await this.#forget(error, failure);
    return failure;
  }

  /** Never rejects. */
  async #forget(error: unknown, { kind }: KafkaFailure): Promise<void> {
    const { host, port } = error as { readonly host?: unknown; readonly port?: unknown };
    if (typeof host === 'string' && typeof port === 'number') this.#cluster.removeBroker({ host, port });
    if (kind !== 'away' && kind !== 'unsure' && kind !== 'missing') return;
    if (!this.#cluster.isConnected()) return;
    try {
      await this.#cluster.refreshMetadata();
    } catch {
      // The next request finds out what is wrong.
    }
  }

  /** Asks brokers what they know of the topic, if that was long ago, or fewer than `count` partitions are known. */
  async #knowPartitions(topic: string, count: number): Promise<void> {
    await this.#connected();
    await this.#cluster.addMultipleTargetTopics([topic]);
    await refreshFor(this.#cluster, topic);
    if (this.#cluster.findTopicPartitionMetadata(topic).length < count) await this.#cluster.refreshMetadata();
  }

  async #offsets(topic: string, from: object, only?: readonly number[]): Promise<ReadonlyMap<number, number>> {
    return this.#ask({ topic }, async () => {
      await this.#knowPartitions(topic, 0);
      const known = this.#cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId);
      const partitions = known.filter((one) => only?.includes(one) ?? true).map((partition) => ({ partition }));
      const [answer] = await this.#cluster.fetchTopicsOffset([{ topic, partitions, ...from }]);
      return new Map(answer?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    });
  }
}

/** What the coordinator knows; nothing of partitions for which nothing was committed. */
async function readCommitted(
  coordinator: Broker,
  group: string,
  topic: string,
  partitions: readonly number[],
): Promise<readonly Committed[]> {
  if (partitions.length === 0) return [];
  const topics = [{ topic, partitions: partitions.map((partition) => ({ partition })) }];
  const { responses } = await coordinator.offsetFetch({ groupId: group, topics });
  const own = responses.find((response) => response.topic === topic)?.partitions ?? [];
  return own
    .map(({ partition, offset, metadata }) => ({ partition, offset: Number(offset), metadata: metadata ?? '' }))
    .filter(({ offset }) => offset >= 0);
}

/** `offset`, or `end` where Kafka has found none, which it tells as -1. */
function foundOr(offset: number, end: number): number {
  return offset < 0 ? end : offset;
}
