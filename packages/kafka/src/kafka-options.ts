import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { checkCount, checkFunction, checkMs, checkOneOf, checkOptions, checkText, describe } from '@nq/core/parts';
import type { Kafka } from 'kafkajs';
import { type Compression, mostBytes } from './codecs/codec.ts';
import { compressions } from './codecs/load-codec.ts';
import type { Order } from './held-partition.ts';

/** How a user is told to the brokers. */
export interface SaslOptions {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

/** Where the brokers are, and who we are. */
export interface ServerOptions {
  /** Some brokers, as `host:port`, or `[::1]:9092` with an IPv6 address; they know the others. @default ['localhost:9092'] */
  readonly brokers?: readonly string[] | undefined;
  /** A client of kafkajs 2.2.4, whose settings count for connections of our own, instead of `brokers` and what belongs to them. */
  readonly client?: Kafka | undefined;
  /** TLS: `true`, or what `tls.connect()` of Node.js takes. @default false */
  readonly tls?: boolean | TlsOptions | undefined;
  /** The user, as `{ mechanism: 'plain', username, password }`, or with `scram-sha-256` or `scram-sha-512`. @default no user */
  readonly sasl?: SaslOptions | undefined;
}

/** How a queue on Kafka is opened. The object is copied. */
export interface KafkaQueueOptions extends ServerOptions {
  /** The topic that holds the events. It is not made unless `createTopic` says so. */
  readonly topic: string;
  /** The consumer group. Each group gets every event. */
  readonly groupId: string;
  /**
   * The oldest release of the brokers that this is made for, as `2.8` or `2.8.0`: older ones are refused. They tell no third
   * number, and of releases before 3.3 what they have at least.
   *
   * @default any that has what is needed, which is 0.11
   */
  readonly version?: string | undefined;
  /**
   * Makes the topics that are not there, also that of the dead letters, with one partition, and that of the retries: with so
   * many partitions, or `{ partitions, replicationFactor }`.
   *
   * @default it is not made
   */
  readonly createTopic?: number | TopicOptions | undefined;
  /**
   * The topic of the dead letters of the group, which others may use too. One that is named must be there, or is made if
   * `createTopic` says so; where the default is not there, the queue keeps none.
   *
   * @default the topic, the group and `dead`, with dots between them
   */
  readonly deadLetterTopic?: string | undefined;
  /**
   * A topic where events wait that are given back for long, so that what is behind them goes on, also of their key, whose
   * order is lost then: `true`, or another name than the default, the topic, the group and `retry`, with dots between them.
   * It is made if `createTopic` says so, and must be there otherwise. Keep what is in it longer than the longest delay.
   *
   * @default false: they wait where they are
   */
  readonly retryTopic?: boolean | string | undefined;
  /** From which delay on they go there, in milliseconds. @default 60_000 */
  readonly retryAfterMs?: number | undefined;
  /** What is handed out one after the other: events of one key, of one partition, or none. @default 'key' */
  readonly order?: Order | undefined;
  /**
   * How what is pushed is compressed, many events at a time. What others have compressed is read, whatever it says here.
   * `snappy` needs the package snappyjs, and `zstd` Node.js 22.15, 23.8 or later.
   *
   * @default 'none'
   */
  readonly compression?: Compression | undefined;
  /** Where a group begins that has committed nothing yet. @default 'earliest' */
  readonly startFrom?: 'earliest' | 'latest' | undefined;
  /** How long a delivery is ours before the event is handed out again, in milliseconds. @default 30_000 */
  readonly leaseMs?: number | undefined;
  /** How many pushes may be on their way to the brokers: one more that is not to wait is refused. A topic has no limit. @default 10_000 */
  readonly capacity?: number | undefined;
  /** The same in bytes, with headers. @default 67_108_864 */
  readonly capacityBytes?: number | undefined;
  /** How many events are fetched before somebody asks for them, of all partitions together. @default 1000 */
  readonly prefetch?: number | undefined;
  /** After how long without a heartbeat the partitions of a process go to others, in milliseconds, at most 1_073_741_823. @default 10_000 */
  readonly sessionTimeoutMs?: number | undefined;
  /** After how long without a pop, and with nothing handed out, partitions are left to others, in milliseconds. Who pops less often than that, and does not wait, needs more: to join takes up to `group.initial.rebalance.delay.ms` of the brokers, three seconds by default. @default 3000 */
  readonly idleMs?: number | undefined;
  /** How long opening may take, in milliseconds. @default 10_000 */
  readonly openTimeoutMs?: number | undefined;
  /** The largest event with its headers, in bytes, at most 240 MiB. @default 1_000_000 */
  readonly maxPayloadBytes?: number | undefined;
  /**
   * How long a push may be under way, in milliseconds, at most 2_147_483_647: a broker that dies is replaced in some ten
   * seconds.
   *
   * @default 30_000
   */
  readonly deliveryTimeoutMs?: number | undefined;
  /** How long an acknowledgement may be without an answer, in milliseconds. @default 5000 */
  readonly requestTimeoutMs?: number | undefined;
  /** How soon it is noticed that the topic has more partitions, in milliseconds. @default 60_000 */
  readonly metadataMaxAgeMs?: number | undefined;
  /** The member of foreign JSON that is the key of the event. @default 'key' */
  readonly foreignKey?: string | undefined;
  /** Told what is worth knowing, such as records that are gone. @default a warning of the process */
  readonly onWarning?: ((warning: string) => void) | undefined;
}

/** How a topic is made. */
export interface TopicOptions {
  /** How many partitions it has: so many processes can consume at once. */
  readonly partitions: number;
  /** How many brokers have a copy of it. @default what the brokers say (`default.replication.factor`) */
  readonly replicationFactor?: number | undefined;
}

/** {@link TopicOptions} with every default filled in. */
interface ResolvedTopicOptions {
  readonly partitions: number;
  readonly replicationFactor: number;
}

/** Where events wait that are given back for long. */
interface ResolvedRetryOptions {
  readonly topic: string;
  /** Whose members read it. */
  readonly group: string;
  readonly afterMs: number;
}

/** {@link KafkaQueueOptions} with every default filled in. */
export interface ResolvedKafkaOptions {
  readonly server: ServerOptions;
  readonly topic: string;
  readonly group: string;
  readonly version: string | undefined;
  readonly createTopic: ResolvedTopicOptions | undefined;
  readonly deadLetterTopic: string;
  /** Whether it has to be there. */
  readonly needsDeadLetters: boolean;
  readonly retry: ResolvedRetryOptions | undefined;
  readonly order: Order;
  readonly compression: Compression;
  readonly startFrom: 'earliest' | 'latest';
  readonly leaseMs: number;
  readonly capacity: number;
  readonly capacityBytes: number;
  readonly prefetch: number;
  readonly prefetchBytes: number;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly fetchBytes: number;
  readonly idleMs: number;
  readonly openTimeoutMs: number;
  readonly maxPayloadBytes: number;
  readonly deliveryTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly metadataMaxAgeMs: number;
  readonly foreignKey: string | undefined;
  readonly onWarning: (warning: string) => void;
}

const action = 'Cannot open a Kafka queue';
/** Where Kafka is found by default. */
export const defaultBroker = 'localhost:9092';
/** How times and counts are told to brokers. */
const largestInt32 = 2 ** 31 - 1;
const largestInt16 = 2 ** 15 - 1;
/** What is larger could be stored, and not be read: a batch is unpacked up to that, and an answer is no longer, with what goes around. */
const largestPayload = mostBytes - 16 * 1024 * 1024;

/** The names of {@link ServerOptions}. */
export const serverNames = ['brokers', 'client', 'tls', 'sasl'] as const satisfies (keyof ServerOptions)[];
const known = [
  ...serverNames,
  'topic',
  'groupId',
  'version',
  'createTopic',
  'deadLetterTopic',
  'retryTopic',
  'retryAfterMs',
  'order',
  'compression',
  'startFrom',
  'leaseMs',
  'capacity',
  'capacityBytes',
  'prefetch',
  'sessionTimeoutMs',
  'idleMs',
  'openTimeoutMs',
  'maxPayloadBytes',
  'deliveryTimeoutMs',
  'requestTimeoutMs',
  'metadataMaxAgeMs',
  'foreignKey',
  'onWarning',
] as const satisfies (keyof KafkaQueueOptions)[];

/** `options` with every default filled in. @throws {TypeError} {RangeError} if one is not as it should be. */
export function resolveOptions(options: KafkaQueueOptions): ResolvedKafkaOptions {
  checkOptions(action, options, known);
  const {
    topic,
    groupId,
    version,
    createTopic,
    deadLetterTopic = `${topic}.${groupId}.dead`,
    order = 'key',
    compression = 'none',
    startFrom = 'earliest',
    leaseMs = 30_000,
    capacity = 10_000,
    capacityBytes = 64 * 1024 * 1024,
    prefetch = 1000,
    sessionTimeoutMs = 10_000,
    idleMs = 3000,
    openTimeoutMs = 10_000,
    maxPayloadBytes = 1_000_000,
    deliveryTimeoutMs = 30_000,
    requestTimeoutMs = 5000,
    metadataMaxAgeMs = 60_000,
    foreignKey,
    onWarning = warnProcess,
  } = options;
  checkTopic(action, 'topic', topic);
  checkName(action, 'groupId', groupId);
  checkTopic(action, 'deadLetterTopic', deadLetterTopic, options.deadLetterTopic === undefined);
  if (deadLetterTopic === topic) throw new RangeError(`${action}: deadLetterTopic must be another topic than topic`);
  const retry = resolveRetry(options, deadLetterTopic);
  if (version !== undefined) checkVersion(version);
  checkOneOf(action, 'order', order, ['key', 'partition', 'none']);
  checkOneOf(action, 'compression', compression, compressions);
  checkOneOf(action, 'startFrom', startFrom, ['earliest', 'latest']);
  checkServer(action, options);
  if (foreignKey !== undefined) checkName(action, 'foreignKey', foreignKey);
  checkCount(action, 'capacity', capacity, 1);
  checkCount(action, 'capacityBytes', capacityBytes, 1);
  checkCount(action, 'prefetch', prefetch, 1);
  const times = {
    leaseMs,
    sessionTimeoutMs,
    idleMs,
    openTimeoutMs,
    deliveryTimeoutMs,
    requestTimeoutMs,
    metadataMaxAgeMs,
  };
  for (const [name, ms] of Object.entries(times)) {
    checkMs(action, name, ms, 1);
    if (ms === Infinity) throw new RangeError(`${action}: ${name} must be finite, got Infinity`);
  }
  checkMost('deliveryTimeoutMs', deliveryTimeoutMs, largestInt32);
  // The others of a group wait for a member for twice as long.
  checkMost('sessionTimeoutMs', sessionTimeoutMs, Math.floor(largestInt32 / 2));
  checkCount(action, 'maxPayloadBytes', maxPayloadBytes, 1, largestPayload);
  checkFunction(action, 'onWarning', onWarning);
  return {
    server: { ...options },
    topic,
    group: groupId,
    version,
    createTopic: createTopic === undefined ? undefined : resolveTopic(createTopic),
    deadLetterTopic,
    needsDeadLetters: options.deadLetterTopic !== undefined,
    retry,
    order,
    compression,
    startFrom,
    leaseMs,
    capacity,
    capacityBytes,
    prefetch,
    prefetchBytes: 64 * 1024 * 1024,
    sessionTimeoutMs,
    rebalanceTimeoutMs: 2 * sessionTimeoutMs,
    fetchBytes: 1024 * 1024,
    idleMs,
    openTimeoutMs,
    maxPayloadBytes,
    deliveryTimeoutMs,
    requestTimeoutMs,
    metadataMaxAgeMs,
    foreignKey,
    onWarning,
  };
}

function resolveRetry(
  { topic, groupId, retryTopic = false, retryAfterMs }: KafkaQueueOptions,
  deadLetterTopic: string,
): ResolvedRetryOptions | undefined {
  if (retryTopic === false) {
    if (retryAfterMs !== undefined) throw new TypeError(`${action}: retryAfterMs needs a retryTopic`);
    return undefined;
  }
  const isDefault = retryTopic === true;
  const name = isDefault ? `${topic}.${groupId}.retry` : retryTopic;
  checkTopic(action, 'retryTopic', name, isDefault);
  if (name === topic || name === deadLetterTopic) {
    throw new RangeError(`${action}: retryTopic must be another topic than topic and deadLetterTopic`);
  }
  const afterMs = retryAfterMs ?? 60_000;
  checkMs(action, 'retryAfterMs', afterMs, 1);
  if (afterMs === Infinity) throw new RangeError(`${action}: retryAfterMs must be finite, got Infinity`);
  // Of that topic: another one of the group may have its retries in the same place.
  return { topic: name, group: `${topic}.${groupId}.retries`, afterMs };
}

/** Kafka's own word for what its brokers are configured with (KIP-464). */
const asBrokersSay = -1;

function resolveTopic(options: number | TopicOptions): ResolvedTopicOptions {
  if (typeof options === 'number') {
    checkCount(action, 'createTopic', options, 1, largestInt32);
    return { partitions: options, replicationFactor: asBrokersSay };
  }
  if (typeof options !== 'object' || options === null) {
    const expected = 'a number of partitions, such as 12, or { partitions, replicationFactor }';
    throw new TypeError(`${action}: createTopic must be ${expected}, got ${describe(options)}`);
  }
  checkOptions(`${action}: createTopic`, options, ['partitions', 'replicationFactor']);
  const { partitions, replicationFactor } = options;
  checkCount(action, 'createTopic.partitions', partitions, 1, largestInt32);
  if (replicationFactor !== undefined) {
    checkCount(action, 'createTopic.replicationFactor', replicationFactor, 1, largestInt16);
  }
  return { partitions, replicationFactor: replicationFactor ?? asBrokersSay };
}

function checkMost(name: string, ms: number, most: number): void {
  if (ms > most) throw new RangeError(`${action}: ${name} must be <= ${most}, got ${ms}`);
}

/** @param verb begins the message. @throws {TypeError} {RangeError} if `value` is no name. */
function checkName(verb: string, name: string, value: unknown): void {
  checkText(verb, name, value);
  if (value === '') throw new RangeError(`${verb}: ${name} must not be empty`);
}

/**
 * Checks what a topic is named, by the rule of Kafka (`Topic.validate`).
 *
 * @param verb begins the message. @throws {TypeError} {RangeError} if `value` is no such name.
 */
export function checkTopic(verb: string, name: string, value: unknown, isDefault = false): void {
  checkText(verb, name, value);
  if (/^[a-zA-Z0-9._-]{1,249}$/.test(value) && value !== '.' && value !== '..') return;
  const got = value.length > 249 ? `${value.length} characters` : JSON.stringify(value);
  const why = isDefault ? ', which is the default here: give another one' : '';
  throw new RangeError(
    `${verb}: ${name} must be 1 to 249 of the characters a-z, A-Z, 0-9, ".", "_" and "-", and not "." or "..", got ${got}${why}`,
  );
}

function checkVersion(value: unknown): void {
  checkText(action, 'version', value);
  if (/^\d{1,3}\.\d{1,3}(?:\.\d{1,3}){0,2}$/.test(value)) return;
  throw new RangeError(`${action}: version must be like "2.8" or "2.8.0", got ${JSON.stringify(value)}`);
}

/** @param verb begins the message. @throws {TypeError} {RangeError} if an option is not as it should be. */
export function checkServer(verb: string, { brokers, client, tls, sasl }: ServerOptions): void {
  const alien = Object.entries({ brokers, tls, sasl }).find(([, value]) => value !== undefined);
  if (client !== undefined && alien !== undefined) {
    throw new TypeError(`${verb}: give one of client and ${alien[0]}, not both`);
  }
  if (brokers !== undefined) checkBrokers(verb, brokers);
  if (tls !== undefined && typeof tls !== 'boolean' && (typeof tls !== 'object' || tls === null)) {
    throw new TypeError(`${verb}: tls must be true, false or an object`);
  }
  if (sasl === undefined) return;
  checkOptions(`${verb}: sasl`, sasl, ['mechanism', 'username', 'password']);
  checkOneOf(verb, 'sasl.mechanism', sasl.mechanism, ['plain', 'scram-sha-256', 'scram-sha-512']);
  checkText(verb, 'sasl.username', sasl.username);
  checkText(verb, 'sasl.password', sasl.password);
}

function checkBrokers(verb: string, brokers: unknown): void {
  if (!Array.isArray(brokers) || brokers.length === 0) {
    throw new TypeError(`${verb}: brokers must be an array of addresses such as "localhost:9092"`);
  }
  for (const [index, broker] of brokers.entries()) {
    const name = `brokers[${index}]`;
    checkText(verb, name, broker);
    if (/^(?:\[[\da-fA-F:.]+\]|[^\s:/@]+):\d{1,5}$/.test(broker)) continue;
    // What is no address may hold a password.
    const got = broker.includes('@') ? 'something with an @' : JSON.stringify(broker);
    throw new RangeError(`${verb}: ${name} must be "host:port", such as "localhost:9092", got ${got}`);
  }
}

function warnProcess(warning: string): void {
  process.emitWarning(warning, { type: 'NqWarning', code: 'NQ_KAFKA' });
}
