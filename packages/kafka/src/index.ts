export { type Compression } from './codecs/codec.ts';
export { kafkaQueue } from './kafka-queue.ts';
export { type KafkaQueueOptions, type SaslOptions } from './kafka-options.ts';
export { queueType } from './kafka-type.ts';
