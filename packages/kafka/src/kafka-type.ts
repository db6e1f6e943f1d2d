import { NqError, type QueueType } from '@nq/core';
import { compressions } from './codecs/load-codec.ts';
import type { KafkaQueueOptions } from './kafka-options.ts';
import { kafkaQueue } from './kafka-queue.ts';

/**
 * How a queue on Kafka is opened from configuration: `kafka://localhost:9092/notification-events?groupId=notifications`, with
 * several brokers `kafka:///orders?brokers=a:9092,b:9092&groupId=orders`, or
 * `{ type: 'kafka', bufferSize: 10_000, extra: { brokers, topic, group_id } }`.
 */
export const queueType: QueueType = {
  type: 'kafka',
  options: {
    brokers: { fromText: (text) => text.split(',') },
    client: 'value',
    topic: 'text',
    groupId: 'text',
    tls: 'value',
    sasl: 'value',
    version: 'text',
    // A topic is made with so many partitions; what is no number, `kafkaQueue()` refuses.
    createTopic: { fromText: (text) => (/^\d+$/.test(text) ? Number(text) : text) },
    deadLetterTopic: 'text',
    retryTopic: { fromText: (text) => (text === 'true' || text === 'false' ? text === 'true' : text) },
    retryAfterMs: 'ms',
    order: ['key', 'partition', 'none'],
    compression: compressions,
    startFrom: ['earliest', 'latest'],
    leaseMs: 'ms',
    capacityBytes: 'count',
    prefetch: 'count',
    sessionTimeoutMs: 'ms',
    idleMs: 'ms',
    openTimeoutMs: 'ms',
    maxPayloadBytes: 'count',
    deliveryTimeoutMs: 'ms',
    requestTimeoutMs: 'ms',
    metadataMaxAgeMs: 'ms',
    foreignKey: 'text',
    onWarning: 'value',
  },
  aliases: { group_id: 'groupId' },
  readAddress: ({ host, pathname, username, password }) => {
    // How its password is told is nothing that a URL says.
    if (username !== '' || password !== '') {
      const where = 'give sasl, with its mechanism, in extra, or to kafkaQueue()';
      throw new NqError('NQ_CONFIG', `Cannot open a queue of type kafka: a URL cannot name its user: ${where}`);
    }
    return {
      ...(host === '' ? {} : { brokers: [host] }),
      ...(pathname === '' || pathname === '/' ? {} : { topic: readTopic(pathname.slice(1)) }),
    };
  },
  open(options) {
    for (const [name, places] of missing) {
      if (options[name] === undefined)
        throw new NqError('NQ_CONFIG', `Cannot open a queue of type kafka: ${name} is missing, which is ${places}`);
    }
    return kafkaQueue(options as unknown as KafkaQueueOptions);
  },
};

/** What has to be given, and where it stands. */
const missing = [
  ['topic', 'the path of a URL, as in kafka://localhost:9092/orders, or topic in extra'],
  ['groupId', '?groupId=orders-service in a URL, or group_id in extra'],
] as const;

function readTopic(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new NqError(
      'NQ_CONFIG',
      'Cannot open a queue of type kafka: the topic in the URL is not percent-encoded, as encodeURIComponent() does',
    );
  }
}
