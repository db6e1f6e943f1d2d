import { createQueue, defineCapabilities, type MessageQueue, systemClock } from '@nq/core';
import { Kafka, logLevel } from 'kafkajs';
import { type KafkaQueueOptions, type ResolvedKafkaOptions, resolveOptions } from './kafka-options.ts';
import { KafkaQueueDriver } from './kafka-queue-driver.ts';
import { retry } from './kafkajs/internals.ts';
import { KafkajsDriver } from './kafkajs/kafkajs-driver.ts';
import { openKafka } from './open-kafka.ts';

/**
 * Opens a queue on a topic of Kafka: connects, makes sure that the topic is there, and that its brokers can be reached at
 * the addresses that they say they have. Whether the user may do everything that the queue is used for shows when it does:
 * `aclRules()` gives what it needs.
 *
 * @throws {TypeError} {RangeError} if an option is not as it should be. @throws {NqError} `NQ_CONFIG` if there is no such
 * topic, the brokers are too old, or they refuse us; `NQ_UNAVAILABLE` if none answers within `openTimeoutMs`. Nothing is open
 * then.
 */
export async function kafkaQueue<Data = unknown>(options: KafkaQueueOptions): Promise<MessageQueue<Data>> {
  const resolved = resolveOptions(options);
  const clock = systemClock;
  const driver = new KafkajsDriver({ kafka: clientOf(resolved), clock });
  try {
    const { partitions, hasDeadLetters } = await openKafka(driver, resolved, clock);
    const capabilities = defineCapabilities({
      order: resolved.order === 'none' ? 'none' : 'key',
      strictRetry: resolved.order !== 'none',
      ack: 'individual',
      nackDelay: true,
      deadLetter: hasDeadLetters,
      lease: { ms: resolved.leaseMs, extend: true },
      capacity: 'none',
      size: 'approximate',
      multiInstance: true,
      groups: resolved.startFrom,
      durable: 'broker',
      isolation: 'copy',
      definiteTimeout: false,
      fairness: false,
      replay: false,
      maxPayloadBytes: resolved.maxPayloadBytes,
    });
    return createQueue<Data, never>(
      new KafkaQueueDriver({ options: resolved, capabilities, driver, partitions, clock }) as never,
    );
  } catch (error) {
    await driver.close();
    throw error;
  }
}

function clientOf({ server, requestTimeoutMs }: ResolvedKafkaOptions): Kafka {
  const { client, brokers = ['localhost:9092'], tls, sasl } = server;
  if (client !== undefined) return client;
  return new Kafka({
    clientId: 'nq',
    brokers: [...brokers],
    connectionTimeout: 3000,
    requestTimeout: requestTimeoutMs,
    retry,
    logLevel: logLevel.NOTHING,
    ...(tls === undefined || tls === false ? {} : { ssl: tls }),
    ...(sasl === undefined ? {} : { sasl: { ...sasl } as never }),
  });
}
