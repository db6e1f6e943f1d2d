import { listKeysOf } from './keys.ts';

/** What every queue calls. */
const common = [
  // Connections, and those of a cluster: ASKING is for a slot that is being moved. Nobody needs to be allowed AUTH and HELLO.
  ...['select', 'client|setname', 'info', 'cluster|slots', 'cluster|info', 'asking'],
  // Scripts, and what they call.
  ...['eval', 'evalsha', 'time', 'get', 'set'],
  ...['llen', 'rpush', 'lrange', 'ltrim', 'lset', 'lrem'],
  ...['lindex', 'sadd', 'scard', 'smembers', 'sismember', 'smismember', 'exists'],
  ...['zadd', 'zrem', 'zscore', 'zcard', 'zcount', 'zrange', 'zrangebyscore'],
  // Beside the scripts.
  ...['type', 'del', 'wait'],
];

/** What only a queue in that mode calls. */
const ofMode = {
  list: ['lpush', 'blmove', 'lmove', 'sort', 'memory|usage'],
  stream: [
    ...['xadd', 'xlen', 'xrange', 'xtrim', 'xreadgroup', 'xack', 'xpending', 'xinfo|groups', 'xinfo|stream'],
    ...['xgroup|create', 'xgroup|setid', 'zremrangebyrank'],
  ],
} as const;

/**
 * The rules that a Redis user needs for the queue at `queueKey`, and none more: what follows `ACL SETUSER name on >password`.
 * On a stream, they hold for all of its groups.
 *
 * @throws {NqError} `NQ_CONFIG` as `redisQueue`, for a key that cannot be one.
 */
export function aclRules(queueKey: string, mode: 'list' | 'stream' = 'list'): readonly string[] {
  const { ready, base } = listKeysOf(queueKey);
  const keys = [ready, base].map(patternOf);
  const commands = [...common, ...ofMode[mode]];
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
