import { listKeysOf } from './keys.ts';

/** What the scripts and the clients of a queue call. */
const commands = [
  // Connections.
  ...['auth', 'hello', 'ping', 'select', 'client|setname', 'client|setinfo', 'info'],
  // Scripts, and what they call.
  ...['eval', 'evalsha', 'time', 'get', 'set'],
  ...['llen', 'lpush', 'rpush', 'rpop', 'lrange', 'lindex', 'ltrim', 'lset', 'lrem'],
  ...['hget', 'hset', 'hdel', 'hlen', 'hexists'],
  ...['zadd', 'zrem', 'zscore', 'zcard', 'zcount', 'zrange', 'zrangebyscore'],
  // Beside the scripts.
  ...['type', 'blmove', 'lmove', 'del', 'wait'],
] as const;

/**
 * The rules that a Redis user needs for the queue at `queueKey`, and none more: what follows `ACL SETUSER name on >password`.
 *
 * @throws {NqError} `NQ_CONFIG` as `redisQueue`, for a key that cannot be one.
 */
export function aclRules(queueKey: string): readonly string[] {
  const { ready, base } = listKeysOf(queueKey);
  const keys = [ready, base].map((key) => key.replaceAll(/[\\*?[\]]/g, String.raw`\$&`));
  return [
    'resetkeys',
    `~${keys[0]}`,
    `~${keys[1]}*`,
    'resetchannels',
    '-@all',
    ...commands.map((command) => `+${command}`),
  ];
}
