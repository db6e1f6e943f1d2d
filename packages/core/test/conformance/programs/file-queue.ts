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
  /** Whether every call has the folder to itself, whichever process makes it; `slowly` if it keeps it for a while. */
  readonly locked: boolean | 'slowly';
  /** Whose clock says when a lease ends: that of the machine, which all processes share, or `Date` of each process. */
  readonly clock: 'machine' | 'process';
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

function fileDriver({
  folder,
  locked,
  clock,
  capacity = 1000,
  leaseMs = 30_000,
}: FileQueueOptions): QueueDriver<string> {
  const now = clock === 'machine' ? machineNow : Date.now;
  const names = (): string[] => readdirSync(folder).filter((name) => name !== lockName);
  const read = (name: string): Stored => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Stored;
  const write = (name: string, stored: Stored): void => writeFileSync(join(folder, name), JSON.stringify(stored));
  let handOuts = 0;

  /** The file of a hand-out, if it is still ours. */
  const heldBy = (receipt: unknown): [name: string, stored: Stored] | undefined => {
    const [name = '', token] = String(receipt).split(' ');
    if (!names().includes(name)) return undefined;
    const stored = read(name);
    return stored.token === token && stored.freeAt > now() ? [name, stored] : undefined;
  };
  const alone = async <Result>(work: () => Result): Promise<Result> =>
    locked ? withLock(folder, work, locked === 'slowly' ? slowMs : 0) : work();
  const isFree = ({ freeAt }: Stored): boolean => freeAt <= now();

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
          write(name, { text, pushedAt: now(), attempts: 0, token: '', freeAt: 0 });
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
          write(name, { ...stored, attempts: attempt, token, freeAt: now() + leaseMs });
          const waitedMs = now() - stored.pushedAt;
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
        const at = now();
        const oldestAgeMs = at - Math.min(at, ...ready.map(({ pushedAt }) => pushedAt));
        return { ready: ready.length, inFlight: stored.length - ready.length, delayed: 0, oldestAgeMs, exact: true };
      }),
    classify: () => 'NQ_BACKEND',
    close: async () => {},
  };
}

/** Milliseconds since the machine was started: it has one such clock, and nobody sets it. */
function machineNow(): number {
  return Number(process.hrtime.bigint() / 1_000_000n);
}

const lockName = 'lock';

/** How long a slow call keeps the folder, in milliseconds: nearly always somebody has it. */
const slowMs = 5;

/** Does `work` while no other process does: a folder can be made once. */
function withLock<Result>(folder: string, work: () => Result, keepMs: number): Result {
  const lock = join(folder, lockName);
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch {
      sleep(1);
    }
  }
  try {
    const result = work();
    if (keepMs > 0) sleep(keepMs);
    return result;
  } finally {
    rmdirSync(lock);
  }
}

/** Blocks this process. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
