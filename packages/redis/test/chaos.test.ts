import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkHistory, type HistoryRecord, showAnomaly } from '@nq/core/conformance';
import { type Link, redisOffer, type TestRedis, until } from 'nq-testbed';
import { type Actor, Cast, cuts, pick } from 'nq-testbed/chaos';
import { describe, expect, test } from 'vitest';
import { countHeld } from './support/queue.ts';

/** How long there are faults in each mode, in seconds: two minutes for both. `NQ_CHAOS_SECONDS` sets it. @default 60 */
const seconds = Number(process.env['NQ_CHAOS_SECONDS'] ?? 60);
/** How many events are pushed at the least. */
const events = Number(process.env['NQ_CHAOS_EVENTS'] ?? 41_000);
const capacity = 500;
const leaseMs = 1500;

// Always a process on the loopback interface: it is killed by its pid, and nothing forwards what is measured.
const { missing, start } = await redisOffer({ provider: 'native' });

describe.skipIf(missing !== undefined)('five processes whose consumers are killed and whose links are cut', () => {
  test.for(['list', 'stream'] as const)(
    `lose nothing, push nothing twice, and repeat only what has a reason, on a %s`,
    { timeout: (seconds + 400) * 1000 },
    async (mode) => {
      const folder = mkdtempSync(join(tmpdir(), 'nq-chaos-'));
      await using server = await start({ config: ['appendonly yes', 'appendfsync everysec'] });
      const queueKey = 'chaos:events';
      const program = join(import.meta.dirname, 'chaos/actor.ts');
      const cast = new Cast({ program, folder, events: events / 2, keys: 3 });
      try {
        const shared = { queueKey, capacity, leaseMs, requestTimeoutMs: 1000 };
        await perform(cast, server, mode === 'list' ? shared : { ...shared, mode, group: 'chaos' });
        await until('everything to be done', () => isEmpty(server, queueKey, mode), { deadlineMs: 120_000 });
        await cast.leave(cast.of('consumer'));
        const history = cast.history();
        const {
          anomalies,
          missing: unproven,
          counts,
        } = checkHistory(history, {
          order: 'fifo',
          ack: 'individual',
          leaseMs,
          capacity,
          // An outage takes 1.5 seconds at most, and a connection comes back in less.
          patienceMs: 5000,
          drained: true,
          // Of some pushes nobody knows.
          minimum: {
            stored: events * 0.99,
            acknowledged: events * 0.98,
            redeliveries: 50,
            cutsFelt: 5,
            ordered: events * 0.1,
          },
        });
        console.log(`${mode}: ${cast.kills} kills, ${cast.cuts} cuts, ${JSON.stringify(counts)}`);
        expect(anomalies.slice(0, 3).map(showAnomaly)).toEqual([]);
        expect(pushedTwice(history)).toEqual([]);
        expect(unproven).toEqual([]);
      } finally {
        cast.end();
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});

/**
 * Two producers and three consumers; for a while, somebody is always killed or cut off. There is no seed: what happens when
 * is up to five processes, and would not come again. What did happen is in the history.
 */
async function perform(cast: Cast, server: TestRedis, shared: object): Promise<void> {
  const links = new Map<Actor, Link>();
  const enter = async (role: Actor['role'], callers: number): Promise<void> => {
    const link = await server.link();
    links.set(await cast.enter(role, callers, { ...shared, url: server.urlAt(link) }), link);
  };
  for (let count = 0; count < 2; count++) await enter('producer', 20);
  for (let count = 0; count < 3; count++) await enter('consumer', 8);
  const calmAt = Date.now() + seconds * 1000;
  const kill = async (): Promise<void> => {
    while (Date.now() < calmAt) {
      await sleep(400 + Math.random() * 600);
      await cast.kill(pick(cast.of('consumer')));
      await enter('consumer', 8);
    }
  };
  const cut = async (): Promise<void> => {
    while (Date.now() < calmAt) {
      await sleep(100 + Math.random() * 300);
      // Whoever has only just begun may have none here yet.
      const theirs = [...cast.of('consumer'), ...cast.of('producer')].flatMap((actor) => links.get(actor) ?? []);
      await cast.whileCut(pick(theirs), pick(cuts), () => sleep(Math.random() < 0.05 ? 1500 : Math.random() * 100));
    }
  };
  await Promise.all([kill(), cut()]);
  await cast.leave(cast.of('producer'));
}

/** Whether the server holds nothing of the queue: neither ready, nor in flight, nor delayed. */
async function isEmpty(server: TestRedis, queueKey: string, mode: 'list' | 'stream'): Promise<boolean> {
  const base = `{${queueKey}}:nq:`;
  if (mode === 'list') {
    const counts = [
      await server.command('LLEN', queueKey),
      await server.command('LLEN', `${base}staged`),
      await countHeld(server, base),
      await server.command('ZCARD', `${base}delayed`),
    ];
    return counts.every((count) => count === 0);
  }
  const [group = []] = (await server.command('XINFO', 'GROUPS', queueKey)) as unknown[][];
  const told = (name: string): unknown => group[group.indexOf(name) + 1];
  const counts = [
    // Redis before 7 knows no lag.
    ((await server.command('XRANGE', queueKey, `(${String(told('last-delivered-id'))}`, '+', 'COUNT', 1)) as unknown[])
      .length,
    told('pending'),
    await countHeld(server, `${base}chaos:`),
    await server.command('ZCARD', `${base}chaos:returned`),
    await server.command('ZCARD', `${base}chaos:delayed`),
  ];
  return counts.every((count) => count === 0);
}

/** Events that were handed out for the first time twice, although their push has an answer: they were stored twice. */
function pushedTwice(history: readonly HistoryRecord[]): string[] {
  const firsts = new Map<string, number>();
  const answered = new Set<string>();
  for (const record of history) {
    if (record.kind === 'push' && record.outcome === 'ok') answered.add(record.event);
    if (record.kind !== 'pop' || record.handOut?.attempt !== 1) continue;
    firsts.set(record.handOut.event, (firsts.get(record.handOut.event) ?? 0) + 1);
  }
  return [...firsts].filter(([event, count]) => count > 1 && answered.has(event)).map(([event]) => event);
}
