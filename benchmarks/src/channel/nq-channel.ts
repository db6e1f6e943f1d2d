import type { SynchronousQueue, WaitOptions } from '@nq/core';
import type { Case } from '../harness/case.ts';
import { throughput } from '../harness/measure-throughput.ts';
import { channels } from './groups.ts';
import { awaitingEach, handle, inArrays, inFlight, inTurns, makeEvent, waitingIfFull } from './task.ts';

const consumers = 8;
/** What a careful caller gives every push. */
export const pushLimits: WaitOptions = { signal: new AbortController().signal, timeoutMs: 5000 };

async function openChannel(capacity = inFlight): Promise<SynchronousQueue<number>> {
  const { channelQueue } = await import('@nq/channel');
  return channelQueue<number>({ capacity });
}

/** Takes what is there, and waits only when there is nothing. Acknowledging is done at once; its promise says so later. */
async function takeAtOnce(queue: SynchronousQueue<number>): Promise<void> {
  for (;;) {
    const delivery = queue.tryPop() ?? (await queue.pop());
    if (delivery === undefined) continue;
    handle(delivery.event);
    void delivery.ack();
  }
}

/** Awaits every event, whether there is one or not. */
async function takeAwaiting(queue: SynchronousQueue<number>): Promise<void> {
  for (;;) {
    const delivery = await queue.pop();
    if (delivery === undefined) continue;
    handle(delivery.event);
    void delivery.ack();
  }
}

export async function openWithConsumers(
  take: (queue: SynchronousQueue<number>) => Promise<void> = takeAtOnce,
): Promise<SynchronousQueue<number>> {
  const queue = await openChannel();
  for (let consumer = 0; consumer < consumers; consumer++) void take(queue);
  return queue;
}

/** Takes everything that is ready, in line. */
function drain(queue: SynchronousQueue<number>): void {
  for (let delivery = queue.tryPop(); delivery !== undefined; delivery = queue.tryPop()) {
    handle(delivery.event);
    void delivery.ack();
  }
}

export const nqChannelCases: readonly Case[] = [
  {
    name: 'nq channel, offer + tryPop',
    group: channels,
    does: 'The producer waits only when the channel is full, consumers only when it is empty.',
    run: throughput(async () => {
      const queue = await openWithConsumers();
      return waitingIfFull((event) => queue.offer(event));
    }),
  },
  {
    name: 'nq channel, offer + tryPop, signal and timeout',
    group: channels,
    does: 'The same, and every offer has a signal and a time limit.',
    run: throughput(async () => {
      const queue = await openWithConsumers();
      return waitingIfFull((event) => queue.offer(event, pushLimits));
    }),
  },
  {
    name: 'nq channel, await push + tryPop',
    group: channels,
    does: 'The producer awaits every push.',
    run: throughput(async () => {
      const queue = await openWithConsumers();
      return awaitingEach((event) => queue.push(event));
    }),
  },
  {
    name: 'nq channel, await push + await pop',
    group: channels,
    does: 'Producer and consumers await every call.',
    run: throughput(async () => {
      const queue = await openWithConsumers(takeAwaiting);
      return awaitingEach((event) => queue.push(event));
    }),
  },
  {
    name: 'nq channel, pushMany of 100 + tryPop',
    group: channels,
    does: 'The producer awaits every array of 100 events.',
    run: throughput(async () => {
      const queue = await openWithConsumers();
      return inArrays(100, (events) => queue.pushMany(events));
    }),
  },
  {
    name: 'nq channel, nobody waits',
    group: channels,
    does: '1,000 events are offered and then taken in the same turn, without any promise being awaited.',
    run: throughput(async () => {
      const queue = await openChannel();
      return inTurns((from, end) => {
        for (let index = from; index < end; index++) void queue.offer(makeEvent(index));
        drain(queue);
      });
    }),
  },
  ...[false, true].map((limited): Case => {
    const limits = limited ? pushLimits : undefined;
    return {
      name: `nq channel, every push waits${limited ? ', signal and timeout' : ''}`,
      group: channels,
      does: `Capacity 1: 1,000 pushes${limited ? ' with a signal and a time limit' : ''} wait in line, then one consumer takes all of their events.`,
      run: throughput(async () => {
        const queue = await openChannel(1);
        return inTurns(async (from, end) => {
          let last: Promise<void> | undefined;
          for (let index = from; index < end; index++) last = queue.offer(makeEvent(index), limits);
          drain(queue);
          await last;
        });
      }),
    };
  }),
];
