import { serverBudget } from '../harness/budget.ts';
import type { Suite } from '../harness/report.ts';
import { otherCases } from './other-cases.ts';
import { startRedis } from './redis-service.ts';
import { redisTargets } from './targets.ts';
import { throughputCases } from './throughput-cases.ts';

/** The queue on Redis, beside ioredis alone and the queues that people use instead. */
export const redisSuite: Suite = {
  name: 'redis',
  title: 'Performance on Redis',
  description:
    'How fast the queue on Redis (`@nq/redis`) is, and what it costs the server, beside ioredis alone, BullMQ and bee-queue.',
  related: 'For the queue in one process see [Performance](performance.md), for the queue itself [Redis](redis.md).',
  docsFile: 'performance-redis.md',
  command: 'pnpm build && pnpm --filter nq-benchmarks bench:redis --write-docs',
  method: [
    'One process per case and round, on the packages as they are built and published. Every round runs every case once on every Node, in random order, all on one Redis on this machine, which keeps nothing on disk and is emptied before each case.',
    'In each process: a warm-up of 0.8 s, until code is compiled, then 5 timed passes of about 120 ms; the median of the passes is the reading. What a consumer takes is put in before each pass, which is not timed. CPU time of the client is that of its whole process, garbage collection included; that of the server is what `INFO cpu` says before and after the pass.',
    'The message is the same everywhere: an object with a number, an account, a title and a body, whose JSON is 200 bytes. Users of ioredis alone write and read that JSON, and nothing else is stored. nq stores it as the data of a CloudEvents event with an id, a type and two times, which is about 370 bytes; the others store what they need besides.',
    'Every pass is checked: as many messages are in the queue as were pushed, and those that were handled are those that were put in.',
    'nq runs with its defaults, but for a capacity of 10,000,000 that no case reaches; it is checked at every push all the same. Every delivery has a lease and is acknowledged.',
    'BullMQ keeps no job that is done (`removeOnComplete`, `removeOnFail`), and for the rest has its defaults; a message is consumed when its worker says `completed`. bee-queue has `getEvents`, `sendEvents` and `storeJobs` off and removes jobs that are done, as its README advises; a message is consumed when the queue says `succeeded`. Their workers are started in each pass, and connected before.',
    'BullMQ and bee-queue are measured by their workers. nq is measured both by callers that await `pop` and `ack`, which are two round trips, and by a dispatcher, which acknowledges with the request that takes more, as a worker of BullMQ does. The targets against BullMQ and bee-queue are asked of both.',
    'Where 200 bytes are stored of each event of nq, its attributes included, the data is smaller: that is for the memory alone.',
    'Latencies and memory are measured in 3 rounds, because they take seconds. An open loop runs for two seconds after one of warm-up, and keeps its process busy. A woken consumer has slept for 10 ms.',
  ],
  cases: [...throughputCases, ...otherCases],
  budget: serverBudget,
  startService: startRedis,
  targets: redisTargets,
  ours: ['@nq/core', '@nq/redis'],
  peers: ['bee-queue', 'bullmq', 'ioredis'],
};
