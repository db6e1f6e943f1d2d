import { makeCertificate } from './certificate.ts';
import { freePort } from './free-port.ts';
import { startNativeRedises, stopAll } from './redis-group.ts';
import type { RedisReply } from './resp.ts';
import type { TestRedis } from './test-redis.ts';
import { until } from './until.ts';

/** How a cluster is started. */
export interface RedisClusterOptions {
  /** How many primaries share the slots. @default 3, the fewest of which one may die and be replaced */
  readonly nodes?: number | undefined;
  /** How many replicas each primary has. @default 0 */
  readonly replicas?: number | undefined;
  /** Lines of redis.conf for each of them. @default none: what they hold is gone when they end */
  readonly config?: readonly string[] | undefined;
  /**
   * Speak TLS only, with each other too: all have one certificate, which `ca` of each of them holds. `hostname`: it is good
   * for `localhost`, and for no address.
   *
   * @default false
   */
  readonly tls?: boolean | 'hostname' | undefined;
}

const slots = 16_384;

/** How far the port on which nodes talk to each other is from the one of clients, in every version. */
const busOffset = 10_000;

/** What a node knows of some slots: who serves them, the primary first, by their ports. */
interface ServedSlots {
  readonly first: number;
  readonly last: number;
  readonly ports: readonly number[];
}

/** A Redis Cluster of native processes. Disposing of it is `stop()`. */
export class RedisCluster implements AsyncDisposable {
  /** All of it: those that began as primaries, in the order of their slots, and behind them the replicas of each in turn. */
  readonly nodes: readonly TestRedis[];

  /** Made by {@link redisCluster}. */
  constructor(nodes: readonly TestRedis[]) {
    this.nodes = nodes;
  }

  /**
   * The node that serves the slot of `key`. Resolves once it runs, and every node that runs agrees: after it was killed,
   * so when its replica has been promoted.
   */
  primaryOf(key: string): Promise<TestRedis> {
    return until('the nodes to agree on who serves a key', async () => {
      const slot = await this.#running()[0]?.command('CLUSTER', 'KEYSLOT', key);
      const known = await this.#ask();
      const ports = known.map((served) => served.find(({ first, last }) => isWithin(slot, first, last))?.ports[0]);
      return ports.every((port) => port === ports[0]) && this.#running().find(({ port }) => port === ports[0]);
    });
  }

  /** Resolves once every node that runs sees all slots served: after a start, and after a node was started again. */
  async untilOk(): Promise<void> {
    await until('every node to say cluster_state:ok', async () => {
      const infos = await Promise.all(this.#running().map((node) => node.command('CLUSTER', 'INFO')));
      return infos.every(
        (info) =>
          /^cluster_state:ok\r?$/m.test(String(info)) &&
          new RegExp(`^cluster_known_nodes:${this.nodes.length}\r?$`, 'm').test(String(info)),
      );
    });
  }

  /**
   * Resolves once each replica that runs has all that its primary was told before, and every node that runs knows whose
   * replica it is: any of them could be promoted.
   */
  async untilReplicated(): Promise<void> {
    await until('every replica to follow its primary', async () => {
      const known = await this.#ask();
      // Whoever serves no slots is known only as the replica of somebody who does.
      const listed = known.map((served) => new Set(served.flatMap(({ ports }) => ports)));
      if (!this.#running().every(({ port }) => listed.every((ports) => ports.has(port)))) return false;
      const infos = await Promise.all(
        this.#running().map(async (node) => String(await node.command('INFO', 'replication'))),
      );
      return infos.every((info) => {
        const primary = infos[this.#running().findIndex(({ port }) => port === numberIn(info, 'master_port'))];
        if (primary === undefined) return info.includes('role:master');
        // Not what the primary has heard from it: one that has just come is behind, and has not said so yet.
        const has = numberIn(info, 'slave_repl_offset');
        return info.includes('master_link_status:up') && has >= numberIn(primary, 'master_repl_offset');
      });
    });
  }

  async stop(): Promise<void> {
    await stopAll(this.nodes);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  #running(): readonly TestRedis[] {
    return this.nodes.filter(({ pid }) => pid !== undefined);
  }

  /** What each node that runs knows. */
  async #ask(): Promise<readonly (readonly ServedSlots[])[]> {
    const answers = await Promise.all(this.#running().map((node) => node.command('CLUSTER', 'SLOTS')));
    return answers.map((answer) => (answer as RedisReply[]).map(readSlots));
  }
}

/**
 * Starts a Redis Cluster, always of native processes. Resolves once every node sees all slots served, and every replica
 * could be promoted.
 *
 * @throws {RangeError} if `nodes` is less than 1, or `replicas` less than 0. @throws {Error} if there is no native Redis, or it does not start.
 */
export async function redisCluster({
  nodes: count = 3,
  replicas = 0,
  config = [],
  tls = false,
}: RedisClusterOptions = {}): Promise<RedisCluster> {
  if (!(count >= 1)) throw new RangeError(`Cannot start a cluster: nodes must be >= 1, got ${count}`);
  if (!(replicas >= 0)) throw new RangeError(`Cannot start a cluster: replicas must be >= 0, got ${replicas}`);
  const all = count * (1 + replicas);
  const ports = await Promise.all(Array.from({ length: all }, () => freePort(busOffset)));
  const lines = [
    ...['cluster-enabled yes', 'cluster-config-file nodes.conf', 'cluster-node-timeout 2000'],
    // Since Redis 7 a primary waits five seconds before it sends a copy, in case that more replicas come.
    'repl-diskless-sync-delay 0',
    // A replica that was never told anything counts as none, and until there are writes it is told this.
    'repl-ping-replica-period 1',
    ...config,
  ];
  const certificate = tls === false ? false : await makeCertificate({ addresses: tls === true });
  const nodes = await startNativeRedises(
    replicas === 0 ? `a cluster of ${count}` : `a cluster of ${count} with ${replicas} replicas each`,
    ports.map((port) => ({ config: lines, tls: certificate, port })),
  );
  const cluster = new RedisCluster(nodes);
  try {
    await connect(nodes, count);
    await cluster.untilOk();
    await cluster.untilReplicated();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

/** Shares out the slots among the first `count`, has all meet, and makes the others their replicas. */
async function connect(nodes: readonly TestRedis[], count: number): Promise<void> {
  const primaries = nodes.slice(0, count);
  for (const [i, node] of primaries.entries()) {
    const first = Math.round((i * slots) / count);
    const end = Math.round(((i + 1) * slots) / count);
    // One by one: Redis 6.2 knows no ranges.
    await node.command('CLUSTER', 'ADDSLOTS', ...Array.from({ length: end - first }, (_, slot) => first + slot));
  }
  for (const [i, node] of nodes.entries()) {
    // Otherwise nodes first have to find out that all began with the same epoch.
    await node.command('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
  }
  for (const node of nodes) {
    for (const other of nodes) if (other !== node) await node.command('CLUSTER', 'MEET', other.host, other.port);
  }
  for (const [i, replica] of nodes.slice(count).entries()) {
    const id = String(await primaries[i % count]?.command('CLUSTER', 'MYID'));
    await until('a replica to know its primary', async () => {
      return (await replica.command('CLUSTER', 'REPLICATE', id)) === 'OK';
    });
  }
}

/** One entry of what CLUSTER SLOTS answers. */
function readSlots(entry: RedisReply): ServedSlots {
  const [first, last, ...servers] = entry as [number, number, ...(readonly unknown[])[]];
  return { first, last, ports: servers.map(([, port]) => Number(port)) };
}

function isWithin(slot: unknown, first: number, last: number): boolean {
  return Number(slot) >= first && Number(slot) <= last;
}

/** The number in a line of INFO; NaN if it is not there. */
function numberIn(info: string, name: string): number {
  return Number(new RegExp(`^${name}:(\\d+)\r?$`, 'm').exec(info)?.[1] ?? Number.NaN);
}
