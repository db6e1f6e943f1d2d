import type { Redis } from 'ioredis';
import type { RedisClient } from './script.ts';

/** What `send` sends leaves together, where there is one connection for all of it. */
export function inOneWrite<Result>(client: RedisClient, send: () => Result): Result {
  if (client.isCluster) return send();
  const { stream } = client as Redis;
  stream.cork();
  try {
    return send();
  } finally {
    stream.uncork();
  }
}
