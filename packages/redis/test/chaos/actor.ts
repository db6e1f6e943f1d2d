// A process of its own, which pushes events into a queue on Redis or takes them.
import { act } from 'nq-testbed/chaos';
import { redisQueue, type RedisQueueOptions } from '../../src/index.ts';

await act((options: RedisQueueOptions) => redisQueue({ ...options, onWarning: () => {} }));
