import { freePort } from './free-port.ts';
import { startNativeRedises, stopAll } from './redis-group.ts';
import type { TestRedis } from './test-redis.ts';
import { until } from './until.ts';

/** How a cluster is started. */
export interface RedisClusterOptions {
  /** How many primaries share the slots. @default 3 */
  readonly nodes?: number | undefined;
  /** Lines of redis.conf for each of them. @default none: what they hold is gone when they end */
  readonly config?: readonly string[] | undefined;
}

const slots = 16_384;

/** How far the port on which nodes talk to each other is from the one of clients, in every version. */
const busOffset = 10_000;

/** A Redis Cluster of native processes. Disposing of it is `stop()`. */
export class RedisCluster implements AsyncDisposable {
  /** Its primaries, in the order of their slots. */
  readonly nodes: readonly TestRedis[];

  /** Made by {@link redisCluster}. */
  constructor(nodes: readonly TestRedis[]) {
    this.nodes = nodes;
  }

  /** Resolves once every node that runs sees all slots served: after a start, and after a node was started again. */
  async untilOk(): Promise<void> {
    await until('every node to say cluster_state:ok', async () => {
      const running = this.nodes.filter(({ pid }) => pid !== undefined);
      const infos = await Promise.all(running.map((node) => node.command('CLUSTER', 'INFO')));
      return infos.every(
        (info) =>
          /^cluster_state:ok\r?$/m.test(String(info)) &&
          new RegExp(`^cluster_known_nodes:${this.nodes.length}\r?$`, 'm').test(String(info)),
      );
    });
  }

  async stop(): Promise<void> {
    await stopAll(this.nodes);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/**
 * Starts a Redis Cluster without replicas, always of native processes. Resolves once every node sees all slots served.
 *
 * @throws {RangeError} if there are no nodes. @throws {Error} if there is no native Redis, or it does not start.
 */
export async function redisCluster({ nodes: count = 3, config = [] }: RedisClusterOptions = {}): Promise<RedisCluster> {
  if (!(count >= 1)) throw new RangeError(`Cannot start a cluster: nodes must be >= 1, got ${count}`);
  const ports = await Promise.all(Array.from({ length: count }, () => freePort(busOffset)));
  const lines = ['cluster-enabled yes', 'cluster-config-file nodes.conf', 'cluster-node-timeout 1000', ...config];
  const nodes = await startNativeRedises(
    `a cluster of ${count}`,
    ports.map((port) => ({ config: lines, tls: false, port })),
  );
  const cluster = new RedisCluster(nodes);
  try {
    await connect(nodes);
    await cluster.untilOk();
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

/** Shares out the slots and has the nodes meet. */
async function connect(nodes: readonly TestRedis[]): Promise<void> {
  for (const [i, node] of nodes.entries()) {
    const first = Math.round((i * slots) / nodes.length);
    const end = Math.round(((i + 1) * slots) / nodes.length);
    // One by one: Redis 6.2 knows no ranges.
    await node.command('CLUSTER', 'ADDSLOTS', ...Array.from({ length: end - first }, (_, slot) => first + slot));
    // Otherwise nodes first have to find out that all began with the same epoch.
    await node.command('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
  }
  for (const node of nodes) {
    for (const other of nodes) if (other !== node) await node.command('CLUSTER', 'MEET', other.host, other.port);
  }
}
