import type { QueueKeys } from './keys.ts';
import type { RedisClient, Script } from './script.ts';

/** A script and its keys, but for the memory of a queue object. */
export interface BoundScript {
  readonly script: Script;
  readonly keys: readonly string[];
}

/** How a mode keeps events in Redis: the rest is the same for all. */
export interface Layout {
  /** The type that `TYPE` answers for the key of the user. */
  readonly type: 'list' | 'stream';
  readonly keys: QueueKeys;
  /** The element in what is held. */
  readonly elementOf: (record: Buffer) => Buffer;
  /** Ends every reason why something is no event: what else is none. */
  readonly hint: string;
  /** Looks whether the key can be used, and makes what must be there before the first request. */
  readonly open: BoundScript & { readonly args: readonly string[] };
  /** The script of {@link Producer}; its first key is the memory, its first arguments the number and the capacity. */
  readonly push: BoundScript & { readonly args: readonly (string | number)[] };
  /** The script of {@link ConsumerLine}. Its keys are told apart by where the memory comes. */
  readonly consume: { readonly script: Script; readonly keys: (memory: string) => readonly string[] };
  readonly size: BoundScript;
  /** The script of dead letters; its first key is the memory. */
  readonly letters: BoundScript;
  /** The longest that Redis is asked to block, in milliseconds. */
  readonly longestBlockMs: number;
  /** Hands out again from an entry on. Its first key is the memory, its first argument the number; then the two numbers of the id. */
  readonly rewind?: BoundScript;
  /** Blocks until something is pushed, for `ms` at most. @returns whether something was moved, and so is for somebody. */
  wait(client: RedisClient, ms: number): Promise<boolean>;
  /** Puts what woke us, and nobody took, back to where it wakes somebody else. */
  unstage?(client: RedisClient): Promise<unknown>;
}
