import type { QueueType } from '@nq/core';
import { compressions } from './codecs/load-codec.ts';
import type { KafkaQueueOptions } from './kafka-options.ts';
import { kafkaQueue } from './kafka-queue.ts';

/**
 * How a queue on Kafka is opened from configuration: `kafka://localhost:9092/notification-events?groupId=notifications`, or
 * `{ type: 'kafka', bufferSize: 10_000, extra: { brokers, topic, group_id } }`.
 */
export const queueType: QueueType = {
  type: 'kafka',
  options: {
    brokers: 'value',
    client: 'value',
    topic: 'text',
    groupId: 'text',
    tls: 'value',
    sasl: 'value',
    createTopic: 'value',
    deadLetterTopic: 'text',
    order: ['key', 'partition', 'none'],
    compression: compressions,
    startFrom: ['earliest', 'latest'],
    leaseMs: 'ms',
    prefetch: 'count',
    sessionTimeoutMs: 'ms',
    idleMs: 'ms',
    openTimeoutMs: 'ms',
    maxPayloadBytes: 'count',
    deliveryTimeoutMs: 'ms',
    requestTimeoutMs: 'ms',
    foreignKey: 'text',
    onWarning: 'value',
  },
  aliases: { group_id: 'groupId' },
  readAddress: ({ host, pathname }) => ({
    ...(host === '' ? {} : { brokers: [host] }),
    ...(pathname === '' || pathname === '/' ? {} : { topic: decodeURIComponent(pathname.slice(1)) }),
  }),
  open: (options) => kafkaQueue(options as unknown as KafkaQueueOptions),
};
