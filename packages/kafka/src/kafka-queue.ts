import { type Clock, createQueue, defineCapabilities, type MessageQueue, NqError, systemClock } from '@nq/core';
import { Kafka, logLevel } from 'kafkajs';
import { loadCodec } from './codecs/load-codec.ts';
import type { KafkaDriver } from './kafka-driver.ts';
import { kafkaError, KafkaFailure } from './kafka-failure.ts';
import { type KafkaQueueOptions, type ResolvedKafkaOptions, resolveOptions } from './kafka-options.ts';
import { KafkaQueueDriver } from './kafka-queue-driver.ts';
import { KafkajsDriver } from './kafkajs/kafkajs-driver.ts';

/**
 * Opens a queue on a topic of Kafka: connects, and makes sure that the topic is there.
 *
 * @throws {TypeError} {RangeError} if an option is not as it should be. @throws {NqError} `NQ_CONFIG` if there is no such
 * topic, or the brokers refuse us; `NQ_UNAVAILABLE` if none answers. Nothing is open then.
 */
export async function kafkaQueue<Data = unknown>(options: KafkaQueueOptions): Promise<MessageQueue<Data>> {
  const resolved = resolveOptions(options);
  const clock = systemClock;
  const driver = new KafkajsDriver({ kafka: clientOf(resolved), clock });
  try {
    const { topic, createTopic, deadLetterTopic, compression } = resolved;
    await loadCodec(compression);
    const { partitions, hasDeadLetters } = await untilOpen(resolved, clock, async () => {
      await driver.open();
      if (createTopic !== undefined) {
        await driver.createTopic(topic, createTopic);
        await driver.createTopic(deadLetterTopic, { ...createTopic, partitions: 1 });
      }
      return {
        partitions: await driver.partitionsOf(topic),
        hasDeadLetters: await isThere(driver, deadLetterTopic),
      };
    });
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
    throw openError(resolved.topic, error);
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

/** After a failure it is tried again after so long, in milliseconds. */
const retryMs = 100;

/** What `open` resolves, tried again as long as there is no connection, and time. */
async function untilOpen<Result>(
  { openTimeoutMs }: ResolvedKafkaOptions,
  clock: Clock,
  open: () => Promise<Result>,
): Promise<Result> {
  const deadline = clock.now() + openTimeoutMs;
  for (;;) {
    try {
      return await open();
    } catch (error) {
      const isPassing = error instanceof KafkaFailure && (error.kind === 'away' || error.kind === 'unsure');
      if (!isPassing || clock.now() + retryMs >= deadline) throw error;
    }
    await new Promise<void>((resolve) => {
      clock.schedule(resolve, retryMs);
    });
  }
}

function openError(topic: string, error: unknown): unknown {
  if (!(error instanceof KafkaFailure)) return error;
  if (error.kind !== 'missing') return kafkaError('open a Kafka queue', error);
  const name = JSON.stringify(topic);
  const how = `kafka-topics.sh --create --topic ${name} --partitions 12, or open the queue with createTopic`;
  return new NqError('NQ_CONFIG', `Cannot open a Kafka queue: there is no topic ${name}; make it with ${how}`, {
    cause: error,
  });
}

function clientOf({ server, requestTimeoutMs }: ResolvedKafkaOptions): Kafka {
  const { client, brokers = ['localhost:9092'], tls, sasl } = server;
  if (client !== undefined) return client;
  return new Kafka({
    clientId: 'nq',
    brokers: [...brokers],
    connectionTimeout: 3000,
    requestTimeout: requestTimeoutMs,
    retry: { initialRetryTime: 100, retries: 3, maxRetryTime: 1000 },
    logLevel: logLevel.NOTHING,
    ...(tls === undefined || tls === false ? {} : { ssl: tls }),
    ...(sasl === undefined ? {} : { sasl: { ...sasl } as never }),
  });
}
