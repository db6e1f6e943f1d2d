import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkHistory, type HistoryRecord, showAnomaly } from '@nq/core/conformance';
import { kafkaOffer, type TestKafka, until } from 'nq-testbed';
import { type Actor, Cast, cuts, pick } from 'nq-testbed/chaos';
import { describe, expect, test } from 'vitest';
import { kafkaQueue, type KafkaQueueOptions, kafkaReader } from '../src/index.ts';

/** How long there are faults, in seconds. `NQ_CHAOS_SECONDS` sets it. @default 100 */
const seconds = Number(process.env['NQ_CHAOS_SECONDS'] ?? 100);
/** How many events are pushed at the least. */
const events = Number(process.env['NQ_CHAOS_EVENTS'] ?? 60_000);
/** Whether what is given back with a delay waits in a retry topic. `NQ_CHAOS_RETRY_TOPIC` sets it, to 1. */
const hasRetryTopic = process.env['NQ_CHAOS_RETRY_TOPIC'] === '1';
const sessionTimeoutMs = 6000;
const topic = 'chaos';

// Always processes on the loopback interface: they are killed by their pid, and nothing forwards what is measured.
const { missing, start } = await kafkaOffer({ provider: 'native', brokers: 3 });

describe.skipIf(missing !== undefined)(
  'three brokers and three consumers that are killed, and links that are cut',
  () => {
    test(
      'lose nothing, store nothing twice, keep the order of each key, and repeat only what has a reason',
      { timeout: (seconds + 400) * 1000 },
      async () => {
        const folder = mkdtempSync(join(tmpdir(), 'nq-chaos-'));
        await using server = await start({ config: ['min.insync.replicas=2', 'group.min.session.timeout.ms=1000'] });
        const options: KafkaQueueOptions = {
          brokers: server.linkedBrokers,
          topic,
          groupId: 'chaos',
          createTopic: { partitions: 6, replicationFactor: 3 },
          sessionTimeoutMs,
          ...(hasRetryTopic ? { retryTopic: true, retryAfterMs: 50 } : {}),
        };
        await using observer = await kafkaQueue({ ...options, brokers: server.brokers });
        const program = join(import.meta.dirname, 'chaos/actor.ts');
        const cast = new Cast({ program, folder, events: events / 2, keys: 20 });
        try {
          const brokerKills = await perform(cast, server, options);
          const isEmpty = async (): Promise<boolean> => {
            const { ready, inFlight, delayed } = await observer.size();
            return ready + inFlight + delayed === 0;
          };
          await until('everything to be done', isEmpty, { deadlineMs: 240_000, everyMs: 200 });
          await cast.leave(cast.of('consumer'));
          const history = cast.history();
          const verdict = checkHistory(history, {
            order: 'key',
            ack: 'individual',
            // Whoever is cut off holds what it has until its session ends; others who join wait for a part of that.
            leaseMs: sessionTimeoutMs / 5,
            capacity: Infinity,
            patienceMs: 60_000,
            drained: true,
            // Of some pushes nobody knows.
            minimum: { stored: events * 0.99, acknowledged: events * 0.98, redeliveries: 50, cutsFelt: 5 },
          });
          const { anomalies, missing: unproven, counts } = verdict;
          console.log(
            `${cast.kills} consumers and ${brokerKills} brokers killed, ${cast.cuts} cuts, ${JSON.stringify(counts)}`,
          );
          expect(anomalies.slice(0, 3).map(showAnomaly)).toEqual([]);
          expect(await storedTwice(server, history)).toEqual([]);
          expect(unproven).toEqual([]);
        } finally {
          cast.end();
          rmSync(folder, { recursive: true, force: true });
        }
      },
    );
  },
);

/**
 * Two producers and three consumers; for a while, a consumer, a broker or a link is always killed or cut off. There is no
 * seed: what happens when is up to eight processes, and would not come again. What did happen is in the history.
 *
 * @returns how often a broker was killed.
 */
async function perform(cast: Cast, server: TestKafka, options: KafkaQueueOptions): Promise<number> {
  const enter = (role: Actor['role'], callers: number): Promise<Actor> => cast.enter(role, callers, options);
  for (let count = 0; count < 2; count++) await enter('producer', 20);
  for (let count = 0; count < 3; count++) await enter('consumer', 10);
  const calmAt = Date.now() + seconds * 1000;
  const killConsumers = async (): Promise<void> => {
    while (Date.now() < calmAt) {
      await sleep(5000 + Math.random() * 5000);
      await cast.kill(pick(cast.of('consumer')));
      await enter('consumer', 10);
    }
  };
  let kills = 0;
  const killBrokers = async (): Promise<void> => {
    while (Date.now() < calmAt) {
      await sleep(8000 + Math.random() * 4000);
      const node = pick(server.nodes);
      await (Math.random() < 0.5 ? node.kill() : node.end());
      kills++;
      await sleep(Math.random() * 6000);
      await node.start();
    }
  };
  const cut = async (): Promise<void> => {
    while (Date.now() < calmAt) {
      await sleep(500 + Math.random() * 1500);
      const link = pick(server.links);
      await cast.whileCut(link, pick(cuts), () => sleep(Math.random() < 0.1 ? 3000 : Math.random() * 200));
    }
  };
  await Promise.all([killConsumers(), killBrokers(), cut()]);
  await cast.leave(cast.of('producer'));
  return kills;
}

/** Events that are in the topic more than once, although their push has an answer. */
async function storedTwice(server: TestKafka, history: readonly HistoryRecord[]): Promise<string[]> {
  const counts = new Map<string, number>();
  for await (const { event } of kafkaReader({ brokers: server.brokers, topic })) {
    if (event !== undefined) counts.set(event.id, (counts.get(event.id) ?? 0) + 1);
  }
  const answered = history.filter((record) => record.kind === 'push' && record.outcome === 'ok');
  return answered.flatMap((record) => ('event' in record && counts.get(record.event) !== 1 ? [record.event] : []));
}
