import { mkdirSync, readdirSync, readFileSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createQueue,
  decodeEvent,
  defineCapabilities,
  encodeEvent,
  type MessageQueue,
  type QueueDriver,
} from '../../../src/index.ts';

/** How a queue of files is opened. */
export interface FileQueueOptions {
  /** A folder, which is there. */
  readonly folder: string;
  /** Whether every call has the folder to itself, whichever process makes it. */
  readonly locked: boolean;
  readonly capacity?: number | undefined;
  readonly leaseMs?: number | undefined;
}

/** What is in a file. */
interface Stored {
  readonly text: string;
  readonly pushedAt: number;
  readonly attempts: number;
  /** Names the hand-out. */
  readonly token: string;
  /** The end of the lease; it is ready from then on. */
  readonly freeAt: number;
}

/**
 * A queue with one file for each event, and synchronous calls: in one process each method is one step, because nothing
 * comes between. With several processes it is, if they lock the folder.
 */
export function fileQueue(options: FileQueueOptions): MessageQueue {
  return createQueue(fileDriver(options));
}

function fileDriver({ folder, locked, capacity = 1000, leaseMs = 30_000 }: FileQueueOptions): QueueDriver<string> {
  const names = (): string[] => readdirSync(folder).filter((name) => name !== lockName);
  const read = (name: string): Stored => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Stored;
  const write = (name: string, stored: Stored): void => writeFileSync(join(folder, name), JSON.stringify(stored));
  let handOuts = 0;

  /** The file of a hand-out, if it is still ours. */
  const heldBy = (receipt: unknown): [name: string, stored: Stored] | undefined => {
    const [name = '', token] = String(receipt).split(' ');
    if (!names().includes(name)) return undefined;
    const stored = read(name);
    return stored.token === token && stored.freeAt > Date.now() ? [name, stored] : undefined;
  };
  const alone = async <Result>(work: () => Result): Promise<Result> => (locked ? withLock(folder, work) : work());
  const isFree = ({ freeAt }: Stored): boolean => freeAt <= Date.now();

  return {
    capabilities: defineCapabilities({
      ...{ order: 'fifo', strictRetry: true, fairness: false, ack: 'individual', nackDelay: false, deadLetter: false },
      ...{ lease: { ms: leaseMs, extend: false }, capacity: 'hard', size: 'exact', maxPayloadBytes: Infinity },
      ...{ multiInstance: true, groups: false, durable: 'process', isolation: 'copy', definiteTimeout: false },
      replay: false,
    }),
    capacity,
    encode: (event) => encodeEvent(event),
    push: (texts) =>
      alone(() => {
        const present = names().toSorted();
        const ready = present.filter((name) => isFree(read(name))).length;
        const fit = texts.slice(0, Math.max(0, capacity - ready));
        const last = Number.parseInt(present.at(-1) ?? '0', 10);
        for (const [index, text] of fit.entries()) {
          const name = String(last + index + 1).padStart(9, '0');
          write(name, { text, pushedAt: Date.now(), attempts: 0, token: '', freeAt: 0 });
        }
        return fit.length;
      }),
    pop: (max) =>
      alone(() => {
        const free = names()
          .toSorted()
          .map((name) => ({ name, stored: read(name) }))
          .filter(({ stored }) => isFree(stored));
        return free.slice(0, max).map(({ name, stored }) => {
          const token = `${process.pid}-${++handOuts}`;
          const attempt = stored.attempts + 1;
          write(name, { ...stored, attempts: attempt, token, freeAt: Date.now() + leaseMs });
          const waitedMs = Date.now() - stored.pushedAt;
          return { receipt: `${name} ${token}`, event: decodeEvent(stored.text), attempt, waitedMs };
        });
      }),
    ack: (receipts) =>
      alone(() =>
        receipts.map((receipt) => {
          const held = heldBy(receipt);
          if (held !== undefined) unlinkSync(join(folder, held[0]));
          return held !== undefined;
        }),
      ),
    nack: (returns) =>
      alone(() =>
        returns.map(({ receipt }) => {
          const held = heldBy(receipt);
          if (held !== undefined) write(held[0], { ...held[1], token: '', freeAt: 0 });
          return held !== undefined;
        }),
      ),
    size: () =>
      alone(() => {
        const stored = names().map((name) => read(name));
        const ready = stored.filter((one) => isFree(one));
        const now = Date.now();
        const oldestAgeMs = now - Math.min(now, ...ready.map(({ pushedAt }) => pushedAt));
        return { ready: ready.length, inFlight: stored.length - ready.length, delayed: 0, oldestAgeMs, exact: true };
      }),
    classify: () => 'NQ_BACKEND',
    close: async () => {},
  };
}

const lockName = 'lock';

/** Does `work` while no other process does: a folder can be made once. */
function withLock<Result>(folder: string, work: () => Result): Result {
  const lock = join(folder, lockName);
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
  try {
    return work();
  } finally {
    rmdirSync(lock);
  }
}
