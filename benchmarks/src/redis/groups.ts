import type { Group } from '../harness/case.ts';
import { latencyColumns } from '../harness/measure-latency.ts';
import { wakeUpColumns } from '../harness/measure-wake-ups.ts';
import { queuedMemoryColumns, serverThroughputColumns } from './measure-server.ts';

export const pushes: Group = {
  title: 'Pushing',
  about:
    'Messages are put into a queue that nobody reads: one after the other, each awaited; by 100 callers at once, each of which awaits its own; and in calls of 100.',
  columns: serverThroughputColumns,
};

export const consumptions: Group = {
  title: 'Consuming and acknowledging',
  about:
    'Messages that are there already are taken, handled and acknowledged. Plain `BRPOP` and `RPOP` have no acknowledgement: what they have taken is lost with the process.',
  columns: serverThroughputColumns,
};

export const memory: Group = {
  title: 'Memory',
  about: 'What the server needs for each of 100,000 messages that wait.',
  columns: queuedMemoryColumns,
};

export const wakeUpsWhenIdle: Group = {
  title: 'Waking up',
  about: 'One message every 10 ms, to a consumer that sleeps: from the push to the handler.',
  columns: wakeUpColumns,
};

export const latencies: Group = {
  title: 'Latency',
  about:
    'Messages arrive at a fixed rate for two seconds, whether the queue keeps up or not; producer and consumer share a process, and have connections of their own. Arrival is when a message was due.',
  columns: latencyColumns,
};

/** Those that take seconds take part in this many rounds. */
export const slowRounds = 3;
