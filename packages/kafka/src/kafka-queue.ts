import { createQueue, type MessageQueue, systemClock } from '@nq/core';
import { capabilitiesOf } from './kafka-capabilities.ts';
import type { KafkaDriver } from './kafka-driver.ts';
import { KafkaFailure } from './kafka-failure.ts';
import { type KafkaQueueOptions, type ResolvedKafkaOptions, resolveOptions } from './kafka-options.ts';
import { KafkaQueueDriver, openError } from './kafka-queue-driver.ts';
import { openDriver } from './open-driver.ts';

/**
 * Opens a queue on a topic of Kafka: connects, and makes sure that the topic is there.
 *
 * @throws {TypeError} {RangeError} if an option is not as it should be. @throws {NqError} `NQ_CONFIG` if there is no such
 * topic, or the brokers refuse us; `NQ_UNAVAILABLE` if none answers. Nothing is open then.
 */
export async function kafkaQueue<Data = unknown>(options: KafkaQueueOptions): Promise<MessageQueue<Data>> {
  const resolved = resolveOptions(options);
  const clock = systemClock;
  const { topic, deadLetterTopic } = resolved;
  const { driver, prepared } = await openDriver(resolved, clock, async (opened) => {
    await makeTopics(opened, resolved);
    return {
      partitions: await opened.partitionsOf(topic),
      hasDeadLetters: await isThere(opened, deadLetterTopic),
    };
  }).catch((error: unknown) => {
    throw openError('Cannot open a Kafka queue', topic, error);
  });
  const { partitions, hasDeadLetters } = prepared;
  const capabilities = capabilitiesOf(resolved, { deadLetters: hasDeadLetters });
  return createQueue<Data, never>(
    new KafkaQueueDriver({ options: resolved, capabilities, driver, partitions, clock }) as never,
  );
}

/** Makes what is to be made. @throws {KafkaFailure} `away` as long as the brokers have not heard of it. */
async function makeTopics(
  driver: KafkaDriver,
  { topic, createTopic, deadLetterTopic }: ResolvedKafkaOptions,
): Promise<void> {
  if (createTopic === undefined) return;
  const topics = new Map([
    [topic, createTopic],
    [deadLetterTopic, { ...createTopic, partitions: 1 }],
  ]);
  for (const [name, options] of topics) {
    await driver.createTopic(name, options);
    // The broker that made it may be the only one that knows of it.
    if (!(await isThere(driver, name))) throw new KafkaFailure('away', 'the topic is only being made');
  }
}

async function isThere(driver: KafkaDriver, topic: string): Promise<boolean> {
  try {
    await driver.partitionsOf(topic);
    return true;
  } catch (error) {
    if (error instanceof KafkaFailure && error.kind === 'missing') return false;
    throw error;
  }
}
