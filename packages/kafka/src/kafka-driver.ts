import type { Compression } from './codecs/codec.ts';
import type { KafkaFailure } from './kafka-failure.ts';

/** A record on its way to a partition. */
export interface OutgoingRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: IncomingRecord['headers'];
}

/** The time of a record of which nobody knows when it was written, in Kafka's own number for it. */
export const noTime = -1;

/**
 * A record as a partition has it. Its key, value and headers may be getters, which read anew each time: keep what is asked
 * for more than once, and name them where the record is spread or compared.
 */
export interface IncomingRecord {
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | string | readonly (Buffer | string)[] | undefined>>;
  /** When it was written, in milliseconds since the Unix epoch, by the clock of the producer or of the broker; or {@link noTime}. */
  readonly time: number;
  /** Whether that is the clock of the broker. */
  readonly isBrokerTime: boolean;
  /** How large it is, with its headers. */
  readonly bytes: number;
}

/**
 * By what the brokers know a producer: records of one identity have numbers in each partition, so that a request that is
 * made again stores nothing twice.
 */
export interface ProducerIdentity {
  readonly id: bigint;
  readonly epoch: number;
}

/** Records for one partition. */
export interface ProduceRequest {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly OutgoingRecord[];
  readonly identity: ProducerIdentity;
  /** The number of the first record among those of this identity in this partition, from 0. */
  readonly sequence: number;
  /** How they are compressed on the way to the broker, and in the partition. */
  readonly compression: Compression;
  /** How long the broker may wait for its replicas, in milliseconds. */
  readonly timeoutMs: number;
}

/** A topic that is to be made. */
export interface NewTopic {
  readonly partitions: number;
  readonly replicationFactor: number;
  /** Who says when a record was written: by whose clock its time is. */
  readonly timestamps: 'producer' | 'broker';
}

/** What a group has committed for a partition. */
export interface Committed {
  readonly partition: number;
  /** The first offset that is not done. */
  readonly offset: number;
  /** Text that goes with it; empty if there is none. */
  readonly metadata: string;
}

/** Where the records of a partition begin and end. */
export interface PartitionRange {
  readonly partition: number;
  /** The first offset that is kept. */
  readonly low: number;
  /** The offset that the next record gets. */
  readonly high: number;
}

/** The partitions that a member has from a join on, until the next one. */
export interface Assignment {
  /** Names this membership to `commit`. */
  readonly generation: unknown;
  /** Whether the member has been in the group without a break: nobody else had a partition that it had before and has now. */
  readonly continues: boolean;
  readonly partitions: readonly number[];
}

/** What a member of a group tells. */
export interface MemberListener {
  /**
   * It is about to join, at first or anew, and may lose partitions: what is to be committed for the membership that ends is
   * to be committed now. It joins when this resolves, which must not take as long as the session.
   */
  leaving(): Promise<void>;
  /** It has partitions. @returns where the records of each are to begin; none come before. */
  joined(assignment: Assignment): Promise<ReadonlyMap<number, number>>;
  /**
   * Records of a partition, in the order of their offsets, not all of which are there. All below `end` that are not among
   * them never come. Must return at once.
   *
   * @param isAll whether there were no others when they were sent.
   */
  received(partition: number, records: readonly IncomingRecord[], end: number, isAll: boolean): void;
  /** The offset that was `asked` for is not there: records of the partition come from `position` on, the first that is. */
  lostRecords(partition: number, asked: number, position: number): void;
  /** The partitions of which something is in hand: if not all can be kept, these are to be. */
  inHand(): readonly number[];
  /** It has failed, and tries again; `undefined` once that works. */
  failed(failure: KafkaFailure | undefined): void;
}

/** A member of a group, which reads the partitions of one topic that it is given. */
export interface KafkaMember {
  /** Commits for the membership of `generation`. @throws {KafkaFailure} `fenced` if that has ended. */
  commit(generation: unknown, offsets: readonly Committed[]): Promise<void>;
  /** Reads no records of these partitions until they are resumed, or dealt out anew. */
  pause(partitions: readonly number[]): void;
  resume(partitions: readonly number[]): void;
  /** Leaves the group, so that others need not wait for the end of its session. Never rejects. */
  close(): Promise<void>;
}

/** Of which release of Kafka a broker is, as far as it can be told. */
export interface BrokerRelease {
  /** `major.minor`. */
  readonly atLeast: string;
  /** Whether it may be a later one, which was not known when this was written. */
  readonly mayBeNewer: boolean;
}

/** How a member behaves. */
export interface MemberOptions {
  readonly topic: string;
  readonly group: string;
  /** After how long without a heartbeat its partitions go to others, in milliseconds. */
  readonly sessionTimeoutMs: number;
  /** How long the others wait for a member when partitions are dealt out anew, in milliseconds. */
  readonly rebalanceTimeoutMs: number;
  /** The most bytes of one answer, and of one partition in it. */
  readonly fetchBytes: number;
  /** Whether it wants all partitions for itself, as long as it is a member; of several who do, one gets them. */
  readonly claimsAll: boolean;
}

/**
 * All that the rest of this package knows of a Kafka client. Another client is another implementation of this; trackers,
 * chains, the committer and the producer stay as they are. It must do each thing once: no retry, nothing gathered, nothing
 * remembered. What fails rejects with a {@link KafkaFailure}, whose kind says whether it may have been done.
 */
export interface KafkaDriver {
  /** Connects. @throws {KafkaFailure} if no broker answers, or one refuses us, or does not understand what we ask. */
  open(): Promise<void>;
  /** The release of the broker that was connected to. */
  release(): Promise<BrokerRelease>;
  /**
   * Connects to every broker that leads a partition of the topic, whose partitions were counted.
   *
   * @returns why some cannot be reached. @throws {KafkaFailure} if that is all of them.
   */
  reachLeaders(topic: string): Promise<readonly KafkaFailure[]>;
  /** How many partitions the topic has now. @throws {KafkaFailure} `missing` if there is no such topic. It is not made. */
  partitionsOf(topic: string): Promise<number>;
  /** Makes the topic; nothing if it is there. */
  createTopic(topic: string, options: NewTopic): Promise<void>;
  /**
   * Where the partitions of the topic begin and end, or those in `only`: who leads the others is not asked then. There may
   * be more than are known here: brokers are asked anew if these are fewer than `count`.
   */
  ranges(topic: string, count?: number, only?: readonly number[]): Promise<readonly PartitionRange[]>;
  /**
   * The offset in each partition of the first record that was written at `time` or later, in milliseconds since the Unix
   * epoch; where there is none, the one that the next record gets.
   */
  offsetsAt(topic: string, time: number): Promise<ReadonlyMap<number, number>>;
  /** Records from an offset on, as many as one answer has, without a group; and the offset behind them. */
  read(
    topic: string,
    partition: number,
    offset: number,
  ): Promise<{ readonly records: readonly IncomingRecord[]; readonly end: number }>;
  /** What a group has committed; nothing of partitions for which it has not. */
  committed(group: string, topic: string, partitions: readonly number[]): Promise<readonly Committed[]>;
  /** An identity that nobody else has. */
  newIdentity(): Promise<ProducerIdentity>;
  /**
   * Stores the records in the partition, all or none, and resolves once as many replicas have them as the topic asks for,
   * also if they were stored by an earlier request with the same identity and sequence.
   *
   * @returns when they were written, in milliseconds since the Unix epoch, by the clock of the broker; `undefined` if it is
   *   not said: in a topic whose records have the time of their producer.
   */
  produce(request: ProduceRequest): Promise<number | undefined>;
  /** Joins a group, and goes on to be a member of it, through everything that happens, until it is closed. */
  join(options: MemberOptions, listener: MemberListener): KafkaMember;
  /** Lets go of every connection. What is under way rejects. Never rejects itself. */
  close(): Promise<void>;
}
