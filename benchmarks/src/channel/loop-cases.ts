import type { Case } from '../harness/case.ts';
import { longestGap } from '../harness/measure-gap.ts';
import { latency } from '../harness/measure-latency.ts';
import { gaps, latencies, slowRounds } from './groups.ts';
import { openWithConsumers, pushLimits } from './nq-channel.ts';
import { openDispatcher } from './nq-dispatcher.ts';
import { handleAsync, makeEvent } from './task.ts';

const concurrency = 8;
/** A queue that never refuses what arrives meanwhile, as the unbounded peers do not. */
const openLoopCapacity = 100_000;

const gapCases: readonly Case[] = [
  {
    name: 'nq channel, one producer',
    group: gaps,
    does: 'await push + tryPop.',
    maxRounds: slowRounds,
    run: longestGap(async () => {
      const queue = await openWithConsumers();
      return (index) => queue.push(makeEvent(index));
    }),
  },
  {
    name: 'nq dispatcher, one producer',
    group: gaps,
    does: 'await dispatch, async handler.',
    maxRounds: slowRounds,
    run: longestGap(async () => {
      const { dispatcher } = await openDispatcher(handleAsync);
      return (index) => dispatcher.dispatch(makeEvent(index), pushLimits);
    }),
  },
  {
    name: 'fastq.promise, one producer',
    group: gaps,
    does: 'await push.',
    maxRounds: slowRounds,
    run: longestGap(async () => {
      const { default: fastq } = await import('fastq');
      const queue = fastq.promise(handleAsync, concurrency);
      return (index) => queue.push(makeEvent(index));
    }),
  },
  {
    name: 'p-queue, one producer',
    group: gaps,
    does: 'await add.',
    maxRounds: slowRounds,
    run: longestGap(async () => {
      const { default: PQueue } = await import('p-queue');
      const queue = new PQueue({ concurrency });
      return (index) => queue.add(() => handleAsync(makeEvent(index)));
    }),
  },
  {
    name: 'async.queue, one producer',
    group: gaps,
    does: 'await pushAsync.',
    maxRounds: slowRounds,
    run: longestGap(async () => {
      const { default: async } = await import('async');
      const queue = async.queue(handleAsync, concurrency);
      return (index) => queue.pushAsync(makeEvent(index));
    }),
  },
];

const rates = [
  [10_000, '10 k/s'],
  [1_000_000, '1 M/s'],
] as const;

const latencyCases: readonly Case[] = rates.flatMap(([perSecond, rate]): Case[] => [
  {
    name: `nq dispatcher, ${rate}`,
    group: latencies,
    does: 'dispatch with a signal and a time limit; capacity 100,000.',
    maxRounds: slowRounds,
    run: latency(perSecond, async (handled) => {
      const { dispatcher } = await openDispatcher(async ({ data }) => handled(data), concurrency, openLoopCapacity);
      return (index) => dispatcher.dispatch(makeEvent(index), pushLimits);
    }),
  },
  {
    name: `fastq.promise, ${rate}`,
    group: latencies,
    does: 'push.',
    maxRounds: slowRounds,
    run: latency(perSecond, async (handled) => {
      const { default: fastq } = await import('fastq');
      const queue = fastq.promise<unknown, { data: number }>(async ({ data }) => handled(data), concurrency);
      return (index) => queue.push(makeEvent(index));
    }),
  },
]);

export const loopCases: readonly Case[] = [...gapCases, ...latencyCases];
