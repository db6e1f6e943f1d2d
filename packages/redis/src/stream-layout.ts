import { streamKeysOf } from './keys.ts';
import type { Layout } from './layout.ts';
import { streamOpen } from './scripts/open-scripts.ts';
import { streamConsume, streamLetters, streamPush, streamRewind, streamSize } from './scripts/stream-scripts.ts';

/** What decides how a stream is used. */
export interface StreamOptions {
  readonly group: string;
  /** Where a group begins that nobody has seen before. */
  readonly startFrom: 'earliest' | 'latest';
  /** How many events are kept for a replay. */
  readonly retain: number;
}

/**
 * A stream, of which every group gets every event: `XLEN`, `XRANGE` and `XINFO GROUPS` show it, and whoever writes JSON
 * with `XADD … d` is a producer.
 *
 * @throws {NqError} `NQ_CONFIG` if `key` cannot be one.
 */
export function streamLayout(key: string, { group, startFrom, retain }: StreamOptions): Layout {
  const keys = streamKeysOf(key, group);
  const { base, held, leases, delayed, dead, stream, returned, replayed } = keys;
  return {
    type: 'stream',
    keys,
    elementOf,
    // What has no such field is shown with its names and values.
    hint: '; an entry of a stream that has no field d is no event',
    open: { script: streamOpen, keys: [stream, base], args: [group, startFrom === 'earliest' ? '0' : '$'] },
    push: { script: streamPush, keys: [stream, base], args: [retain] },
    consume: {
      script: streamConsume,
      keys: (memory) => [held, leases, delayed, dead, memory, stream, returned, replayed, keys.group],
    },
    size: { script: streamSize, keys: [held, leases, delayed, stream, returned, replayed, keys.group] },
    letters: { script: streamLetters, keys: [dead, stream, replayed] },
    rewind: { script: streamRewind, keys: [held, leases, delayed, stream, returned, keys.group] },
    // Events that somebody gives back wake nobody who waits in another process: who waits looks for them so often.
    longestBlockMs: 1000,
    // What it reads is pending with `staged`, from which the next claim takes first: it is nobody's in particular.
    async wait(client, ms) {
      const block = Math.max(1, Math.ceil(ms));
      const read = client.xreadgroup('GROUP', group, 'staged', 'COUNT', 1, 'BLOCK', block, 'STREAMS', stream, '>');
      return (await read) !== null;
    },
  };
}

/** What is behind the id that a record begins with, and a blank: `1700000000000-0 {…`, or `>1700000000000-0 {…`. */
function elementOf(record: Buffer): Buffer {
  let at = record[0] === greater ? 1 : 0;
  const first = at;
  while (isDigit(record[at])) at++;
  if (at === first) return record;
  if (record[at] === dash) at++;
  while (isDigit(record[at])) at++;
  return record[at] === blank ? record.subarray(at + 1) : record;
}

const [blank, dash, greater, zero, nine] = [0x20, 0x2d, 0x3e, 0x30, 0x39];

const isDigit = (byte = 0): boolean => byte >= zero && byte <= nine;
