import { DatabaseSync, type StatementSync } from 'node:sqlite';
import {
  type Capabilities,
  type DeadLetter,
  type DeadLetters,
  decodeEvent,
  defineCapabilities,
  encodeEvent,
  isNqError,
  type LeasedEvent,
  type NqErrorCode,
  type QueueDriver,
  type QueueEvent,
  type QueueSize,
  type ReturnedLease,
} from '@nq/core';
import { schema } from './schema.ts';

/** Where a queue is, and how it is. The same for everybody who opens the file. */
export interface SqliteQueueOptions {
  /** The file, made if it is not there. SQLite puts two more beside it, `-wal` and `-shm`. */
  readonly path: string;
  /** How many ready and delayed events it takes. @default 1000 */
  readonly capacity?: number | undefined;
  /** How long a delivery is ours, in milliseconds. @default 30_000 */
  readonly leaseMs?: number | undefined;
  /** The largest event as it is written, in bytes. @default 1_048_576 */
  readonly maxPayloadBytes?: number | undefined;
  /** How long a call waits, and blocks the process, while another process writes, in milliseconds. @default 5000 */
  readonly busyMs?: number | undefined;
}

/** The type under which a record that is no event is shown among the dead letters. */
const undecodableType = 'sqlite-queue.undecodable';

/** Result codes of SQLite (https://sqlite.org/rescode.html): what they say of a statement that has failed. */
const nothingHappened = new Set([5 /* BUSY */, 6 /* LOCKED */, 13 /* FULL: rolled back */, 14 /* CANTOPEN */]);
const inputOutput = 10;

/** A record as SQLite gives it. */
type Row = Readonly<Record<string, unknown>>;

/** A driver whose backend is an SQLite file: each method is one transaction, and everything that is known is in the file. */
export function sqliteDriver(options: SqliteQueueOptions): QueueDriver<string> {
  return new SqliteDriver(options);
}

class SqliteDriver implements QueueDriver<string> {
  readonly capabilities: Capabilities;
  readonly capacity: number;
  readonly deadLetters: DeadLetters;
  readonly #database: DatabaseSync;
  readonly #leaseMs: number;
  readonly #statements = new Map<string, StatementSync>();

  constructor({
    path,
    capacity = 1000,
    leaseMs = 30_000,
    maxPayloadBytes = 1_048_576,
    busyMs = 5000,
  }: SqliteQueueOptions) {
    this.capacity = capacity;
    this.#leaseMs = leaseMs;
    this.capabilities = defineCapabilities({
      order: 'fifo',
      strictRetry: true,
      ack: 'individual',
      nackDelay: true,
      deadLetter: true,
      lease: { ms: leaseMs, extend: true },
      capacity: capacity === Infinity ? 'none' : 'hard',
      size: 'exact',
      multiInstance: true,
      groups: false,
      // On disk before the call returns: `synchronous` is FULL.
      durable: 'broker',
      isolation: 'copy',
      // A disk that fails while it commits does not say what it has written.
      definiteTimeout: false,
      // In one process calls are served in order, but processes that wait do not know of each other.
      fairness: false,
      replay: false,
      maxPayloadBytes,
    });
    this.#database = new DatabaseSync(path, { timeout: busyMs });
    this.#database.exec(schema);
    this.deadLetters = {
      count: async () => Number(this.#one('SELECT count(*) AS dead FROM dead_letters')['dead']),
      list: async ({ limit = 100 } = {}) =>
        this.#prepare('SELECT * FROM dead_letters ORDER BY place LIMIT ?')
          .all(Math.min(limit, Number.MAX_SAFE_INTEGER))
          .map((row) => letterOf(row)),
      replay: async (ids) => this.#transaction(() => this.#replay(ids)),
      remove: async (ids) => this.#removeDead(ids),
    };
  }

  encode(event: QueueEvent): string {
    return encodeEvent(event, { maxBytes: this.capabilities.maxPayloadBytes });
  }

  async push(events: readonly string[]): Promise<number> {
    return this.#transaction(() => {
      const now = this.#now();
      const stored = events.slice(0, this.#room(now));
      const insert = this.#prepare('INSERT INTO events (record, pushed_at, free_at) VALUES (?, ?, 0)');
      for (const record of stored) insert.run(record, now);
      return stored.length;
    });
  }

  /** Answers at once: SQLite tells nobody of what other processes write, so `createQueue` asks again. */
  async pop(max: number): Promise<readonly LeasedEvent[]> {
    // Most requests of a consumer that waits find nothing. Those only read, so that they hold up nobody who writes.
    if (this.#prepare('SELECT 1 FROM events WHERE free_at <= ? LIMIT 1').get(this.#now()) === undefined) return [];
    return this.#transaction(() => {
      const now = this.#now();
      const rows = this.#prepare(
        `UPDATE events SET token = lower(hex(randomblob(16))), attempts = attempts + 1, free_at = ?
         WHERE place IN (SELECT place FROM events WHERE free_at <= ? ORDER BY place LIMIT ?)
         RETURNING *`,
      ).all(moment(now + this.#leaseMs), now, max);
      // RETURNING promises no order.
      rows.sort((a, b) => Number(a['place']) - Number(b['place']));
      return rows.map((row) => this.#lease(row, now)).filter((lease) => lease !== undefined);
    });
  }

  #lease(row: Row, now: number): LeasedEvent | undefined {
    const receipt = row['token'];
    let event: QueueEvent;
    try {
      event = decodeEvent(textOf(row['record']));
    } catch {
      // It will be none at the next attempt either, and must not stop the events behind it.
      this.#bury(receipt, 'the record is no event', now);
      return undefined;
    }
    return { receipt, event, attempt: Number(row['attempts']), waitedMs: Math.max(0, now - Number(row['pushed_at'])) };
  }

  async ack(receipts: readonly unknown[]): Promise<readonly boolean[]> {
    return this.#transaction(() => {
      const now = this.#now();
      const remove = this.#prepare('DELETE FROM events WHERE token = ? AND free_at > ?');
      return receipts.map((receipt) => remove.run(receipt as string, now).changes === 1);
    });
  }

  async nack(returns: readonly ReturnedLease[]): Promise<readonly boolean[]> {
    return this.#transaction(() => {
      const now = this.#now();
      // Its place is what it was: whoever comes back precedes those that were pushed later.
      const free = this.#prepare('UPDATE events SET token = NULL, free_at = ? WHERE token = ? AND free_at > ?');
      return returns.map(({ receipt, delayMs, reason, deadLetter }) =>
        deadLetter
          ? this.#bury(receipt, reason, now)
          : free.run(delayMs > 0 ? moment(now + delayMs) : 0, receipt as string, now).changes === 1,
      );
    });
  }

  /** Moves a leased event to the dead letters. @returns whether it was still ours. */
  #bury(receipt: unknown, reason: string, now: number): boolean {
    const row = this.#prepare('DELETE FROM events WHERE token = ? AND free_at > ? RETURNING *').get(
      receipt as string,
      now,
    );
    if (row === undefined) return false;
    this.#prepare('INSERT INTO dead_letters (id, record, attempts, reason, dead_at) VALUES (?, ?, ?, ?, ?)').run(
      idOf(row),
      row['record'] as string | Uint8Array,
      row['attempts'] as number,
      reason,
      now,
    );
    return true;
  }

  async extend(receipts: readonly unknown[], ms: number): Promise<readonly boolean[]> {
    return this.#transaction(() => {
      const now = this.#now();
      const extend = this.#prepare('UPDATE events SET free_at = ? WHERE token = ? AND free_at > ?');
      return receipts.map((receipt) => extend.run(moment(now + ms), receipt as string, now).changes === 1);
    });
  }

  async size(): Promise<QueueSize> {
    return this.#count(this.#now());
  }

  classify(error: unknown): NqErrorCode {
    if (isNqError(error)) return error.code;
    const { errcode } = error as { readonly errcode?: number };
    if (errcode === undefined) return 'NQ_BACKEND';
    // The low byte is the code, what is above says more.
    const code = errcode & 0xff;
    if (nothingHappened.has(code)) return 'NQ_UNAVAILABLE';
    return code === inputOutput ? 'NQ_OUTCOME_UNKNOWN' : 'NQ_BACKEND';
  }

  async close(): Promise<void> {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #room(now: number): number {
    if (this.capacity === Infinity) return Infinity;
    const { ready, delayed } = this.#count(now);
    return Math.max(0, this.capacity - ready - delayed);
  }

  #count(now: number): QueueSize {
    const row = this.#one(
      `SELECT count(*) FILTER (WHERE free_at <= :now) AS ready,
              count(*) FILTER (WHERE free_at > :now AND token IS NOT NULL) AS inFlight,
              count(*) FILTER (WHERE free_at > :now AND token IS NULL) AS delayed,
              min(pushed_at) FILTER (WHERE free_at <= :now) AS oldest
       FROM events`,
      { now },
    );
    const { ready, inFlight, delayed, oldest } = row as Record<string, number | null>;
    return {
      ready: Number(ready),
      inFlight: Number(inFlight),
      delayed: Number(delayed),
      oldestAgeMs: typeof oldest === 'number' ? Math.max(0, now - oldest) : 0,
      exact: true,
    };
  }

  /** Whatever the capacity: they were accepted before. */
  #replay(ids: readonly string[] | undefined): number {
    this.#prepare(
      `INSERT INTO events (record, pushed_at, free_at)
       SELECT record, :now, 0 FROM dead_letters
       WHERE :ids IS NULL OR id IN (SELECT value FROM json_each(:ids)) ORDER BY place`,
    ).run({ now: this.#now(), ids: ids === undefined ? null : JSON.stringify(ids) });
    return this.#removeDead(ids);
  }

  #removeDead(ids: readonly string[] | undefined): number {
    const remove = 'DELETE FROM dead_letters WHERE :ids IS NULL OR id IN (SELECT value FROM json_each(:ids))';
    return Number(this.#prepare(remove).run({ ids: ids === undefined ? null : JSON.stringify(ids) }).changes);
  }

  /**
   * The time, as the file goes by it: that of SQLite, which asks the machine. What `Date` says is the affair of a process.
   *
   * @returns whole milliseconds since the Unix epoch.
   */
  #now(): number {
    return Number(this.#one("SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER) AS now")['now']);
  }

  /** Does `work` in one piece, for every process: IMMEDIATE takes the right to write before anything is read. */
  #transaction<Result>(work: () => Result): Result {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  #one(sql: string, values: Readonly<Record<string, number>> = {}): Row {
    return this.#prepare(sql).get(values) as Row;
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** A time as the file keeps it: an integer, and not earlier than asked for. */
function moment(ms: number): number {
  return Math.min(Math.ceil(ms), Number.MAX_SAFE_INTEGER);
}

/** Others may have written bytes. */
function textOf(record: unknown): string {
  return typeof record === 'string' ? record : new TextDecoder().decode(record as Uint8Array);
}

/** The id under which a dead letter is found. */
function idOf(row: Row): string {
  try {
    return decodeEvent(textOf(row['record'])).id;
  } catch {
    return `undecodable-${String(row['place'])}`;
  }
}

function letterOf(row: Row): DeadLetter {
  const { id, record, attempts, reason, dead_at: deadAt } = row;
  let event: QueueEvent;
  try {
    event = decodeEvent(textOf(record));
  } catch {
    event = { id: String(id), type: undecodableType, data: textOf(record), time: Number(deadAt) };
  }
  return { event, attempts: Number(attempts), reason: String(reason), deadAt: Number(deadAt) };
}
