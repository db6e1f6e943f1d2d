import { setTimeout as sleep } from 'node:timers/promises';
import type { MessageQueue, NqError } from '@nq/core';
import { Kafka, logLevel } from 'kafkajs';
import { kafkaOffer, type TestKafka, type TestKafkaBroker, until } from 'nq-testbed';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { kafkaReader } from '../src/index.ts';
import { firstsByKey, Handling, Load } from './support/load.ts';
import { newTopic, openQueue, take, takeAll, type TestOptions } from './support/queue.ts';

const offer = await kafkaOffer({ brokers: 3 });
const replicated: TestOptions = { createTopic: { partitions: 6, replicationFactor: 3 } };

describe.skipIf(offer.missing !== undefined)(`a queue on three brokers of ${offer.name}`, { timeout: 120_000 }, () => {
  let server: TestKafka;
  beforeAll(async () => {
    server = await offer.start({ config: ['min.insync.replicas=2', 'replica.lag.time.max.ms=3000'] });
  });
  afterAll(() => server?.stop());
  afterEach(() => {
    for (const link of server.links) link.heal();
  });

  /** How often each event is in the topic. */
  const countsIn = async (topic: string): Promise<ReadonlyMap<string, number>> => {
    const counts = new Map<string, number>();
    for await (const { event } of kafkaReader({ brokers: server.brokers, topic })) {
      if (event !== undefined) counts.set(event.id, (counts.get(event.id) ?? 0) + 1);
    }
    return counts;
  };

  /** The broker that keeps the offsets of a group: the one that leads the partition of its name, by the hash of Java. */
  const coordinatorOf = async (group: string): Promise<number | undefined> => {
    const admin = new Kafka({ brokers: [...server.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    const { topics } = await admin.fetchTopicMetadata({ topics: ['__consumer_offsets'] });
    await admin.disconnect();
    const partitions = topics[0]?.partitions ?? [];
    let hash = 0;
    for (const character of group) hash = (Math.imul(31, hash) + character.charCodeAt(0)) | 0;
    return partitions.find(({ partitionId }) => partitionId === Math.abs(hash) % partitions.length)?.leader;
  };

  /** Pushes and handles while `fault` happens; then everything must be there once, in its order, and be handled. */
  const survives = async (
    fault: () => Promise<unknown>,
    {
      open = (topic) => openQueue(server, { ...replicated, topic }),
    }: { open?: (topic: string) => Promise<MessageQueue> } = {},
  ): Promise<{ readonly load: Load; readonly handling: Handling }> => {
    const topic = newTopic();
    await using queue = await open(topic);
    const load = new Load(queue, 20);
    const handling = new Handling(queue, 20);
    await until('a steady load', () => handling.done.length > 200);
    await fault();
    const before = load.stored.length;
    await until('pushes after it', () => load.stored.length > before + 200, { deadlineMs: 60_000 });
    await load.stop();
    const all = new Set(load.stored);
    const isDone = (): boolean => areIn(all, handling.done);
    await until('everything to be handled', isDone, { deadlineMs: 60_000, everyMs: 100 });
    await handling.stop();
    const counts = await countsIn(topic);
    expect(load.stored.filter((id) => counts.get(id) !== 1)).toEqual([]);
    for (const [key, numbers] of firstsByKey(handling.seen)) {
      expect([key, numbers]).toEqual([key, numbers.toSorted((a, b) => a - b)]);
    }
    return { load, handling };
  };

  test('loses nothing, stores nothing twice and refuses nothing when a broker is killed, and comes back', async () => {
    const [, broker] = server.nodes as readonly [TestKafkaBroker, TestKafkaBroker, TestKafkaBroker];
    const { load } = await survives(async () => {
      await broker.kill();
      await sleep(5000);
      await broker.start();
    });
    expect(load.refused).toEqual([]);
  });

  test('goes on through a rolling restart', async () => {
    const { load } = await survives(async () => {
      for (const node of server.nodes) await node.restart();
    });
    expect(load.refused).toEqual([]);
  });

  test('goes on when each broker is killed in turn, so that also the controller and the coordinator are', async () => {
    const { load } = await survives(async () => {
      for (const node of server.nodes) {
        await node.kill();
        await node.start();
      }
    });
    expect(load.refused).toEqual([]);
  });

  test('goes on while a follower lags, and waits for it no longer than the brokers do', async () => {
    const [, , follower] = server.nodes as readonly [TestKafkaBroker, TestKafkaBroker, TestKafkaBroker];
    const { load } = await survives(async () => {
      await follower.freeze();
      await sleep(6000);
      await follower.thaw();
    });
    expect(load.refused).toEqual([]);
  });

  test('that cannot reach one broker pushes to the others meanwhile, and to that one afterwards', async () => {
    const { load } = await survives(
      async () => {
        const [link] = server.links;
        link?.cut();
        await sleep(3000);
        link?.heal();
      },
      {
        open: (topic) =>
          openQueue(server, { ...replicated, topic, brokers: server.linkedBrokers, requestTimeoutMs: 1000 }),
      },
    );
    expect(load.refused).toEqual([]);
  });

  test('refuses pushes for which too few replicas are in sync, and has not stored them', async () => {
    const topic = newTopic();
    // Both replicas of a partition have to have it.
    const createTopic = { partitions: 6, replicationFactor: 2 };
    await using queue = await openQueue(server, { createTopic, topic, deliveryTimeoutMs: 10_000 });
    const ids = Array.from({ length: 20 }, (_, index) => `during-${index}`);
    const [broker] = server.nodes as readonly [TestKafkaBroker, ...TestKafkaBroker[]];
    await broker.kill();
    const ends = await Promise.allSettled(ids.map((id) => queue.push({ id, type: 'during', key: id })));
    await broker.start();
    const codes = ends.map((end) => (end.status === 'rejected' ? (end.reason as NqError).code : 'stored'));
    expect(codes).toEqual(expect.arrayContaining(['stored', 'NQ_UNAVAILABLE']));
    const counts = await countsIn(topic);
    // Of one whose leader went in the middle, nobody knows.
    const known = ids.filter((_, index) => codes[index] !== 'NQ_OUTCOME_UNKNOWN');
    const expected = codes.filter((code) => code !== 'NQ_OUTCOME_UNKNOWN').map((code) => (code === 'stored' ? 1 : 0));
    expect(known.map((id) => counts.get(id) ?? 0)).toEqual(expected);
  });

  test('goes on with the others while one partition has no leader, and with that one when it has', async () => {
    const topic = newTopic();
    const createTopic = { partitions: 3, replicationFactor: 1 };
    const options = { createTopic, topic, deliveryTimeoutMs: 60_000, requestTimeoutMs: 2000, metadataMaxAgeMs: 200 };
    await using queue = await openQueue(server, options);
    const keys = Array.from({ length: 30 }, (_, index) => `key-${index}`);
    await queue.pushMany(keys.map((key) => ({ id: key, type: 'before', key })));
    const handling = new Handling(queue, 30);
    await until('all to be handled', () => areIn(new Set(keys), handling.done));
    const [broker] = server.nodes as readonly [TestKafkaBroker, ...TestKafkaBroker[]];
    await broker.kill();
    const pushes = keys.map((key) => queue.push({ id: `${key}-during`, type: 'during', key }));
    // A part of them is what finds out that a partition has no leader.
    const others = async (): Promise<boolean> => {
      const unkeyed = Array.from({ length: 10 }, () => queue.push({ type: 'unkeyed' }, { timeoutMs: 2000 }));
      const ends = await Promise.allSettled(unkeyed);
      return ends.every(({ status }) => status === 'fulfilled');
    };
    await until('events without a key to go past it', others, { deadlineMs: 30_000 });
    const during = (): readonly string[] => handling.done.filter((id) => id.endsWith('-during'));
    // Two of three partitions, or nearly.
    await until('those of the other partitions', () => during().length >= 10, { deadlineMs: 30_000 });
    expect(during().length).toBeLessThan(keys.length);
    await broker.start();
    await Promise.all(pushes);
    await until('the rest', () => during().length === keys.length, { deadlineMs: 60_000 });
    await handling.stop();
  });

  test('lets others join at once while a broker hangs, and keeps what it has in hand', async () => {
    const options = { ...replicated, topic: newTopic(), groupId: newTopic() };
    const events = Array.from({ length: 60 }, (_, index) => ({ type: 'any', key: `key-${index}` }));
    // So long that the group would go on without who waits for an answer.
    const patient = { brokers: server.linkedBrokers, requestTimeoutMs: 30_000, idleMs: 60_000 };
    await using queue = await openQueue(server, { ...options, ...patient });
    await queue.pushMany(events);
    await takeAll(queue, events.length);
    await queue.push({ type: 'held' });
    const held = await take(queue);
    const coordinator = await coordinatorOf(options.groupId);
    const index = server.nodes.findIndex(({ id }) => id !== coordinator);
    server.links[index]?.freeze();
    // Until it shows: one that has just begun to hang is asked for the coordinator like any other.
    await sleep(1500);
    await using other = await openQueue(server, options);
    await until('an event for the other', async () => {
      await other.pushMany(events);
      return other.pop({ timeoutMs: 500 });
    });
    await expect(held.ack()).resolves.toBeUndefined();
    server.links[index]?.heal();
  });

  test('shares its events among members that join and leave under load, each handled, those of a key in order', async () => {
    const topic = newTopic();
    const open = (): Promise<MessageQueue> => openQueue(server, { ...replicated, topic });
    await using queue = await open();
    const load = new Load(queue, 20);
    const handlings: Handling[] = [];
    const join = async (): Promise<() => Promise<void>> => {
      const member = await open();
      const handling = new Handling(member, 10, () => sleep(Math.random() * 5));
      handlings.push(handling);
      await until('the member to handle some', () => handling.done.length > 20, { deadlineMs: 60_000 });
      return async () => {
        await handling.stop();
        await member.close();
      };
    };
    const leaves = [await join(), await join(), await join()];
    for (let round = 0; round < 3; round++) {
      await leaves.shift()?.();
      leaves.push(await join());
    }
    await load.stop();
    const all = new Set(load.stored);
    const isDone = (): boolean =>
      areIn(
        all,
        handlings.flatMap(({ done }) => done),
      );
    await until('everything to be handled', isDone, { deadlineMs: 60_000, everyMs: 100 });
    for (const leave of leaves) await leave();
    const doneTwice = handlings.flatMap(({ done }) => done).length - all.size;
    expect([load.refused, doneTwice]).toEqual([[], 0]);
  });
});

/** Whether `done` has all of `ids`. */
function areIn(ids: ReadonlySet<string>, done: readonly string[]): boolean {
  const found = new Set(done);
  return Array.from(ids).every((id) => found.has(id));
}
