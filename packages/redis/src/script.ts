import { createHash } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';

/** A client of ioredis, for one server or for a cluster. */
export type RedisClient = Redis | Cluster;

/** A Lua script that Redis runs in one step: nothing else happens meanwhile, and it happens whole or not at all. */
export interface Script {
  readonly lua: string;
  /** The name by which the server remembers it. */
  readonly sha: string;
}

export function defineScript(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

/** What a script is given. */
export type ScriptArgument = string | number | Buffer;

/**
 * Runs `script`, which is sent whole only if the server does not know it: for the first time, after a restart, or after
 * SCRIPT FLUSH. Strings in its answer are bytes.
 *
 * @throws whatever the client throws.
 */
export async function runScript(
  client: RedisClient,
  script: Script,
  keys: readonly string[],
  args: readonly ScriptArgument[],
): Promise<unknown> {
  // As an array: as many as there may be do not fit on the stack.
  const all = [...keys, ...args];
  try {
    return await client.callBuffer('evalsha', [script.sha, keys.length, ...all]);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return client.callBuffer('eval', [script.lua, keys.length, ...all]);
  }
}
