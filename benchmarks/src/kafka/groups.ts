import type { Group } from '../harness/case.ts';
import { formatNumber, formatRate } from '../harness/format.ts';
import { callColumns } from './measure-calls.ts';
import { idleColumns } from './measure-idle.ts';
import { pacedColumns } from './measure-paced.ts';
import { rebalanceColumns } from './measure-rebalance.ts';

export const pushes: Group = {
  title: 'Pushing',
  about:
    'Messages are put into a topic that nobody reads, and all replicas in sync acknowledge them: one after the other, each awaited; by 100 and by 1,000 callers at once, each of which awaits its own; and in calls of 500.',
  columns: callColumns,
};

export const limits: Group = {
  title: 'What Java does',
  about: 'The client that Kafka comes with, measured by its own tool, as the practical limit on this machine.',
  columns: callColumns.filter(({ keys }) => !keys.includes('clientCpuUs')),
};

export const consumptions: Group = {
  title: 'Consuming and committing',
  about: 'Messages that are there already are taken, handled and committed by one member of a group.',
  columns: [
    { heading: 'messages/s', keys: ['opsPerSecond'], format: formatRate },
    { heading: 'client CPU, µs/message', keys: ['clientCpuUs'], format: formatNumber },
  ],
};

export const latencies: Group = {
  title: 'Latency',
  about:
    'Messages arrive at a fixed rate for two seconds, whether the queue keeps up or not; producer and consumer share a process, and have connections of their own. Arrival is when a message was due.',
  columns: pacedColumns,
};

export const rebalances: Group = {
  title: 'Rebalancing',
  about:
    'While 1,000 messages arrive in a second, a second member joins the group, and leaves it again: two rebalances. All members are in one process, and all that was pushed in the end is waited for.',
  columns: rebalanceColumns,
};

export const idle: Group = {
  title: 'Doing nothing',
  about: 'A producer and a member of a group that are connected, while nothing arrives for five seconds.',
  columns: idleColumns,
};

/** Those that take seconds take part in this many rounds. */
export const slowRounds = 3;
/** A rebalance of some clients takes half a minute. */
export const rebalanceRounds = 2;
