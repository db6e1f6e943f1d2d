import type { Dispatcher, Handler, SynchronousQueue } from '@nq/core';
import type { Case, Group } from '../harness/case.ts';
import { type Operation, throughput } from '../harness/measure-throughput.ts';
import { asyncHandlers, syncHandlers, waitingHandlers } from './groups.ts';
import { pushLimits } from './nq-channel.ts';
import {
  awaitingEach,
  handle,
  handleAsync,
  handleNextTurn,
  inArrays,
  inBatches,
  inFlight,
  waitingIfFull,
} from './task.ts';

/** A dispatcher that runs, and the queue it takes from. */
export interface Opened {
  readonly queue: SynchronousQueue<number>;
  readonly dispatcher: Dispatcher<{ bench: number }>;
}

export async function openDispatcher(
  handler: Handler<number, 'bench'>,
  workers = 8,
  capacity = inFlight,
): Promise<Opened> {
  const { createDispatcher } = await import('@nq/core');
  const { channelQueue } = await import('@nq/channel');
  const queue = channelQueue<number>({ capacity });
  const dispatcher = createDispatcher<{ bench: number }>({ queue });
  dispatcher.on('bench', handler);
  await dispatcher.start(workers);
  return { queue, dispatcher };
}

/** A way to put events into the queue of a dispatcher. */
interface Way {
  readonly name: string;
  readonly does: string;
  readonly put: (opened: Opened) => Operation;
}

// Every push has a signal and a time limit: the targets are those of the dispatcher with everything on.
const batch: Way = {
  name: 'batch',
  does: '1,000 calls of `offer` at a time.',
  put: ({ queue }) => inBatches((event) => queue.offer(event, pushLimits)),
};
const offer: Way = {
  name: 'offer',
  does: 'One `offer` after the other; the producer waits only when the queue is full.',
  put: ({ queue }) => waitingIfFull((event) => queue.offer(event, pushLimits)),
};
const pushMany: Way = {
  name: 'pushMany of 100',
  does: 'The producer awaits every array of 100 events.',
  put: ({ queue }) => inArrays(100, (events) => queue.pushMany(events, pushLimits)),
};
const awaitDispatch: Way = {
  name: 'await dispatch',
  does: 'The producer awaits every `dispatch`, which resolves when the queue has the event.',
  put: ({ dispatcher }) => awaitingEach((event) => dispatcher.dispatch(event, pushLimits)),
};

function dispatcherCase(group: Group, handler: Handler<number, 'bench'>, way: Way, workers = 8): Case {
  const handlerName = group === syncHandlers ? 'sync' : group === asyncHandlers ? 'async' : 'waiting';
  return {
    name: `nq dispatcher, ${handlerName}, ${way.name}, ${workers} ${workers === 1 ? 'worker' : 'workers'}`,
    group,
    does: way.does,
    run: throughput(async () => way.put(await openDispatcher(handler, workers))),
  };
}

export const nqDispatcherCases: readonly Case[] = [
  dispatcherCase(syncHandlers, handle, batch),
  dispatcherCase(syncHandlers, handle, offer),
  dispatcherCase(syncHandlers, handle, awaitDispatch),
  dispatcherCase(asyncHandlers, handleAsync, batch),
  dispatcherCase(asyncHandlers, handleAsync, offer),
  dispatcherCase(asyncHandlers, handleAsync, pushMany),
  dispatcherCase(asyncHandlers, handleAsync, awaitDispatch, 1),
  dispatcherCase(asyncHandlers, handleAsync, awaitDispatch),
  dispatcherCase(asyncHandlers, handleAsync, awaitDispatch, 64),
  dispatcherCase(waitingHandlers, handleNextTurn, batch),
  dispatcherCase(waitingHandlers, handleNextTurn, batch, 64),
];
