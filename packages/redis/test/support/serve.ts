// A process of its own, which opens the queue that its argument names and serves it to the kit.
import { serveQueue } from '@nq/core/conformance';
import { redisQueue, type RedisQueueOptions } from '../../src/index.ts';

const options = JSON.parse(process.argv[2] ?? '') as RedisQueueOptions;
serveQueue(({ group, ...wanted }) =>
  redisQueue({ ...options, ...wanted, ...(group === undefined ? {} : { group }), onWarning: () => {} }),
);
