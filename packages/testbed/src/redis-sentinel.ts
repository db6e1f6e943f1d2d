import { makeCertificate } from './certificate.ts';
import { startNativeRedises, stopAll } from './redis-group.ts';
import type { RedisReply } from './resp.ts';
import type { TestRedis } from './test-redis.ts';
import { until } from './until.ts';

/** How a primary with a replica and sentinels is started. */
export interface RedisSentinelOptions {
  /** How many sentinels watch them. More than half have to agree before the replica is promoted. @default 3 */
  readonly sentinels?: number | undefined;
  /** Lines of redis.conf for primary and replica. @default none: what they hold is gone when they end */
  readonly config?: readonly string[] | undefined;
  /** Speak TLS only, with each other too: all have one certificate, which `ca` of each of them holds. @default false */
  readonly tls?: boolean | undefined;
}

/** Under this name clients ask sentinels for the primary. */
const name = 'nq';
/** After how long without an answer the primary is taken for down, in milliseconds: a busy machine stands still for a while. */
const downAfterMs = 2000;

/** A primary and a replica, with sentinels that promote the replica, all of them native processes. Disposing is `stop()`. */
export class RedisSentinel implements AsyncDisposable {
  /** Under this name clients ask sentinels for the primary. */
  readonly name = name;
  readonly sentinels: readonly TestRedis[];
  /** Primary and replica, whichever is which now. */
  readonly servers: readonly TestRedis[];

  /** Made by {@link redisSentinel}. */
  constructor(servers: readonly TestRedis[], sentinels: readonly TestRedis[]) {
    this.servers = servers;
    this.sentinels = sentinels;
  }

  /** The one of `servers` that all sentinels that run take for the primary. Resolves once they agree. */
  primary(): Promise<TestRedis> {
    return until('the sentinels to agree on a primary', () => this.#agreed());
  }

  /** Resolves once `server` serves as the primary, and every sentinel that runs says so. */
  async untilPrimary(server: TestRedis): Promise<void> {
    await until('the sentinels to agree on the next primary', async () => {
      return (await this.#agreed()) === server && (await roleOf(server)) === 'master';
    });
  }

  /**
   * Has the sentinels promote the replica while the primary runs. Resolves with it once they agree on it; until
   * `untilReplicated()` the other may still take writes, which are then lost, as sentinels have it.
   */
  async failover(): Promise<TestRedis> {
    const before = await this.primary();
    const next = this.servers.find((server) => server !== before) as TestRedis;
    await until('the sentinels to begin a failover', async () => {
      const sentinel = this.sentinels.find(({ pid }) => pid !== undefined);
      return (await sentinel?.command('SENTINEL', 'FAILOVER', name)) === 'OK';
    });
    await this.untilPrimary(next);
    return next;
  }

  /**
   * Resolves once the replica has all that the primary was told before, and every sentinel that runs knows it as one that
   * could be promoted. A former primary that takes itself for one still is told to follow: sentinels do that too, 8 s after
   * a failover.
   */
  async untilReplicated(): Promise<void> {
    // Adds to what is replicated, without a trace in the data: a replica that has just come gets nothing until it has
    // asked for more, and up to then nothing seems to be missing.
    await (await this.primary()).command('PUBLISH', 'nq-testbed', 'anything');
    const promotable = async (): Promise<boolean> => {
      const primary = await this.#agreed();
      const replica = this.servers.find((server) => server !== primary);
      if (primary === undefined || replica === undefined) return false;
      if ((await roleOf(replica)) === 'master') await replica.command('REPLICAOF', primary.host, primary.port);
      if (!hasAll(await primary.command('INFO', 'replication'), replica)) return false;
      const known = await this.#ask('REPLICAS');
      return known.every((replicas) => canBePromoted(replicas, replica));
    };
    // A Redis before 7 takes its time: sentinels look every ten seconds, and twice.
    await until('a replica that the sentinels can promote', promotable, { deadlineMs: 45_000 });
  }

  /** The server that all sentinels that run take for the primary; `undefined` while they do not agree. */
  async #agreed(): Promise<TestRedis | undefined> {
    const ports = (await this.#ask('GET-MASTER-ADDR-BY-NAME')).map(portOf);
    return ports.every((port) => port === ports[0]) ? this.servers.find(({ port }) => port === ports[0]) : undefined;
  }

  /** What each sentinel that runs answers. */
  #ask(question: string): Promise<readonly RedisReply[]> {
    const running = this.sentinels.filter(({ pid }) => pid !== undefined);
    return Promise.all(running.map((sentinel) => sentinel.command('SENTINEL', question, name)));
  }

  async stop(): Promise<void> {
    await stopAll([...this.sentinels, ...this.servers]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/**
 * Starts a primary, a replica and sentinels, always as native processes. Resolves once the replica follows and could be
 * promoted.
 *
 * @throws {Error} if there is no native Redis, or it does not start.
 */
export async function redisSentinel({
  sentinels: count = 3,
  config = [],
  tls = false,
}: RedisSentinelOptions = {}): Promise<RedisSentinel> {
  const quorum = Math.floor(count / 2) + 1;
  const certificate = tls && (await makeCertificate());
  const started: TestRedis[] = [];
  const start = async (what: string, lines: readonly string[][], sentinel = false): Promise<readonly TestRedis[]> => {
    const setups = lines.map((own) => ({ config: own, tls: certificate, sentinel }));
    const servers = await startNativeRedises(what, setups);
    started.push(...servers);
    return servers;
  };
  try {
    // Since Redis 7 a primary waits five seconds before it sends a copy, in case that more replicas come.
    const lines = ['repl-diskless-sync-delay 0', ...config];
    const [primary] = (await start('a primary', [lines])) as [TestRedis];
    const follow = `replicaof ${primary.host} ${primary.port}`;
    const [replica] = (await start('a replica', [[...lines, follow]])) as [TestRedis];
    // Sentinels ask a primary for its replicas when they meet it, and then only every ten seconds.
    await until('the replica to follow', async () =>
      /slave0:.*state=online/.test(String(await primary.command('INFO', 'replication'))),
    );
    const watch = [
      `sentinel monitor ${name} ${primary.host} ${primary.port} ${quorum}`,
      `sentinel down-after-milliseconds ${name} ${downAfterMs}`,
      // Until then a failover is not tried again after one that failed.
      `sentinel failover-timeout ${name} 3000`,
    ];
    const watching = Array.from({ length: count }, () => watch);
    const sentinels = await start(`${count} sentinels`, watching, true);
    for (const sentinel of sentinels) await hurry(sentinel);
    const group = new RedisSentinel([primary, replica], sentinels);
    await until('the sentinels to know each other', async () => {
      const others = await Promise.all(sentinels.map((one) => one.command('SENTINEL', 'SENTINELS', name)));
      return others.every((known) => Array.isArray(known) && known.length === count - 1);
    });
    await group.untilReplicated();
    return group;
  } catch (error) {
    await stopAll(started);
    throw error;
  }
}

/**
 * Has a sentinel look every second, not every ten, where it can be told to: since Redis 7. No oftener, and nothing else
 * that others wait for: it promotes only replicas of which it knows something that is younger than three of these periods,
 * and one that has not heard of a failover within four periods of publishing takes it back.
 */
async function hurry(sentinel: TestRedis): Promise<void> {
  await sentinel.command('SENTINEL', 'DEBUG', 'INFO-PERIOD', 1000, 'ASK-PERIOD', 100).catch(() => {});
}

/** The port in an address that a sentinel answers. */
function portOf(address: RedisReply): number {
  return Number(Array.isArray(address) ? address[1] : Number.NaN);
}

async function roleOf(server: TestRedis): Promise<unknown> {
  const role = await server.command('ROLE');
  return Array.isArray(role) ? role[0] : undefined;
}

/** Whether a primary says that this replica has confirmed all that there is. */
function hasAll(info: unknown, { port }: TestRedis): boolean {
  const text = String(info);
  const confirmed = new RegExp(`port=${port},state=online,offset=(\\d+),`).exec(text)?.[1];
  return confirmed !== undefined && confirmed === /master_repl_offset:(\d+)/.exec(text)?.[1];
}

/** Whether a sentinel's list of replicas, each a list of names and values, holds this one in good state. */
function canBePromoted(replicas: unknown, { port }: TestRedis): boolean {
  if (!Array.isArray(replicas)) return false;
  return replicas.some((fields: readonly string[]) => {
    const value = (field: string): string | undefined => fields[fields.indexOf(field) + 1];
    return value('port') === String(port) && value('flags') === 'slave' && value('master-link-status') === 'ok';
  });
}
