import { keysOf } from './keys.ts';

/** What the scripts and the clients of a queue call. */
const commands = [
  // Connections, and those of a cluster. Nobody needs to be allowed AUTH and HELLO.
  ...['select', 'client|setname', 'info', 'cluster|slots', 'cluster|info'],
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
  const { ready, held } = keysOf(queueKey);
  const keys = [ready, held.slice(0, -'held'.length)].map(patternOf);
  return [
    'resetkeys',
    `~${keys[0]}`,
    `~${keys[1]}*`,
    'resetchannels',
    '-@all',
    ...commands.map((command) => `+${command}`),
  ];
}

/** A pattern that matches `key`. It cannot have blanks (Redis, "ACL SETUSER"): any character stands for one. */
function patternOf(key: string): string {
  return key.replaceAll(/[\\*?[\]]/g, String.raw`\$&`).replaceAll(/[ \t\n\v\f\r\0]/g, '?');
}
