import type { Group } from '../harness/case.ts';
import { gapColumns } from '../harness/measure-gap.ts';
import { latencyColumns } from '../harness/measure-latency.ts';
import { memoryColumns } from '../harness/measure-memory.ts';
import { throughputColumns } from '../harness/measure-throughput.ts';

export const channels: Group = {
  title: 'Channels',
  about:
    'Producers and consumers that call a channel of capacity 1,000, with 8 consumers where nothing else is said. Every delivery of nq is acknowledged; the peers have no acknowledgement.',
  columns: throughputColumns,
};

export const syncHandlers: Group = {
  title: 'Dispatching to a synchronous handler',
  about:
    '8 workers. `batch` means that 1,000 events are put in without awaiting anything, then all are handled, and so on.',
  columns: throughputColumns,
};

export const asyncHandlers: Group = {
  title: 'Dispatching to an async handler',
  about: 'An async function that waits for nothing; 8 workers where nothing else is said.',
  columns: throughputColumns,
};

export const waitingHandlers: Group = {
  title: 'Dispatching to a handler that waits',
  about: 'Each handler ends one turn of the event loop later (`setImmediate`), as one does that waits for I/O.',
  columns: throughputColumns,
};

export const gaps: Group = {
  title: 'Fairness to timers and I/O',
  about:
    'One producer that awaits every push, as fast as it can, for one second: how long no timer and no I/O callback could run. About 2,000 ms is the end of the measurement: nobody else ran at all.',
  columns: gapColumns,
};

export const latencies: Group = {
  title: 'Latency',
  about:
    'Events arrive at a fixed rate for two seconds, whether the queue keeps up or not; 8 workers, async handler. Arrival is when an event was due, so it contains the turn of the event loop in which the generator runs, and every stall.',
  columns: latencyColumns,
};

export const memory: Group = {
  title: 'Memory',
  about: 'What the queue itself needs for each of 1,000,000 waiting events; all of them are the same object.',
  columns: memoryColumns,
};

/** Those that take seconds take part in this many rounds. */
export const slowRounds = 3;
