import { createQueue, type MessageQueue } from '@nq/core';
import { sqliteDriver, type SqliteQueueOptions } from './sqlite-driver.ts';

/**
 * A queue whose events are in an SQLite file. Every process that opens the same file with the same options has the same
 * queue. Needs `node:sqlite`, whose calls are synchronous: each blocks the process until the file has answered.
 *
 * @throws if the file cannot be opened.
 */
export function sqliteQueue<Data = unknown>(options: SqliteQueueOptions): MessageQueue<Data> {
  return createQueue<Data, string>(sqliteDriver(options));
}
