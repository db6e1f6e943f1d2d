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
  // Whoever accepts a connection and says nothing is no reason to wait for ever.
  commandTimeout: 3000,
  readOnly: false,
  sentinels: null,
} as const;

/** One that is under way. */
export interface Inquiry {
  /** Resolves when it has told what there is to tell. */
  readonly done: Promise<void>;
  /** Ends it: nothing is told any more. */
  readonly stop: () => void;
}

/**
 * Finds out why a client has no connection where it does not tell itself: of a connection to the nodes of a cluster, or to
 * Sentinels, ioredis passes on that it was lost, and not that TLS was refused. So some of them are connected to once more.
 *
 * @param tell is given the reason, unless there is none. What no time mends is told only if all who are asked say so.
 */
export function inquire(client: RedisClient, tell: (reason: unknown) => void): Inquiry {
  const asked = witnessesOf(client).slice(0, mostAsked);
  let hasEnded = false;
  const inquiry = async (): Promise<void> => {
    const reason = await reasonOf(asked, client.isCluster);
    if (!hasEnded && reason !== undefined) tell(reason);
  };
  const stop = (): void => {
    hasEnded = true;
    asked.forEach(end);
  };
  return { done: inquiry(), stop };
}

/** Of what those who are asked say, the reason that counts. Never rejects. */
async function reasonOf(asked: readonly Redis[], isCluster: boolean): Promise<unknown> {
  const reasons = await Promise.all(asked.map((one) => whyNotConnected(one, isCluster)));
  const isConfig = (reason: unknown): boolean => failureOf(reason)?.code === 'NQ_CONFIG';
  return reasons.every(isConfig) ? reasons[0] : reasons.find((one) => one !== undefined && !isConfig(one));
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
async function whyNotConnected(client: Redis, isNode: boolean): Promise<unknown> {
  let reason: unknown;
  client.on('error', (error: unknown) => (reason ??= error));
  try {
    await client.connect();
    // The second version of the protocol connects to whoever wants a password, and is not told so before it asks; and only a
    // Sentinel knows the question. Nodes are asked anyway, and a user may lack the permission there.
    if (!isNode) await client.call('sentinel', 'masters');
  } catch (error) {
    if (!isRefusedQuestion(error)) reason ??= error;
  }
  end(client);
  return reason;
}

/** Whoever may not ask this is connected, and to a Sentinel. */
function isRefusedQuestion(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOPERM');
}

function end(client: Redis): void {
  if (client.status !== 'end') client.disconnect();
}
