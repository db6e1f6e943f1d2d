import type { Case } from '../harness/case.ts';
import { throughput } from '../harness/measure-throughput.ts';
import { asyncHandlers, syncHandlers, waitingHandlers } from './groups.ts';
import { awaitingEach, type BenchmarkEvent, handle, handleAsync, handleNextTurn, inBatches } from './task.ts';

const concurrency = 8;
const nothing = (): void => {};

/** What fastq calls when a task of its callback API is done. */
type Done = (error: Error | null) => void;

async function fastqOfCallbacks(worker: (event: BenchmarkEvent, done: Done) => void, concurrent = concurrency) {
  const { default: fastq } = await import('fastq');
  return fastq<unknown, BenchmarkEvent>(worker, concurrent);
}

async function fastqOfPromises(worker: (event: BenchmarkEvent) => Promise<void>, concurrent = concurrency) {
  const { default: fastq } = await import('fastq');
  return fastq.promise<unknown, BenchmarkEvent>(worker, concurrent);
}

export const peerQueueCases: readonly Case[] = [
  {
    name: 'fastq callback, queued, batch, 8 workers',
    group: syncHandlers,
    does: 'The worker is called in push, and defers its work by a microtask, so that events really queue.',
    run: throughput(async () => {
      const queue = await fastqOfCallbacks((event, done) => {
        queueMicrotask(() => {
          handle(event);
          done(null);
        });
      });
      return inBatches((event) => queue.push(event, nothing));
    }),
  },
  {
    name: 'fastq callback, inline, batch, 8 workers',
    group: syncHandlers,
    does: 'The worker does its work in push: nothing ever queues.',
    run: throughput(async () => {
      const queue = await fastqOfCallbacks((event, done) => {
        handle(event);
        done(null);
      });
      return inBatches((event) => queue.push(event, nothing));
    }),
  },
  {
    name: 'fastq.promise, async, batch, 8 workers',
    group: asyncHandlers,
    does: 'The promises of push are not awaited.',
    run: throughput(async () => {
      const queue = await fastqOfPromises(handleAsync);
      return inBatches((event) => queue.push(event));
    }),
  },
  {
    name: 'fastq.promise, async, await push, 1 worker',
    group: asyncHandlers,
    does: 'Awaiting push waits for the handler too, so more workers would have nothing to do.',
    run: throughput(async () => {
      const queue = await fastqOfPromises(handleAsync, 1);
      return awaitingEach((event) => queue.push(event));
    }),
  },
  {
    name: 'p-queue, async, batch, 8 workers',
    group: asyncHandlers,
    does: 'The promises of add are not awaited.',
    run: throughput(async () => {
      const { default: PQueue } = await import('p-queue');
      const queue = new PQueue({ concurrency });
      return inBatches((event) => queue.add(() => handleAsync(event)));
    }),
  },
  {
    name: 'async.queue, async, batch, 8 workers',
    group: asyncHandlers,
    does: 'The promises of push are not awaited.',
    run: throughput(async () => {
      const { default: async } = await import('async');
      const queue = async.queue<BenchmarkEvent>(handleAsync, concurrency);
      return inBatches((event) => queue.push(event));
    }),
  },
  ...[8, 64].flatMap((concurrent): Case[] => [
    {
      name: `fastq.promise, waiting, batch, ${concurrent} workers`,
      group: waitingHandlers,
      does: 'The promises of push are not awaited.',
      run: throughput(async () => {
        const queue = await fastqOfPromises(handleNextTurn, concurrent);
        return inBatches((event) => queue.push(event));
      }),
    },
    {
      name: `fastq callback, waiting, batch, ${concurrent} workers`,
      group: waitingHandlers,
      does: 'A handler with a callback instead of a promise.',
      run: throughput(async () => {
        const queue = await fastqOfCallbacks((event, done) => {
          setImmediate(() => {
            handle(event);
            done(null);
          });
        }, concurrent);
        return inBatches((event) => queue.push(event, nothing));
      }),
    },
  ]),
];
