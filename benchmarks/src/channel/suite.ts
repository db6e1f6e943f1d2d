import type { Suite } from '../harness/report.ts';
import { loopCases } from './loop-cases.ts';
import { memoryCases } from './memory-cases.ts';
import { nqChannelCases } from './nq-channel.ts';
import { nqDispatcherCases } from './nq-dispatcher.ts';
import { peerChannelCases } from './peer-channels.ts';
import { peerQueueCases } from './peer-queues.ts';
import { bareRing } from './bare-ring.ts';
import { channelTargets } from './targets.ts';

/** The queue in this process and the dispatcher, beside what people use instead. */
export const channelSuite: Suite = {
  name: 'channel',
  title: 'Performance',
  description:
    'How fast the queue in this process (`@nq/channel`) and the dispatcher (`@nq/core`) are, beside the queues and channels that people use instead.',
  related: 'For the queue on Redis see [Performance on Redis](performance-redis.md).',
  docsFile: 'performance.md',
  command: 'pnpm build && pnpm --filter nq-benchmarks bench:channel --write-docs',
  method: [
    'One process per case and round, on the packages as they are built and published. Every round runs every case once on every Node, in random order.',
    'In each process: a warm-up, then 5 timed passes of about 80 ms; the median of the passes is the reading. CPU time is user and system time of the whole process, garbage collection included.',
    'The task is the same everywhere: allocate a complete event (id, type, data, time; id and time are constants), put it in, take it out, add up its data. What was added up is checked after every pass, so that nothing was lost or handled twice.',
    'At most 1,000 events are under way: channels have that capacity, and queues without a bound get 1,000 events at a time and then wait until all of them are handled.',
    'nq acknowledges every delivery, keeps a lease on it and checks every event that is pushed; the peers have nothing like it. Every push into a dispatcher of nq also has a signal and a time limit.',
    'The targets were set from a prototype of the same structures without leases, deliveries that are objects, checks of what is pushed and an orderly stop. What a target is missed by is mostly the price of these.',
    'The bare ring is one of the benchmark itself, an array and two counters, with the same events and the same handler: what keeping events in order costs by itself.',
    'Loops, latencies and memory are measured in 3 rounds, because they take seconds. A closed loop runs for one second, an open one for two after a second of warm-up; memory is counted after a full garbage collection.',
  ],
  cases: [
    ...nqChannelCases,
    bareRing,
    ...peerChannelCases,
    ...nqDispatcherCases,
    ...peerQueueCases,
    ...loopCases,
    ...memoryCases,
  ],
  targets: channelTargets,
  ours: ['@nq/core', '@nq/channel'],
  peers: ['@thi.ng/csp', 'async', 'async-channel', 'fastq', 'p-queue', 'ts-chan'],
};
