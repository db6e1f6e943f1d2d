import type { Cluster, Redis } from 'ioredis';
import { failureOf } from './errors.ts';
import type { RedisClient } from './script.ts';

/** How many are asked at most. */
const mostAsked = 3;

/** To connect once, and to nobody else. */
const once = {
  lazyConnect: true,
  retryStrategy: null,
  enableReadyCheck: false,
  readOnly: false,
  sentinels: null,
} as const;

/**
 * Finds out why a client has no connection where it does not tell itself: of a connection to the nodes of a cluster, or to
 * Sentinels, ioredis passes on that it was lost, and not that TLS was refused. So some of them are connected to once more.
 *
 * @param tell is given the reason, unless there is none. What no time mends is told only if all who are asked say so.
 * @returns ends it.
 */
export function inquire(client: RedisClient, tell: (reason: unknown) => void): () => void {
  const asked = witnessesOf(client).slice(0, mostAsked);
  void ask(asked, tell);
  return () => asked.forEach(end);
}

/** Never rejects. */
async function ask(asked: readonly Redis[], tell: (reason: unknown) => void): Promise<void> {
  const reasons = await Promise.all(asked.map(reasonOf));
  const isConfig = (reason: unknown): boolean => failureOf(reason)?.code === 'NQ_CONFIG';
  const reason = reasons.every(isConfig) ? reasons[0] : reasons.find((one) => one !== undefined && !isConfig(one));
  if (reason !== undefined) tell(reason);
}

/** Clients of those who know where the server is. */
function witnessesOf(client: RedisClient): readonly Redis[] {
  if (client.isCluster) return (client as Cluster).nodes().map((node) => node.duplicate(once as object));
  const { sentinels, sentinelUsername, sentinelPassword, sentinelTLS } = (client as Redis).options;
  const access = { username: sentinelUsername, password: sentinelPassword, tls: sentinelTLS, db: 0 };
  return (sentinels ?? []).map(({ host, port }) => {
    return (client as Redis).duplicate({ host, port, ...access, ...once } as object);
  });
}

/** Why there is no connection; `undefined` if there is one. Never rejects. */
async function reasonOf(client: Redis): Promise<unknown> {
  let reason: unknown;
  client.on('error', (error: unknown) => (reason ??= error));
  await client.connect().catch((error: unknown) => (reason ??= error));
  end(client);
  return reason;
}

function end(client: Redis): void {
  if (client.status !== 'end') client.disconnect();
}
