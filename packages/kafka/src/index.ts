export { type AclOptions, type AclRule, aclRules } from './acl.ts';
export { type Compression } from './codecs/codec.ts';
export { kafkaQueue } from './kafka-queue.ts';
export { type KafkaQueueOptions, type SaslOptions, type ServerOptions, type TopicOptions } from './kafka-options.ts';
export { kafkaReader, type KafkaReaderOptions, type ReadRecord } from './kafka-reader.ts';
export { queueType } from './kafka-type.ts';
