import type { Case } from '../harness/case.ts';
import { throughput } from '../harness/measure-throughput.ts';
import { channels } from './groups.ts';
import { awaitingEach, type BenchmarkEvent, handle, inFlight, waitingIfFull } from './task.ts';

const consumers = 8;

/** Starts consumers that await every event. */
function consume(take: () => Promise<BenchmarkEvent | undefined>): void {
  const work = async (): Promise<void> => {
    for (;;) handle((await take()) as BenchmarkEvent);
  };
  for (let consumer = 0; consumer < consumers; consumer++) void work();
}

export const peerChannelCases: readonly Case[] = [
  {
    name: 'ts-chan, trySend + tryRecv',
    group: channels,
    does: 'Waits only when the channel is full or empty.',
    run: throughput(async () => {
      const { Chan } = await import('ts-chan');
      const channel = new Chan<BenchmarkEvent>(inFlight);
      const work = async (): Promise<void> => {
        for (;;) {
          const { value } = channel.tryRecv() ?? (await channel.recv());
          handle(value as BenchmarkEvent);
        }
      };
      for (let consumer = 0; consumer < consumers; consumer++) void work();
      return waitingIfFull((event) => (channel.trySend(event) ? undefined : channel.send(event)));
    }),
  },
  {
    name: '@thi.ng/csp, await write + await read',
    group: channels,
    does: 'Producer and consumers await every call.',
    run: throughput(async () => {
      const { channel } = await import('@thi.ng/csp');
      const events = channel<BenchmarkEvent>(inFlight);
      consume(() => events.read());
      return awaitingEach((event) => events.write(event));
    }),
  },
  {
    name: 'async-channel, await push + await get',
    group: channels,
    does: 'Producer and consumers await every call.',
    run: throughput(async () => {
      const { Channel } = await import('async-channel');
      const channel = new Channel<BenchmarkEvent>(inFlight);
      consume(() => channel.get());
      return awaitingEach((event) => channel.push(event));
    }),
  },
];
