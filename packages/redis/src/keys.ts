import { NqError } from '@nq/core';

/** The names under which a queue is in Redis. All of them are in one slot of a cluster. */
export interface QueueKeys {
  /** What is ready: the list of the user. New elements come in on the left, the oldest is on the right. */
  readonly ready: string;
  /** What woke somebody who waited, for the moment until it is taken: a list. */
  readonly staged: string;
  /** What is in flight: a hash, by hand-out. */
  readonly held: string;
  /** When leases end: a sorted set. */
  readonly leases: string;
  /** What waits for the end of a delay: a sorted set. */
  readonly delayed: string;
  /** Dead letters: a list, the oldest on the left. */
  readonly dead: string;
  /** The last request of the queue object `id`: strings that expire. */
  memory(kind: 'push' | 'consume' | 'letters', id: string): string;
}

/**
 * The names that belong to `key`.
 *
 * A cluster puts a key where the text between its first `{` and the next `}` says, if there is any (Redis Cluster
 * specification, "Hash tags"). A key without such a tag becomes the tag of the others; one that has a tag is kept as their
 * beginning.
 *
 * @throws {NqError} `NQ_CONFIG` for a key with braces that are no tag, for then no other key could be in its slot.
 */
export function keysOf(key: string): QueueKeys {
  const base = `${hasTag(key) ? key : `{${key}}`}:nq:`;
  return {
    ready: key,
    staged: `${base}staged`,
    held: `${base}held`,
    leases: `${base}leases`,
    delayed: `${base}delayed`,
    dead: `${base}dead`,
    memory: (kind, id) => `${base}${kind}:${id}`,
  };
}

function hasTag(key: string): boolean {
  const open = key.indexOf('{');
  const close = key.indexOf('}', open + 1);
  if (open !== -1 && close > open + 1) return true;
  if (!key.includes('}')) return false;
  throw new NqError(
    'NQ_CONFIG',
    `Cannot open a Redis queue: queueKey must have no "}", or a tag such as {orders}:events, got ${JSON.stringify(key)}`,
  );
}
