import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createQueue, type MessageQueue } from '@nq/core';
import type { ConformanceHarness, Inspection, Namespace } from '@nq/core/conformance';
import { sqliteDriver } from '../src/sqlite-driver.ts';
import { Connection, Link } from './connection.ts';

/** Everything that the kit may do to the queue: each namespace is a file of its own. */
export function sqliteHarness(): ConformanceHarness {
  let root = '';
  return {
    name: 'sqlite-queue',
    async start() {
      root = mkdtempSync(join(tmpdir(), 'sqlite-queue-'));
    },
    async stop() {
      rmSync(root, { recursive: true, force: true });
    },
    namespace: (id) => namespaceIn(join(root, id)),
  };
}

function namespaceIn(folder: string): Namespace {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'queue.db');
  const link = new Link();
  const connections = new Map<MessageQueue, Connection>();
  return {
    open({ capacity, leaseMs }) {
      const connection = new Connection(link, () => sqliteDriver({ path, capacity, leaseMs }));
      const queue = createQueue(connection);
      connections.set(queue, connection);
      return queue;
    },
    faults: {
      cut: () => link.cut(),
      cutBeforeAnswer() {
        link.cutsBeforeAnswer = true;
      },
      heal: () => link.heal(),
      delay(ms) {
        link.delayMs = ms;
      },
      async restart() {
        for (const connection of link.connections) await connection.restart();
        link.heal();
      },
    },
    fork: () => fork(join(import.meta.dirname, 'serve.ts'), [path]),
    crash: (queue) => connections.get(queue)?.abandon(),
    inspect: () => withFile(path, inspect),
    injectRaw(record) {
      withFile(path, (file) => {
        file.prepare('INSERT INTO events (record, pushed_at, free_at) VALUES (?, ?, 0)').run(record, Date.now());
      });
    },
    async dispose() {
      for (const connection of link.connections) await connection.release();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Asks the file over a connection of its own, without anything of the queue. */
function withFile<Answer>(path: string, ask: (file: DatabaseSync) => Answer): Answer {
  const file = new DatabaseSync(path, { timeout: 5000 });
  try {
    return ask(file);
  } finally {
    file.close();
  }
}

function inspect(file: DatabaseSync): Inspection {
  const now = Date.now();
  const count = (sql: string, ...values: number[]): number =>
    Number(file.prepare(`SELECT count(*) AS count FROM ${sql}`).get(...values)?.['count']);
  return {
    ready: count('events WHERE free_at <= ?', now),
    inFlight: count('events WHERE free_at > ? AND token IS NOT NULL', now),
    delayed: count('events WHERE free_at > ? AND token IS NULL', now),
    deadLetters: count('dead_letters'),
  };
}
