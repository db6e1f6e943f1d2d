import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { describe } from '@nq/core/parts';
import type { RedisQueueOptions } from './redis-options.ts';
import type { RedisClient } from './script.ts';

/** Makes another client of the same server, not connected yet. */
export type MakeClient = (name: string) => RedisClient;

/**
 * How clients of ours behave, whoever says where the server is.
 *
 * Commands that have no answer are sent again after a reconnect: every write of ours may be. The opposite setting leaves
 * promises that never settle (ioredis #2193). Nothing is kept for later while there is no connection, for a command that
 * has timed out would be sent all the same (ioredis #2130): {@link Connection} waits instead. Automatic pipelining would
 * put commands behind one that blocks.
 */
const ours = {
  lazyConnect: true,
  maxRetriesPerRequest: null,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: true,
  enableAutoPipelining: false,
  enableReadyCheck: true,
  // Redis before 7.2 does not know CLIENT SETINFO, not even in the rules of a user. Our connections have names.
  disableClientInfo: true,
  keepAlive: 10_000,
  connectTimeout: 10_000,
  // A Sentinel that accepts a connection and says nothing is passed over.
  sentinelCommandTimeout: 3000,
  // A socket that is given up may not be able to end in peace, and what waits for its answers should not have to either.
  disconnectTimeout: 100,
  // Quick at first, for most cuts are short; up to 2 seconds, with chance in it, so that not all come back at once.
  retryStrategy: (times: number) => Math.min(20 * 2 ** Math.min(times, 7), 2000) * (0.75 + Math.random() / 2),
  // The primary has become a replica: connect anew, to the new one. To have the command sent there as well (2) would hide
  // what was answered, for it is refused as long as there is no connection.
  reconnectOnError: (error: Error) => (error.message.includes('READONLY') ? 1 : false),
} as const satisfies RedisOptions;

/** What must not be taken over from a client of the user. */
const notTheirs = {
  commandTimeout: undefined,
  socketTimeout: undefined,
  blockingTimeout: undefined,
  // Answers would look otherwise.
  stringNumbers: false,
  dropBufferSupport: false,
  monitor: false,
  readOnly: false,
  role: 'master',
} as const;

const action = 'Cannot open a Redis queue';

/**
 * What makes clients of the server that `options` name.
 *
 * @throws {TypeError} {RangeError} if an address is none, or a client cannot be used.
 */
export function clientMaker(options: RedisQueueOptions): MakeClient {
  const { client, cluster, sentinel } = options;
  if (client !== undefined) return likeClient(client);
  if (cluster !== undefined) {
    const nodes = cluster.map((addr) => readAddr('cluster', addr, 6379));
    const redisOptions = { ...accessOf(options), ...ofNode, keepAlive: ours.keepAlive };
    return (name) => {
      return new Cluster(nodes, { ...ofCluster, dnsLookup, redisOptions: { ...redisOptions, connectionName: name } });
    };
  }
  const access = accessOf(options);
  if (sentinel === undefined) {
    const place = placeOf(options);
    return (connectionName) => new Redis({ ...access, ...place, ...ours, connectionName });
  }
  const { name, addrs, username, password } = sentinel;
  const sentinels = {
    name,
    sentinels: addrs.map((addr) => readAddr('sentinel.addrs', addr, 26_379)),
    ...(username === undefined ? {} : { sentinelUsername: username }),
    ...(password === undefined ? {} : { sentinelPassword: password }),
    ...(access.tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: access.tls }),
    sentinelRetryStrategy: ours.retryStrategy,
  };
  return (connectionName) => new Redis({ ...access, ...sentinels, ...ours, connectionName });
}

const ofNode = {
  disableClientInfo: ours.disableClientInfo,
  // A replica that clients may read from runs our scripts up to their first write, and does not say who the primary is.
  // Without it there are others to ask.
  reconnectOnError: ours.reconnectOnError,
} as const satisfies RedisOptions;

const ofCluster = {
  lazyConnect: true,
  enableOfflineQueue: false,
  enableAutoPipelining: false,
  clusterRetryStrategy: ours.retryStrategy,
  scaleReads: 'master',
} as const;

/** A name stays one: who speaks TLS has a certificate for it, and not for its address. */
function dnsLookup(name: string, callback: (error: null, address: string) => void): void {
  callback(null, name);
}

function likeClient(client: RedisClient): MakeClient {
  if (typeof (client as Partial<RedisClient> | null)?.duplicate !== 'function') {
    throw new TypeError(`${action}: client must be a client of ioredis`);
  }
  const { keyPrefix } = client.options;
  if (keyPrefix !== undefined && keyPrefix !== '') {
    throw new TypeError(`${action}: client must have no keyPrefix, which would tear the keys of the queue apart`);
  }
  if (client.isCluster) {
    const theirs = client as Cluster;
    const { redisOptions } = theirs.options;
    return (connectionName) => {
      const own = { ...redisOptions, ...notTheirs, ...ofNode, connectionName } as object;
      return theirs.duplicate([], { ...ofCluster, redisOptions: own });
    };
  }
  return (connectionName) => (client as Redis).duplicate({ ...notTheirs, ...ours, connectionName } as RedisOptions);
}

interface Access {
  username?: string;
  password?: string;
  db?: number;
  tls?: object;
}

/** Who we are there. */
function accessOf({ username, password, db, tls, url }: RedisQueueOptions): Access {
  const given: Access = url === undefined ? {} : readUrl(url).access;
  const twice = Object.entries({ username, password, db }).find(
    ([name, value]) => value !== undefined && given[name as keyof Access] !== undefined,
  );
  if (twice !== undefined) throw new TypeError(`${action}: give one of url and ${twice[0]}, not both`);
  return {
    ...given,
    ...(username === undefined || username === '' ? {} : { username }),
    ...(password === undefined || password === '' ? {} : { password }),
    ...(db === undefined ? {} : { db }),
    ...(tls === undefined || tls === false ? {} : { tls: tls === true ? {} : tls }),
  };
}

function placeOf({ addr = 'localhost', url }: RedisQueueOptions): Address {
  return url === undefined ? readAddr('addr', addr, 6379) : readUrl(url).place;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

function readAddr(name: string, addr: string, defaultPort: number): Address {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]/@\s]+))(?::(\d{1,5}))?$/.exec(addr) ?? [];
  const host = bracketed ?? plain;
  const number = port === undefined ? defaultPort : Number(port);
  if (host === undefined || number < 1 || number > 65_535) {
    // Not shown if it may be a URL with a password.
    const got = /[@/]/.test(addr) ? 'what may be a URL' : describe(addr);
    throw new RangeError(`${action}: ${name} must be an address such as "localhost:6379", got ${got}`);
  }
  return { host, port: number };
}

function readUrl(text: string): { readonly place: Address; readonly access: Access } {
  let url: URL;
  try {
    url = new URL(text);
    decodeURIComponent(url.username + url.password);
  } catch {
    // Nothing of it is shown, for it may hold a password.
    const encoded = 'in which user and password are percent-encoded, as encodeURIComponent() does';
    throw new RangeError(`${action}: url must be a URL such as redis://localhost:6379/0, ${encoded}`);
  }
  const db = /^\/(\d{1,9})?$/.exec(url.pathname === '' ? '/' : url.pathname);
  const flaws = [
    !['redis:', 'rediss:'].includes(url.protocol) && 'another scheme',
    url.hostname === '' && 'no host',
    db === null && 'a path that is no number',
    url.search + url.hash !== '' && 'something behind ? or #',
  ].filter((flaw) => flaw !== false);
  if (db === null || flaws.length > 0) {
    throw new RangeError(`${action}: url must be redis://user:password@host:port/db or rediss://…, got ${flaws[0]}`);
  }
  return {
    place: { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? 6379 : Number(url.port) },
    access: {
      ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
      ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
      ...(db[1] === undefined ? {} : { db: Number(db[1]) }),
      ...(url.protocol === 'rediss:' ? { tls: {} } : {}),
    },
  };
}
