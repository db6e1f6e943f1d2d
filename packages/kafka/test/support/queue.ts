import { randomBytes } from 'node:crypto';
import type { Delivery, MessageQueue } from '@nq/core';
import { type TestKafka, until } from 'nq-testbed';
import { kafkaQueue, type KafkaQueueOptions } from '../../src/index.ts';

/** A topic that no other test has. */
export function newTopic(): string {
  return `events-${randomBytes(4).toString('hex')}`;
}

/** What tests open queues with, besides where they are. */
export type TestOptions = Partial<KafkaQueueOptions>;

/** Opens a queue on a topic of its own with four partitions, unless there is one in `options`. */
export function openQueue<Data = unknown>(server: TestKafka, options: TestOptions = {}): Promise<MessageQueue<Data>> {
  return kafkaQueue<Data>({
    brokers: server.brokers,
    topic: newTopic(),
    groupId: 'tests',
    createTopic: { partitions: 4, replicationFactor: 1 },
    sessionTimeoutMs: 6000,
    idleMs: 500,
    onWarning: () => {},
    ...options,
  });
}

/** Takes the next event, which has to be there. */
export async function take<Data>(queue: MessageQueue<Data>, timeoutMs = 30_000): Promise<Delivery<Data>> {
  const delivery = await queue.pop({ timeoutMs });
  if (delivery === undefined) throw new Error(`nothing came within ${timeoutMs} ms`);
  return delivery;
}

/** Takes and acknowledges `count` events. @returns their types, in the order in which they came. */
export async function takeAll(queue: MessageQueue, count: number): Promise<string[]> {
  const types: string[] = [];
  while (types.length < count) {
    const deliveries = await queue.popMany(Math.min(100, count - types.length), { timeoutMs: 30_000 });
    if (deliveries.length === 0) throw new Error(`${types.length} of ${count} came within 30 s`);
    types.push(...deliveries.map(({ event }) => event.type));
    await Promise.all(deliveries.map((delivery) => delivery.ack()));
  }
  return types;
}

/** Has the queue join its group, which may begin at the end, and leaves nothing behind. */
export async function begin(queue: MessageQueue): Promise<void> {
  await until('the group to have begun', async () => {
    await queue.push({ type: 'begin' });
    return queue.pop({ timeoutMs: 200 }).then((delivery) => delivery?.ack().then(() => true));
  });
  for (let left = 1; left > 0;) {
    const deliveries = await queue.popMany(100, { timeoutMs: 500 });
    await Promise.all(deliveries.map((delivery) => delivery.ack()));
    left = deliveries.length;
  }
}
