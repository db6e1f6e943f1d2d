import { NqError } from '@nq/core';

/** What a queue object keeps in Redis for as long as it may send its last request again. */
export const memoryKinds = ['push', 'consume', 'letters', 'rewind'] as const;

type MemoryKind = (typeof memoryKinds)[number];

/** The names under which every queue is in Redis. All of them are in one slot of a cluster. */
export interface QueueKeys {
  /** What all names but that of the user begin with. `groups` behind it is the name of the groups of a stream: a sorted set. */
  readonly base: string;
  /**
   * What the names of lists begin with that are in flight: consumer, `:` and the number of the first hand-out follow, and
   * `:settled` for the set of those of its places that are settled.
   */
  readonly held: string;
  /** When leases end: a sorted set. */
  readonly leases: string;
  /** What waits for the end of a delay: a sorted set. */
  readonly delayed: string;
  /** Dead letters: a list, the oldest on the left. */
  readonly dead: string;
  /** The last request of the queue object `id`: a string that expires. */
  memory(kind: MemoryKind, id: string): string;
}

/** The names of a queue on a list. */
export interface ListKeys extends QueueKeys {
  /** What is ready: the list of the user. New elements come in on the left, the oldest is on the right. */
  readonly ready: string;
  /** What woke somebody who waited, for the moment until it is taken: a list. */
  readonly staged: string;
}

/** The names of a group on a stream. */
export interface StreamKeys extends QueueKeys {
  /** The stream of the user. */
  readonly stream: string;
  /** What all names of this group begin with. */
  readonly group: string;
  /** What was given back to the group: a sorted set, in the order of the ids. */
  readonly returned: string;
  /** Dead letters that are replayed: a list. */
  readonly replayed: string;
}

/** The names of a queue on the list `key`. @throws {NqError} as {@link baseOf}. */
export function listKeysOf(key: string): ListKeys {
  const base = baseOf(key);
  return { ...keysFrom(base, base), ready: key, staged: `${base}staged` };
}

/** The names of `group` on the stream `key`. @throws {NqError} as {@link baseOf}. */
export function streamKeysOf(key: string, group: string): StreamKeys {
  const base = baseOf(key);
  const own = `${base}${group}:`;
  return { ...keysFrom(base, own), stream: key, group: own, returned: `${own}returned`, replayed: `${own}replayed` };
}

function keysFrom(base: string, own: string): QueueKeys {
  return {
    base,
    held: `${own}held:`,
    leases: `${own}leases`,
    delayed: `${own}delayed`,
    dead: `${own}dead`,
    memory: (kind, id) => `${base}${kind}:${id}`,
  };
}

const onlyTag = /^\{[^}]+\}(?:\{\})*$/;

/**
 * What the names that belong to `key` begin with.
 *
 * A cluster puts a key where the text between its first `{` and the next `}` says, if there is any (Redis Cluster
 * specification, "Hash tags"). A key without such a tag becomes the tag of the others; one that has a tag is kept as their
 * beginning. So that no two queues share a name, one that is nothing but a tag, as `{x}`, is told from `x` by braces behind.
 *
 * @throws {NqError} `NQ_CONFIG` for a key with braces that are no tag, for then no other key could be in its slot.
 */
function baseOf(key: string): string {
  const open = key.indexOf('{');
  const close = key.indexOf('}', open + 1);
  if (open !== -1 && close > open + 1) return onlyTag.test(key) ? `${key}{}:nq:` : `${key}:nq:`;
  if (!key.includes('}')) return `{${key}}:nq:`;
  throw new NqError(
    'NQ_CONFIG',
    `Cannot open a Redis queue: queueKey must have no "}", or a tag such as {orders}:events, got ${JSON.stringify(key)}`,
  );
}
