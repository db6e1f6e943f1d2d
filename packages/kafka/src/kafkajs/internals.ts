import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { NqError } from '@nq/core';
import type { Kafka } from 'kafkajs';
import { KafkaFailure } from '../kafka-failure.ts';
import { askWhoAnswers } from './ask-who-answers.ts';
import { calmTimers } from './calm-timers.ts';
import { tellWhyNoCoordinator } from './coordinator.ts';
import { guardDecoder } from './guard-decoder.ts';
import { guardFrames } from './guard-frames.ts';
import { withIpv6 } from './ipv6.ts';
import { passRequests } from './pass-requests.ts';
import { type KnownTopic, noteRefusals } from './refusals.ts';
import { sendWritten } from './written-request.ts';

/**
 * What this package uses of kafkajs behind its API: its protocol, its connections, and how it joins a group. Its producer
 * loses messages and its consumer sends heartbeats only between batches (docs/kafka.md tells more), so both are ours. This
 * is pinned to the very version in which it was read; that is the last one, for kafkajs is no longer developed.
 */
const version = '2.2.4';

/** A connection to one broker; each of its methods is one request. */
export interface Broker {
  readonly nodeId: number;
  readonly connectionPool: ConnectionPool;
  /** The versions of requests that it understands, by their numbers; `null` before the first connection. */
  readonly versions: Readonly<Record<string, { readonly minVersion: number; readonly maxVersion: number }>> | null;
  isConnected(): boolean;
  /** Its way to make requests, in the version that both sides know. */
  readonly lookupRequest: (apiKey: number, definition: object) => RequestProtocol;
  produce(request: object): Promise<ProduceAnswer>;
  initProducerId(request: object): Promise<{ readonly producerId: string; readonly producerEpoch: number }>;
  heartbeat(request: object): Promise<unknown>;
  offsetCommit(request: object): Promise<unknown>;
  offsetFetch(request: object): Promise<OffsetFetchAnswer>;
  leaveGroup(member: { readonly groupId: string; readonly memberId: string }): Promise<unknown>;
  findGroupCoordinator(request: object): Promise<unknown>;
  createTopics(request: object): Promise<unknown>;
  fetch(request: object): Promise<unknown>;
}

/** Makes a request, and reads its answer. */
type RequestProtocol = (request: object) => {
  readonly request: {
    readonly apiName: string;
    readonly apiVersion: number;
    encode(): Promise<unknown>;
  };
  readonly response: {
    decode(answer: Buffer): Promise<unknown>;
    parse(decoded: unknown): Promise<unknown>;
  };
};

export interface ProduceAnswer {
  readonly topics: readonly {
    readonly topicName: string;
    readonly partitions: readonly ProducedPartition[];
  }[];
}

interface ProducedPartition {
  readonly partition: number;
  readonly errorCode: number;
  /** In milliseconds since the Unix epoch; -1 if the broker gives records no time. */
  readonly logAppendTime: string;
}

interface OffsetFetchAnswer {
  readonly responses: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly offset: string; readonly metadata: string }[];
  }[];
}

interface TopicOffsets {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
}

/** The brokers, and what is known of them. */
export interface Cluster {
  committedOffsetsByGroup: Map<string, unknown>;
  readonly connectionPoolBuilder: { build(place?: object): Promise<ConnectionPool> };
  retrier: unknown;
  readonly brokerPool: {
    retrier: unknown;
    /** The one that was connected to first, by an address of ours. */
    readonly seedBroker: Broker | undefined;
    readonly brokers: Readonly<Record<string, Broker>>;
    readonly metadata: { readonly controllerId?: number; readonly topicMetadata?: readonly KnownTopic[] } | null;
    findBroker(node: { readonly nodeId: string | number }): Promise<Broker>;
    findConnectedBroker(): Promise<Broker>;
  };
  connect(): Promise<void>;
  isConnected(): boolean;
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  refreshMetadata(): Promise<void>;
  refreshMetadataIfNecessary(): Promise<void>;
  removeBroker(place: { readonly host: string; readonly port: number }): void;
  findBroker(node: { readonly nodeId: string | number }): Promise<Broker>;
  findGroupCoordinator(group: { readonly groupId: string }): Promise<Broker>;
  findGroupCoordinatorMetadata(group: object): Promise<unknown>;
  findTopicPartitionMetadata(topic: string): readonly { readonly partitionId: number; readonly leader: number }[];
  findLeaderForPartitions(topic: string, partitions: readonly number[]): Readonly<Record<string, readonly number[]>>;
  fetchTopicsOffset(topics: readonly object[]): Promise<readonly TopicOffsets[]>;
  markOffsetAsCommitted(offset: {
    readonly groupId: string;
    readonly topic: string;
    readonly partition: number;
    readonly offset: string;
  }): void;
}

/** A request, and how its answer is read. */
interface ConnectionMessage {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    readonly encode: () => Promise<unknown>;
  };
  readonly response: {
    readonly decode: (bytes: unknown) => Promise<unknown>;
    readonly parse: (answer: unknown) => Promise<unknown>;
  };
}

export interface Connection {
  readonly requestQueue: RequestQueue;
  readonly socket?: Socket | null;
  readonly host: string;
  readonly port: number;
  /** What TLS is spoken with, if it is. */
  readonly ssl: object | null | undefined;
  /** The user, if there is one. */
  readonly sasl: object | null | undefined;
  readonly socketFactory: (place: {
    readonly host: string;
    readonly port: number;
    readonly ssl: object | undefined;
    readonly onConnect: () => void;
  }) => Socket;
  isConnected(): boolean;
  connect(): Promise<unknown>;
  disconnect(): Promise<unknown>;
  send(message: ConnectionMessage): Promise<unknown>;
}

/** The connections to one broker. */
export interface ConnectionPool {
  readonly host: string;
  readonly port: number;
  readonly pool: readonly [Connection, ...Connection[]];
  send(message: ConnectionMessage): Promise<unknown>;
}

/** The requests of one connection. */
export interface RequestQueue {
  readonly pending: readonly unknown[];
  /** Those without an answer, and when each was sent, in milliseconds since the Unix epoch. */
  inflight: ReadonlyMap<number, InflightRequest>;
  readonly throttledUntil: number;
  /** Whether requests without an answer are given up. */
  readonly enforceRequestTimeout: boolean;
  isConnected(): boolean;
  scheduleCheckPendingRequests(): void;
  scheduleRequestTimeoutCheck(): void;
  /** An answer has come. */
  fulfillRequest(answer: unknown): void;
  destroy(): void;
}

/** A request without an answer. */
interface InflightRequest {
  readonly sentAt: number | null;
  /** How long it may be without one, in milliseconds. */
  readonly requestTimeout: number;
  timeoutRequest(): void;
}

/** A membership in a group. */
export interface ConsumerGroup {
  readonly coordinator: Broker;
  readonly generationId: number;
  memberId: string | null;
  /** Whether it deals out the partitions of the group, since its last join. */
  isLeader(): boolean | '' | null;
  joinAndSync(): Promise<void>;
  leave(): Promise<void>;
  /** Where the next record of each partition is. */
  readonly offsetManager: {
    committedOffsets(): Readonly<Record<string, Readonly<Record<number, unknown>>>>;
    nextOffset(topic: string, partition: number): unknown;
  };
  /** @throws if the topic has more partitions than those that were dealt out. */
  checkForStaleAssignment(): void;
  assigned(): readonly { readonly topic: string; readonly partitions: readonly number[] }[];
  isPaused(topic: string, partition: number): boolean;
  pause(parts: readonly { readonly topic: string; readonly partitions: readonly number[] }[]): void;
  resume(parts: readonly { readonly topic: string; readonly partitions: readonly number[] }[]): void;
  resolveOffset(offset: { readonly topic: string; readonly partition: number; readonly offset: string }): void;
}

/** How members of a group deal out partitions among themselves. */
export interface Assigner {
  readonly name: string;
  readonly version: number;
  protocol(subscription: { readonly topics: readonly string[] }): { readonly name: string; readonly metadata: Buffer };
  assign(group: {
    readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[];
  }): Promise<readonly { readonly memberId: string; readonly memberAssignment: Buffer }[]>;
}

interface ConsumerGroupClass {
  new (options: object): ConsumerGroup;
  readonly prototype: ConsumerGroup;
}

const require = createRequire(import.meta.url);

/** The class of {@link ConsumerGroup}. */
export const ConsumerGroupOfKafkajs = loadConsumerGroup();

/** How often kafkajs may try things itself, the addresses of brokers one after the other among them. */
export const retry = { initialRetryTime: 100, retries: 3, maxRetryTime: 1000 };

const Decoder = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => object;
const Encoder = require('kafkajs/src/protocol/encoder') as new () => { writeBuffer(bytes: Buffer): unknown };

const retrier = (require('kafkajs/src/retry') as (options: object) => unknown)(retry);

function loadConsumerGroup(): ConsumerGroupClass {
  const found = (require('kafkajs/package.json') as { readonly version: string }).version;
  if (found !== version) {
    throw new NqError(
      'NQ_CONFIG',
      `Cannot use kafkajs ${found}: @nq/kafka needs kafkajs ${version}, of which it uses what is no API`,
    );
  }
  return require('kafkajs/src/consumer/consumerGroup') as ConsumerGroupClass;
}

/**
 * Makes what `kafka` makes for each of its producers and consumers: connections of their own.
 *
 * @throws {NqError} `NQ_CONFIG` if it is not of kafkajs 2.2.4.
 */
export function createCluster(kafka: Kafka, options: object): Cluster {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    ({ description }) => description === 'private:Kafka:createCluster',
  );
  const create = symbol === undefined ? undefined : (kafka as unknown as Record<symbol, unknown>)[symbol];
  if (typeof create !== 'function') {
    throw new NqError('NQ_CONFIG', `Cannot use the client: it must be a Kafka of kafkajs ${version}`);
  }
  const cluster = create(options) as Cluster;
  // kafkajs shares it among all consumers of a group that one Kafka has made, and each clears it when it joins.
  cluster.committedOffsetsByGroup = new Map();
  // Nobody who opens a queue with a client of their own waits longer than others.
  cluster.retrier = retrier;
  cluster.brokerPool.retrier = retrier;
  const { connectionPoolBuilder } = cluster;
  connectionsOf.set(cluster, []);
  const build = withIpv6(connectionPoolBuilder.build.bind(connectionPoolBuilder));
  connectionPoolBuilder.build = async (place) => {
    const connections = await build(place);
    guardDecoder(Decoder);
    sendWritten(Encoder);
    calmTimers(connections);
    passRequests(connections);
    guardFrames(connections);
    connectOnce(connections);
    endOnce(connections);
    noteRefusals(connections);
    // kafkajs makes new ones for a broker that it has given up, and has no more of the old ones then.
    const others = connectionsIn(cluster).map((connection) => new WeakRef(connection));
    connectionsOf.set(cluster, [...others, ...connections.pool.map((connection) => new WeakRef(connection))]);
    return connections;
  };
  tellWhyNoCoordinator(cluster);
  askWhoAnswers(cluster);
  return cluster;
}

/** What was made for each: one that is open keeps itself alive. */
const connectionsOf = new WeakMap<Cluster, readonly WeakRef<Connection>[]>();

function connectionsIn(cluster: Cluster): readonly Connection[] {
  return (connectionsOf.get(cluster) ?? []).flatMap((made) => made.deref() ?? []);
}

/**
 * Ends every connection at once, for good; what is under way there rejects. kafkajs itself waits until everything has its
 * answer, which for who joins a group may take as long as others take, and what it tries again connects anew.
 */
export function endConnections(cluster: Cluster): void {
  const refuse = (): Promise<never> => Promise.reject(new KafkaFailure('away', 'the connections were ended'));
  cluster.connectionPoolBuilder.build = refuse;
  for (const connection of connectionsIn(cluster)) {
    connection.connect = refuse;
    // With an error, or kafkajs does not hear of it, and nothing rejects.
    connection.socket?.destroy(new Error('the connections were ended'));
    connection.requestQueue.destroy();
  }
}

/** kafkajs connects once for each request that comes while it connects, and forgets all of these connections but the last. */
function connectOnce({ pool }: ConnectionPool): void {
  for (const connection of pool) {
    const connect = connection.connect.bind(connection);
    let connecting: Promise<unknown> | undefined;
    connection.connect = () => {
      connecting ??= connect().finally(() => {
        connecting = undefined;
      });
      return connecting;
    };
  }
}

/**
 * kafkajs ends all connections to a broker whenever one of them cannot be made, and each time leaves a listener on those that
 * have ended already.
 */
function endOnce({ pool }: ConnectionPool): void {
  for (const connection of pool) {
    const disconnect = connection.disconnect.bind(connection);
    const hasEnded = (): boolean => connection.socket?.destroyed === true && !connection.isConnected();
    connection.disconnect = async () => hasEnded() || disconnect();
  }
}

type Adapt = (protocol: ReturnType<RequestProtocol>) => ReturnType<RequestProtocol>;

/** `broker`, whose requests and answers are as `adapt` makes them of those of kafkajs. */
export function adapted(broker: Broker, adapt: Adapt): Broker {
  const lookupRequest = (apiKey: number, definition: object): RequestProtocol => {
    const protocol = broker.lookupRequest(apiKey, definition);
    return (request) => adapt(protocol(request));
  };
  return Object.create(broker, { lookupRequest: { value: lookupRequest } }) as Broker;
}

/** @throws {KafkaFailure} `refused` if the broker does not know a request in the `needed` version. */
export function refuseBefore(needed: number, { request: { apiName, apiVersion } }: ReturnType<RequestProtocol>): void {
  if (apiVersion >= needed) return;
  throw new KafkaFailure(
    'refused',
    `the broker is too old: it knows ${apiName} in version ${apiVersion}, not ${needed}`,
  );
}

/** The name of an error of the protocol, by its number. */
export function protocolErrorOf(code: number): unknown {
  const { createErrorFromCode } = require('kafkajs/src/protocol/error') as {
    readonly createErrorFromCode: (code: number) => unknown;
  };
  return createErrorFromCode(code);
}

/** Bytes, as requests are made of them. */
export function encoded(bytes: Buffer): unknown {
  return new Encoder().writeBuffer(bytes);
}

/** How members write what they know, and what they are given. */
export const assignerProtocol = require('kafkajs/src/consumer/assignerProtocol') as {
  readonly MemberMetadata: {
    encode(metadata: {
      readonly version: number;
      readonly topics: readonly string[];
      readonly userData?: Buffer;
    }): Buffer;
    decode(buffer: Buffer): {
      readonly version: number;
      readonly topics: readonly string[];
      readonly userData: Buffer | null;
    };
  };
  readonly MemberAssignment: {
    encode(assignment: {
      readonly version: number;
      readonly assignment: Readonly<Record<string, readonly number[]>>;
      readonly userData?: Buffer;
    }): Buffer;
  };
};
