import type { Case } from '../harness/case.ts';
import { heldMemory, memoryFlags } from '../harness/measure-memory.ts';
import { memory, slowRounds } from './groups.ts';
import { makeEvent } from './task.ts';

const event = makeEvent(0);
/** Longer than any measurement: no time limit ends a push here. */
const limits = { signal: new AbortController().signal, timeoutMs: 1_000_000 };
const never = (): Promise<void> => new Promise(() => {});

function memoryCase(name: string, does: string, prepare: () => Promise<(count: number) => unknown>): Case {
  return { name, group: memory, does, nodeFlags: memoryFlags, maxRounds: slowRounds, run: heldMemory(prepare) };
}

export const memoryCases: readonly Case[] = [
  memoryCase('nq channel, queued events', 'A channel that holds all of them.', async () => {
    const { channelQueue } = await import('@nq/channel');
    return (count) => {
      const queue = channelQueue({ capacity: count });
      for (let index = 0; index < count; index++) void queue.offer(event);
      return queue;
    };
  }),
  memoryCase('nq channel, waiting pushes', 'Capacity 1; every push has a signal and a time limit.', async () => {
    const { channelQueue } = await import('@nq/channel');
    return (count) => {
      const queue = channelQueue({ capacity: 1 });
      for (let index = 0; index <= count; index++) void queue.push(event, limits);
      return queue;
    };
  }),
  memoryCase('fastq callback, queued events', 'One worker that never ends.', async () => {
    const { default: fastq } = await import('fastq');
    return (count) => {
      const nothing = (): void => {};
      const queue = fastq(nothing, 1);
      for (let index = 0; index < count; index++) queue.push(event, nothing);
      return queue;
    };
  }),
  memoryCase('fastq.promise, queued events', 'One worker that never ends.', async () => {
    const { default: fastq } = await import('fastq');
    return (count) => {
      const queue = fastq.promise(never, 1);
      for (let index = 0; index < count; index++) void queue.push(event);
      return queue;
    };
  }),
  memoryCase('p-queue, queued events', 'One worker that never ends.', async () => {
    const { default: PQueue } = await import('p-queue');
    return (count) => {
      const queue = new PQueue({ concurrency: 1 });
      for (let index = 0; index < count; index++) void queue.add(never);
      return queue;
    };
  }),
  memoryCase('async.queue, queued events', 'One worker that never ends.', async () => {
    const { default: async } = await import('async');
    return (count) => {
      const queue = async.queue(never, 1);
      for (let index = 0; index < count; index++) void queue.push(event);
      return queue;
    };
  }),
];
