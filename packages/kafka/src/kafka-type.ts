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
      ...(pathname === '' || pathname === '/' ? {} : { topic: decodeURIComponent(pathname.slice(1)) }),
    };
  },
  open: (options) => kafkaQueue(options as unknown as KafkaQueueOptions),
};
