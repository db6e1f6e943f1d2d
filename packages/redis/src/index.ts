export { aclRules } from './acl.ts';
export { redisQueue } from './redis-queue.ts';
export { type DurabilityOptions, type RedisQueueOptions, type SentinelOptions } from './redis-options.ts';
export { type RedisClient } from './script.ts';
export { queueType } from './redis-type.ts';
