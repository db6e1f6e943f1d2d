import type { ConnectionOptions } from 'node:tls';
import type { ForeignOptions } from '@nq/core';
import { checkCount, checkFunction, checkMs, checkOneOf, checkOptions, checkText, describe } from '@nq/core/parts';
import { longestRequestMs } from './request-memory.ts';
import type { RedisClient } from './script.ts';
import type { StreamOptions } from './stream-layout.ts';

/** Where a Redis is that Sentinels watch. */
export interface SentinelOptions {
  /** The name by which the Sentinels know the primary. */
  readonly name: string;
  /** The Sentinels, as `host:port`; `26379` where there is no port. */
  readonly addrs: readonly string[];
  readonly username?: string | undefined;
  /** The password of the Sentinels, which is not that of the server. */
  readonly password?: string | undefined;
}

/** What an accepted event has to survive. */
export interface DurabilityOptions {
  /** How many replicas must have what was written before a call resolves. */
  readonly replicas: number;
  /**
   * How long to wait for them, in whole milliseconds, at most `requestTimeoutMs`; then a push rejects `NQ_OUTCOME_UNKNOWN`.
   *
   * @default 1000, or half of `requestTimeoutMs` if that is less
   */
  readonly timeoutMs?: number | undefined;
}

/** How a queue on Redis is opened. The object is copied. */
export interface RedisQueueOptions {
  /**
   * The list, or the stream, that holds the events that are ready. A cluster has everything of this queue in the slot of
   * this key.
   */
  readonly queueKey: string;
  /** `list`: each event goes to one consumer. `stream`: to one consumer of each group, and again after a rewind. @default 'list' */
  readonly mode?: 'list' | 'stream' | undefined;
  /** The group that this queue object consumes for: letters, digits, `.`, `_` and `-`. A stream needs it. */
  readonly group?: string | undefined;
  /** Where a group of a stream begins that nobody has opened before. @default 'earliest' */
  readonly startFrom?: 'earliest' | 'latest' | undefined;
  /** How many events a stream keeps for a rewind; more while a group still needs them. @default 1000 */
  readonly retain?: number | undefined;
  /** The server, as `host:port`; `6379` where there is no port. @default 'localhost:6379' */
  readonly addr?: string | undefined;
  /** The server as one address, `redis://user:password@host:port/db` or `rediss://…`, instead of `addr` and what belongs to it. */
  readonly url?: string | undefined;
  /** @default the default user of the server */
  readonly username?: string | undefined;
  /** No password if it is empty. @default '' */
  readonly password?: string | undefined;
  /** The number of the database. @default 0 */
  readonly db?: number | undefined;
  /** TLS, with Sentinels and all nodes of a cluster too: `true`, or what `tls.connect()` of Node.js takes. @default false */
  readonly tls?: boolean | ConnectionOptions | undefined;
  /** Finds the server through Sentinels, instead of `addr`: `{ name, addrs: ['sentinel-1:26379'] }`, with `username` and `password` of their own. */
  readonly sentinel?: SentinelOptions | undefined;
  /** Some nodes of a Redis Cluster, as `host:port`, instead of `addr`. */
  readonly cluster?: readonly string[] | undefined;
  /** Connects as this client of ioredis does, with connections of our own. It is neither used nor closed. */
  readonly client?: RedisClient | undefined;
  /** How many ready and delayed events it takes; `Infinity` for no bound. Each producer keeps to its own. @default 1000 */
  readonly capacity?: number | undefined;
  /** How long a delivery is ours before the event is handed out again, in milliseconds. @default 30_000 */
  readonly leaseMs?: number | undefined;
  /** The largest event as structured CloudEvents JSON, in bytes. @default 1_048_576 */
  readonly maxPayloadBytes?: number | undefined;
  /** The member of foreign JSON that is the key of the event. @default 'key' */
  readonly foreignKey?: string | undefined;
  /** Waits for replicas before a push counts as done, `{ replicas: 1, timeoutMs: 1000 }`. A settlement that is lost with the primary makes its event come again. @default no replica is waited for */
  readonly durability?: DurabilityOptions | undefined;
  /** How long opening may take, in milliseconds. @default 10_000 */
  readonly openTimeoutMs?: number | undefined;
  /** How long a request may be without an answer, reconnecting included, in milliseconds; at most 300,000. @default 5000 */
  readonly requestTimeoutMs?: number | undefined;
  /** Told what the server does not keep, and what else is worth knowing. @default a warning of the process */
  readonly onWarning?: ((warning: string) => void) | undefined;
}

/** {@link DurabilityOptions} with every default filled in. */
export interface ResolvedDurability {
  readonly replicas: number;
  readonly timeoutMs: number;
}

/** {@link RedisQueueOptions} with every default filled in, but for where the server is. */
export interface ResolvedRedisOptions {
  readonly queueKey: string;
  /** How a stream is used; `undefined` for a list. */
  readonly stream: StreamOptions | undefined;
  readonly server: RedisQueueOptions;
  readonly capacity: number;
  readonly leaseMs: number;
  readonly maxPayloadBytes: number;
  readonly foreign: ForeignOptions | undefined;
  readonly durability: ResolvedDurability | undefined;
  readonly openTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly onWarning: (warning: string) => void;
}

/** What is taken where nothing is said. */
export const defaultRedisOptions = {
  capacity: 1000,
  leaseMs: 30_000,
  // The same limit as the default of Kafka's `message.max.bytes`, rounded: an event that fits here fits there.
  maxPayloadBytes: 1_048_576,
  startFrom: 'earliest',
  retain: 1000,
  openTimeoutMs: 10_000,
  requestTimeoutMs: 5000,
} as const;

const action = 'Cannot open a Redis queue';
const known = [
  'queueKey',
  'mode',
  'group',
  'startFrom',
  'retain',
  'addr',
  'url',
  'username',
  'password',
  'db',
  'tls',
  'sentinel',
  'cluster',
  'client',
  'capacity',
  'leaseMs',
  'maxPayloadBytes',
  'foreignKey',
  'durability',
  'openTimeoutMs',
  'requestTimeoutMs',
  'onWarning',
] as const satisfies (keyof RedisQueueOptions)[];

/** Ways to say where the server is: one of them. */
const places = ['url', 'sentinel', 'cluster', 'client', 'addr'] as const;

/**
 * `options` with every default filled in.
 *
 * @throws {TypeError} if an option is unknown, missing or of the wrong type. @throws {RangeError} if it is out of range.
 */
export function resolveOptions(options: RedisQueueOptions): ResolvedRedisOptions {
  checkOptions(action, options, known);
  const {
    queueKey,
    mode,
    group,
    startFrom,
    retain,
    capacity = defaultRedisOptions.capacity,
    leaseMs = defaultRedisOptions.leaseMs,
    maxPayloadBytes = defaultRedisOptions.maxPayloadBytes,
    foreignKey,
    durability,
    openTimeoutMs = defaultRedisOptions.openTimeoutMs,
    requestTimeoutMs = defaultRedisOptions.requestTimeoutMs,
    onWarning = warnProcess,
    ...server
  } = options;
  checkText(action, 'queueKey', queueKey);
  if (queueKey === '') throw new RangeError(`${action}: queueKey must not be empty`);
  checkCount(action, 'capacity', capacity, 1, Infinity);
  checkMs(action, 'leaseMs', leaseMs, 1);
  if (leaseMs === Infinity) throw new RangeError(`${action}: leaseMs must be finite, got Infinity`);
  // Redis keeps 512 MiB in one value.
  checkCount(action, 'maxPayloadBytes', maxPayloadBytes, 1, 512 * 1024 * 1024);
  if (foreignKey !== undefined) checkText(action, 'foreignKey', foreignKey);
  if (foreignKey === '') throw new RangeError(`${action}: foreignKey must not be empty`);
  checkMs(action, 'openTimeoutMs', openTimeoutMs, 1);
  checkMs(action, 'requestTimeoutMs', requestTimeoutMs, 1);
  if (requestTimeoutMs > longestRequestMs) {
    throw new RangeError(`${action}: requestTimeoutMs must be at most ${longestRequestMs}, got ${requestTimeoutMs}`);
  }
  checkFunction(action, 'onWarning', onWarning);
  checkServer(server as RedisQueueOptions);
  return {
    queueKey,
    stream: resolveStream({ mode, group, startFrom, retain }),
    server: { ...options },
    capacity,
    leaseMs,
    maxPayloadBytes,
    foreign: foreignKey === undefined ? undefined : { key: foreignKey },
    durability: resolveDurability(durability, requestTimeoutMs),
    openTimeoutMs,
    requestTimeoutMs,
    onWarning,
  };
}

function resolveStream(
  options: Pick<RedisQueueOptions, 'mode' | 'group' | 'startFrom' | 'retain'>,
): StreamOptions | undefined {
  const {
    mode = 'list',
    group,
    startFrom = defaultRedisOptions.startFrom,
    retain = defaultRedisOptions.retain,
  } = options;
  checkOneOf(action, 'mode', mode, ['list', 'stream']);
  if (mode === 'list') {
    const other = (['group', 'startFrom', 'retain'] as const).find((name) => options[name] !== undefined);
    const why = other === 'retain' ? 'keeps nothing that was acknowledged' : 'has no groups';
    if (other !== undefined) throw new TypeError(`${action}: ${other} needs mode: 'stream', for a list ${why}`);
    return undefined;
  }
  if (group === undefined) throw new TypeError(`${action}: group must be given with mode: 'stream'`);
  checkText(action, 'group', group);
  // It is a part of the names of keys, between colons.
  if (!/^[\w.-]+$/.test(group)) {
    throw new RangeError(`${action}: group must consist of letters, digits, ".", "_" and "-", got ${describe(group)}`);
  }
  checkOneOf(action, 'startFrom', startFrom, ['earliest', 'latest']);
  checkCount(action, 'retain', retain, 0);
  return { group, startFrom, retain };
}

function resolveDurability(
  durability: DurabilityOptions | undefined,
  requestTimeoutMs: number,
): ResolvedDurability | undefined {
  if (durability === undefined) return undefined;
  checkOptions(`${action}: durability`, durability, ['replicas', 'timeoutMs']);
  const { replicas, timeoutMs = Math.min(1000, Math.ceil(requestTimeoutMs / 2)) } = durability;
  checkCount(action, 'durability.replicas', replicas, 1);
  checkCount(action, 'durability.timeoutMs', timeoutMs, 1);
  if (timeoutMs > requestTimeoutMs) {
    throw new RangeError(
      `${action}: durability.timeoutMs must be at most requestTimeoutMs, which is ${requestTimeoutMs}, got ${timeoutMs}`,
    );
  }
  return { replicas, timeoutMs };
}

function checkServer(server: RedisQueueOptions): void {
  const { url, addr, username, password, db, tls, sentinel, cluster } = server;
  const [first, second] = places.filter((place) => server[place] !== undefined);
  if (second !== undefined) throw new TypeError(`${action}: give one of ${first} and ${second}, not both`);
  for (const [name, text] of Object.entries({ url, addr, username, password })) {
    if (text !== undefined) checkText(action, name, text);
  }
  const alien = (['username', 'password', 'db', 'tls'] as const).find((name) => server[name] !== undefined);
  if (server.client !== undefined && alien !== undefined) {
    throw new TypeError(`${action}: give one of client and ${alien}, not both`);
  }
  if (db !== undefined) checkCount(action, 'db', db, 0);
  if (cluster !== undefined && db !== undefined && db !== 0) {
    throw new RangeError(`${action}: db must be 0 in a cluster, got ${db}`);
  }
  if (tls !== undefined && typeof tls !== 'boolean' && (typeof tls !== 'object' || tls === null)) {
    throw new TypeError(`${action}: tls must be true, false or an object`);
  }
  if (cluster !== undefined) checkAddrs('cluster', cluster);
  if (sentinel === undefined) return;
  checkOptions(`${action}: sentinel`, sentinel, ['name', 'addrs', 'username', 'password']);
  checkText(action, 'sentinel.name', sentinel.name);
  checkAddrs('sentinel.addrs', sentinel.addrs);
  for (const name of ['username', 'password'] as const) {
    if (sentinel[name] !== undefined) checkText(action, `sentinel.${name}`, sentinel[name]);
  }
}

function checkAddrs(name: string, addrs: unknown): void {
  const right = Array.isArray(addrs) && addrs.length > 0 && addrs.every((addr) => typeof addr === 'string');
  if (!right) throw new TypeError(`${action}: ${name} must be an array of addresses such as "localhost:6379"`);
}

function warnProcess(warning: string): void {
  process.emitWarning(warning, { type: 'NqWarning', code: 'NQ_REDIS' });
}
