import { listKeysOf } from './keys.ts';
import type { Layout } from './layout.ts';
import { listOpen } from './scripts/open-scripts.ts';
import { listConsume, listLetters, listPush, listSize } from './scripts/list-scripts.ts';

/**
 * A plain list: `LLEN` and `LRANGE` show it, and whoever writes JSON with `LPUSH` is a producer.
 *
 * @throws {NqError} `NQ_CONFIG` if `key` cannot be one.
 */
export function listLayout(key: string): Layout {
  const keys = listKeysOf(key);
  const { base, held, leases, delayed, dead, ready, staged } = keys;
  return {
    type: 'list',
    keys,
    elementOf: (record) => record,
    hint: '',
    open: { script: listOpen, keys: [ready, base], args: [] },
    push: { script: listPush, keys: [ready, staged, delayed], args: [] },
    consume: { script: listConsume, keys: (memory) => [held, leases, delayed, dead, memory, ready, staged] },
    size: { script: listSize, keys: [held, leases, delayed, ready, staged] },
    letters: { script: listLetters, keys: [dead, ready] },
    // Also how long nobody may look for leases and delays of others that began meanwhile.
    longestBlockMs: 2000,
    // It moves the oldest element to where the next claim takes it first. BRPOP would lose it with the connection.
    wait: async (client, ms) => (await client.blmove(ready, staged, 'RIGHT', 'LEFT', ms / 1000)) !== null,
    unstage: (client) => client.lmove(staged, ready, 'LEFT', 'RIGHT'),
  };
}
