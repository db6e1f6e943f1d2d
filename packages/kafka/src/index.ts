export { kafkaQueue } from './kafka-queue.ts';
export { type KafkaQueueOptions, type SaslOptions } from './kafka-options.ts';
