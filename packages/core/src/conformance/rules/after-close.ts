import type { Delivery } from '../../queue.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import type { Trial } from '../trial.ts';

/**
 * When the queue is closed, in milliseconds after the call that it cuts off: in the same turn, and at several moments of its
 * way to a backend that is near, or far away.
 */
export const moments = [undefined, 0, 3, 12, 40] as const;

/** The most events that a rule pushes to fill a queue. */
export const mostToFill = 100;

/** A time limit that no rule lives to see, in milliseconds: the timer for it must end with the queue. */
export const longMs = 600_000;

/**
 * How to look at what is left of a queue after its close, to be asked for before it; `undefined` if nothing is left, because
 * the queue keeps nothing and nobody else holds it.
 */
export async function whatIsLeft(trial: Trial): Promise<(() => Promise<ObservedQueue<unknown>>) | undefined> {
  const { durable, multiInstance } = trial.capabilities;
  if (durable !== 'none') return () => trial.open();
  if (!multiInstance) return undefined;
  const other = await trial.open();
  return async () => other;
}

/** Takes and acknowledges `count` events, which must come, and whatever comes for a while after them. */
export async function takeAll(trial: Trial, queue: ObservedQueue<unknown>, count: number): Promise<Delivery[]> {
  const deliveries = await trial.takeMany(queue, count);
  for (const delivery of deliveries) await delivery.ack();
  return [...deliveries, ...(await trial.drain(queue))];
}

/** Waits until `moment`; not even for a tick if it is `undefined`. */
export async function waitUntil(trial: Trial, moment: number | undefined): Promise<void> {
  if (moment !== undefined) await trial.wait(moment);
}

/** Whether the events of a queue are gone when this one object is closed. */
export function isGoneWithItself({ capabilities: { durable, multiInstance } }: Trial): boolean {
  return durable === 'none' && !multiInstance;
}
