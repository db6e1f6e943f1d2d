import type { Clock } from '@nq/core';
import type { Kafka } from 'kafkajs';
import type {
  Committed,
  IncomingRecord,
  KafkaDriver,
  KafkaMember,
  MemberListener,
  MemberOptions,
  PartitionRange,
  ProducerIdentity,
  ProduceRequest,
} from '../kafka-driver.ts';
import { compressBatch } from '../codecs/compress-batch.ts';
import { KafkaFailure } from '../kafka-failure.ts';
import { encodeBatch } from '../record-batch.ts';
import { fetchRecords } from './fetch-records.ts';
import { type Broker, type Cluster, createCluster, endConnections, protocolErrorOf } from './internals.ts';
import { failureOf } from './kafkajs-failures.ts';
import { KafkajsMember } from './kafkajs-member.ts';
import { produceBatch } from './produce-batch.ts';

/** Where there is nothing to remember, kafkajs asks the brokers again after so long, in milliseconds. */
const metadataMaxAgeMs = 60_000;

/** The most bytes of one answer to who reads without a group. */
const readBytes = 1024 * 1024;
/** How long a broker waits for a record before it answers, in milliseconds. */
const readWaitMs = 100;

/** What the driver needs to know. */
export interface KafkajsDriverOptions {
  readonly kafka: Kafka;
  readonly clock: Clock;
}

/** {@link KafkaDriver} on kafkajs: on its protocol and its connections, not on its producer and its consumer. */
export class KafkajsDriver implements KafkaDriver {
  readonly #kafka: Kafka;
  readonly #clock: Clock;
  readonly #cluster: Cluster;
  readonly #members = new Set<KafkajsMember>();

  constructor({ kafka, clock }: KafkajsDriverOptions) {
    this.#kafka = kafka;
    this.#clock = clock;
    this.#cluster = this.#newCluster();
  }

  async open(): Promise<void> {
    await ask(false, () => this.#cluster.connect());
  }

  async partitionsOf(topic: string): Promise<number> {
    return ask(false, async () => {
      await this.#cluster.addMultipleTargetTopics([topic]);
      const { length } = this.#cluster.findTopicPartitionMetadata(topic);
      if (length === 0) throw new KafkaFailure('missing', 'there is no such topic');
      return length;
    });
  }

  async createTopic(
    topic: string,
    { partitions, replicationFactor }: { readonly partitions: number; readonly replicationFactor: number },
  ): Promise<void> {
    const admin = this.#kafka.admin();
    await ask(false, async () => {
      await admin.connect();
      try {
        await admin.createTopics({ topics: [{ topic, numPartitions: partitions, replicationFactor }] });
      } finally {
        await admin.disconnect();
      }
    });
  }

  async ranges(topic: string): Promise<readonly PartitionRange[]> {
    const low = await this.#offsets(topic, { fromBeginning: true });
    const high = await this.#offsets(topic, { fromBeginning: false });
    return Array.from(low, ([partition, offset]) => ({ partition, low: offset, high: high.get(partition) ?? offset }));
  }

  async read(
    topic: string,
    partition: number,
    offset: number,
  ): Promise<{ readonly records: readonly IncomingRecord[]; readonly end: number }> {
    return ask(false, async () => {
      await this.#cluster.addMultipleTargetTopics([topic]);
      const broker = await this.#leaderOf(topic, partition);
      const partitions = [{ partition, offset }];
      const [fetched] = await fetchRecords(broker, { topic, partitions, maxBytes: readBytes, waitMs: readWaitMs });
      if (fetched?.failure !== undefined) throw fetched.failure;
      return { records: fetched?.records ?? [], end: fetched?.end ?? offset };
    });
  }

  async committed(group: string, topic: string, partitions: readonly number[]): Promise<readonly Committed[]> {
    return ask(false, async () => {
      const coordinator = await this.#cluster.findGroupCoordinator({ groupId: group });
      return readCommitted(coordinator, group, topic, partitions);
    });
  }

  async newIdentity(): Promise<ProducerIdentity> {
    return ask(false, async () => {
      await this.#connected();
      const [nodeId] = this.#cluster.getNodeIds();
      if (nodeId === undefined) throw new KafkaFailure('away', 'there is no connection to Kafka');
      const broker = await this.#cluster.findBroker({ nodeId });
      const { producerId, producerEpoch } = await broker.initProducerId({ transactionTimeout: 60_000 });
      return { id: BigInt(producerId), epoch: producerEpoch };
    });
  }

  async produce({ topic, partition, records, compression, timeoutMs, ...numbers }: ProduceRequest): Promise<void> {
    const plain = encodeBatch(records, { ...numbers, time: this.#clock.date() });
    const batch = await compressBatch(plain, compression);
    const broker = await ask(false, () => this.#leaderOf(topic, partition));
    try {
      const answer = await produceBatch(broker, { topic, partition, batch, timeoutMs });
      const told = answer.topics.find(({ topicName }) => topicName === topic)?.partitions;
      const own = told?.find((one) => one.partition === partition);
      // An answer that does not speak of the partition says nothing of what was sent (kafkajs #1303).
      if (own === undefined) throw new KafkaFailure('unsure', 'the broker does not say whether it is stored');
      if (own.errorCode !== 0) throw protocolErrorOf(own.errorCode);
    } catch (error) {
      const failure = failureOf(error, true);
      // Stored by the request before, whose answer was lost.
      if ((error as { readonly type?: unknown }).type === 'DUPLICATE_SEQUENCE_NUMBER') return;
      await this.#forget(error, failure);
      throw failure;
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
    return createCluster(this.#kafka, {
      metadataMaxAge: metadataMaxAgeMs,
      allowAutoTopicCreation: false,
      // Records of transactions that were aborted are none.
      isolationLevel: 1,
    });
  }

  async #connected(): Promise<void> {
    if (this.#cluster.isConnected()) return;
    await this.#cluster.connect();
  }

  async #leaderOf(topic: string, partition: number): Promise<Broker> {
    await this.#connected();
    await this.#cluster.refreshMetadataIfNecessary();
    const [nodeId] = Object.keys(this.#cluster.findLeaderForPartitions(topic, [partition]));
    if (nodeId === undefined || nodeId === '-1') {
      await this.#cluster.refreshMetadata();
      throw new KafkaFailure('away', 'no broker leads the partition at the moment');
    }
    const broker = await this.#cluster.findBroker({ nodeId });
    return broker;
  }

  /** Has what has changed be asked for again. Never rejects. */
  async #forget(error: unknown, { kind }: KafkaFailure): Promise<void> {
    const { host, port } = error as { readonly host?: unknown; readonly port?: unknown };
    if (typeof host === 'string' && typeof port === 'number') this.#cluster.removeBroker({ host, port });
    if (kind !== 'away' && kind !== 'unsure' && kind !== 'missing') return;
    try {
      await this.#cluster.refreshMetadata();
    } catch {
      // The next request finds out what is wrong.
    }
  }

  async #offsets(topic: string, from: object): Promise<ReadonlyMap<number, number>> {
    return ask(false, async () => {
      await this.#connected();
      await this.#cluster.addMultipleTargetTopics([topic]);
      const partitions = this.#cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => ({
        partition: partitionId,
      }));
      const [answer] = await this.#cluster.fetchTopicsOffset([{ topic, partitions, ...from }]);
      return new Map(answer?.partitions.map(({ partition, offset }) => [partition, Number(offset)]));
    });
  }
}

/** What `work` resolves. @throws {KafkaFailure} in place of an error of kafkajs. */
async function ask<Answer>(sent: boolean, work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work();
  } catch (error) {
    throw failureOf(error, sent);
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
