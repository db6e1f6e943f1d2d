import { serverBudget } from '../harness/budget.ts';
import type { Suite } from '../harness/report.ts';
import { consumeCases } from './consume-cases.ts';
import { startKafka } from './kafka-service.ts';
import { otherCases } from './other-cases.ts';
import { pushCases } from './push-cases.ts';
import { kafkaTargets } from './targets.ts';

/** The queue on Kafka, beside the clients that people use alone. */
export const kafkaSuite: Suite = {
  name: 'kafka',
  title: 'Performance on Kafka',
  description:
    'How fast the queue on Kafka (`@nq/kafka`) is, and what it costs, beside kafkajs alone, @platformatic/kafka alone, and the client of Java.',
  related:
    'For the queue in one process see [Performance](performance.md), for that on Redis [Performance on Redis](performance-redis.md).',
  docsFile: 'performance-kafka.md',
  command: 'pnpm build && pnpm --filter nq-benchmarks bench:kafka --rounds 5 --write-docs',
  method: [
    'One process per case and round, on the packages as they are built. Every round runs every case once on every Node, in random order, all on one Kafka on this machine: a single broker, in KRaft mode, which writes to disk without waiting for it (the default of Kafka), and shares the cores with what is measured. Each case has a topic of its own, of 4 partitions; those of the cases before are deleted.',
    'In each process: a warm-up of 0.8 s, until code is compiled, then 3 timed passes of about 300 ms; the median of the passes is the reading. What a consumer takes is put in before each pass, which is not timed; it has joined the group before. CPU time of the client is that of its whole process, garbage collection included.',
    'The message is the same everywhere: an object with a number, an account, a title and a body, whose JSON is 200 bytes. The account is the key; there are 100. Users of a client alone write that JSON, and nothing else is stored. nq stores the same JSON and beside it, as headers, the attributes of a CloudEvents event, some of which it makes up: an id and a time. What is asked of consuming compares the same records: kafkajs reads those that nq has written, with their headers. Where it reads records that are the JSON alone, it says so; before December 2026, this page held the target against those.',
    'Every pass is checked: as many messages are in the topic as were pushed, and those that were handled are those that were put in.',
    'All have their defaults, and every message is acknowledged by all replicas in sync. So kafkajs commits after each batch of each partition, and goes on when that is done; @platformatic/kafka commits what it has fetched, whether it is handled or not; nq commits what was acknowledged, and an acknowledgement is done when that is committed. What is consumed counts when it is handled and committed.',
    'nq fetches up to 1,000 events before they are asked for: so many more are put in than are taken in a pass, so that it fetches as many within as it has before. The others fetch little while they are held back.',
    'How long a call takes is measured for one call in ten, where many callers are at work. A paced load runs for two seconds after one of warm-up, and its process sleeps for a millisecond after each look at what is due, for which arrival counts and push does not.',
    'Latencies, Java and the CPU time of doing nothing are measured in 3 rounds, and rebalances in 2, because they take seconds. Where a rebalance ends the stream of @platformatic/kafka, it is opened again. Members that join wait for nobody (`group.initial.rebalance.delay.ms=0`).',
  ],
  cases: [...pushCases, ...consumeCases, ...otherCases],
  // A pass is as long as several answers to a fetch, each of which has thousands of messages.
  budget: { ...serverBudget, passMs: 300, passes: 3 },
  startService: startKafka,
  targets: kafkaTargets,
  ours: ['@nq/core', '@nq/kafka'],
  peers: ['@platformatic/kafka', 'kafkajs'],
};
