import {
  createDispatcher,
  createQueue,
  type Dispatcher,
  type DispatcherOptions,
  type MessageQueue,
  type QueueEvent,
} from '@nq/core';
import { memoryDriver, type VirtualClock, virtualClock } from '@nq/core/testing';
import { channelQueue } from '@nq/channel';

/** The queues under which every test of the dispatcher runs: one with the synchronous side, one without. */
export const queues: readonly (readonly [string, (clock: VirtualClock, capacity: number) => MessageQueue])[] = [
  ['a channel', (clock, capacity) => channelQueue({ clock, capacity, leaseMs: 10_000 })],
  [
    'a queue of a driver',
    (clock, capacity) => createQueue(memoryDriver({ clock, capacity, leaseMs: 10_000 }), { clock }),
  ],
];

export interface Stage {
  readonly clock: VirtualClock;
  readonly queue: MessageQueue;
  readonly dispatcher: Dispatcher;
  /** What `onError` was told, as `during code-or-message`. */
  readonly errors: string[];
}

/** A dispatcher on a queue, on a clock that the test moves. No jitter, so that delays are known. */
export function stage(
  make: (clock: VirtualClock, capacity: number) => MessageQueue,
  options: DispatcherOptions & { readonly capacity?: number } = {},
): Stage {
  const { capacity = 100, ...rest } = options;
  const clock = virtualClock();
  const queue = make(clock, capacity);
  const errors: string[] = [];
  const dispatcher = createDispatcher(
    { queue },
    {
      clock,
      onError: (error, { during }) => {
        const { code, message } = (error ?? {}) as { readonly code?: string; readonly message?: string };
        errors.push(`${during} ${code ?? message ?? String(error)}`);
      },
      sampleEvery: 1,
      ...rest,
      retry: { jitter: 0, inPlace: 0, delayMs: 1000, ...rest.retry },
    },
  );
  return { clock, queue, dispatcher, errors };
}

/** A promise and what settles it. */
export function deferred<Value = void>() {
  let resolve!: (value: Value) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<Value>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

export function event(data: unknown, type = 'test') {
  return { type, data } satisfies Partial<QueueEvent>;
}
