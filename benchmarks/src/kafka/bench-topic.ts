import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin } from 'kafkajs';
import { readAddress } from './kafka-address.ts';

/** A topic of its own for one process. */
export interface BenchTopic {
  readonly brokers: readonly string[];
  readonly topic: string;
  /** How many records were ever written to it. */
  count(): Promise<number>;
}

const partitions = 4;
/** How long it may take until a topic can be used, and after how long it is looked again, in milliseconds. */
const patienceMs = 10_000;
const againMs = 20;

/** Removes the topics of the processes before, and makes one. */
export async function openTopic(address: string): Promise<BenchTopic> {
  const { brokers } = readAddress(address);
  const topic = `bench-${crypto.randomUUID()}`;
  await withAdmin(brokers, async (admin) => {
    const old = (await admin.listTopics()).filter((name) => name.startsWith('bench-'));
    if (old.length > 0) await admin.deleteTopics({ topics: old });
    const made = { topic, numPartitions: partitions, replicationFactor: 1 };
    await admin.createTopics({ topics: [made], waitForLeaders: false });
    // The brokers need a moment until they know it, and not every client tries again when they say so.
    await untilServed(() => countOf(admin, topic));
  });
  return { brokers, topic, count: () => withAdmin(brokers, (admin) => countOf(admin, topic)) };
}

/** Connects for this only: an idle connection of kafkajs costs CPU time, which would be counted for what is measured. */
async function withAdmin<Result>(brokers: readonly string[], use: (admin: Admin) => Promise<Result>): Promise<Result> {
  const { Kafka, logLevel } = await import('kafkajs');
  const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}

/** Resolves once `ask` does. @throws what it rejects with, if that goes on. */
async function untilServed(ask: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      await ask();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
    }
    await sleep(againMs);
  }
}

async function countOf(admin: Admin, topic: string): Promise<number> {
  const ends = await admin.fetchTopicOffsets(topic);
  return ends.reduce((sum, { high }) => sum + Number(high), 0);
}
