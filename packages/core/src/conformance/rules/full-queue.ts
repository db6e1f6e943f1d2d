import type { QueueEvent } from '../../event.ts';
import type { Delivery } from '../../queue.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import type { Trial } from '../trial.ts';
import { NotVerified } from '../violation.ts';

/** A queue that takes no more, and what it holds. */
export interface FullQueue {
  readonly queue: ObservedQueue<unknown>;
  readonly events: readonly QueueEvent[];
}

/** A backend that cannot vary its capacity is filled all the same, as long as that does not take too long. */
const mostToFill = 5000;

/** Opens the queue with room for `capacity` events, and fills it. @throws {NotVerified} as {@link fill}. */
export async function openFull(trial: Trial, capacity: number): Promise<FullQueue> {
  const queue = await trial.open({ capacity, leaseMs: longLeaseMs(trial) });
  return { queue, events: await fill(trial, queue) };
}

/** Fills an empty queue. @throws {NotVerified} if it has room for more than rules fill. */
export async function fill(trial: Trial, queue: ObservedQueue<unknown>): Promise<readonly QueueEvent[]> {
  if (queue.capacity > mostToFill) {
    throw new NotVerified(`there is room for ${queue.capacity} events; rules fill up to ${mostToFill}`);
  }
  const events = trial.events(queue.capacity);
  await queue.pushMany(events, { timeoutMs: trial.timing.patienceMs });
  return events;
}

/** A lease that does not end while a rule waits for something: what was lost must not be found by its end. */
export function longLeaseMs({ timing }: Trial): number {
  return timing.patienceMs * 10;
}

/** As {@link Trial.collect}, for so many events that they have to come in pages. */
export async function collectPages(trial: Trial, queue: ObservedQueue<unknown>, count: number): Promise<Delivery[]> {
  const { quietMs, patienceMs } = trial.timing;
  const deliveries: Delivery[] = [];
  for (;;) {
    // What must still come is waited for; one too many is only watched for.
    const timeoutMs = deliveries.length < count ? patienceMs : quietMs;
    const page = await queue.popMany(200, { timeoutMs });
    if (page.length === 0) return deliveries;
    deliveries.push(...page);
    await Promise.all(page.map((delivery) => delivery.ack()));
  }
}
