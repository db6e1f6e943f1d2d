import { isNqError } from '../../errors.ts';
import type { QueueEvent } from '../../event.ts';
import type { Delivery } from '../../queue.ts';
import { slownessOf } from '../harness.ts';
import { describeError } from '../journal.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import type { Trial } from '../trial.ts';
import { NotVerified, Violation } from '../violation.ts';

/**
 * The lease that rules ask for where they wait for its end, in milliseconds: `fastMs` where calls take next to nothing, and
 * longer where the harness says that they take their time, for a call that takes longer than the lease proves nothing.
 */
export function shortLeaseMs({ timing }: Trial, fastMs = 200): number {
  return Math.min(fastMs * slownessOf(timing), timing.longestLeaseMs);
}

/** Timers count in whole milliseconds, so a wait may look this much shorter than it was. */
export const granularityMs = 1;

/** Why nothing can be said of acknowledgements. */
export const acksTooLate = 'each lease was over before its acknowledgement arrived';

/** Pushes one event and takes it. */
export async function handOut(
  trial: Trial,
  queue: ObservedQueue<unknown>,
  changes: Partial<QueueEvent> = {},
): Promise<Delivery> {
  const event = trial.event(changes);
  await queue.push(event);
  const delivery = await trial.take(queue, 'the event that was pushed');
  verifyIs(trial, delivery, event, 'the event that was pushed');
  return delivery;
}

/**
 * Crashes `queue` while it holds something. Not at once: whoever writes down a little later what was handed out, instead of
 * with every hand-out, has done so by then.
 */
export async function crashHolding(trial: Trial, queue: ObservedQueue<unknown>): Promise<void> {
  await trial.wait(trial.timing.quietMs);
  await trial.crash(queue);
}

/** Takes what must come again, at the latest when its lease has ended. */
export async function takeAgain(trial: Trial, queue: ObservedQueue<unknown>, what: string): Promise<Delivery> {
  const { lease } = queue.capabilities;
  const timeoutMs = trial.timing.reclaimMs + (lease === false ? 0 : Math.min(lease.ms, trial.timing.longestLeaseMs));
  const delivery = await queue.pop({ timeoutMs });
  if (delivery === undefined) throw new Violation(`${what} did not come again within ${timeoutMs} ms`);
  return delivery;
}

/**
 * Takes and acknowledges `events`, which must come, at the latest soon after the leases of those who held them; and watches
 * that no more come. An acknowledgement that arrives after its lease is made again when the event comes again.
 *
 * @param after says since when they are waited for, if they do not come.
 */
export async function takeBack(
  trial: Trial,
  queue: ObservedQueue<unknown>,
  events: readonly QueueEvent[],
  after: string,
): Promise<readonly Delivery[]> {
  const leaseMs = queue.capabilities.lease === false ? 0 : trial.leaseOf(queue);
  const timeoutMs = leaseMs + trial.timing.reclaimMs;
  const deliveries: Delivery[] = [];
  const deadline = trial.clock.now() + 2 * timeoutMs;
  while (deliveries.length < events.length) {
    const delivery = await queue.pop({ timeoutMs });
    if (delivery === undefined) {
      const missing = events.length - deliveries.length;
      throw new Violation(`${missing} of ${events.length} events had not come ${timeoutMs} ms after ${after}`);
    }
    if (await settledInTime(delivery.ack())) deliveries.push(delivery);
    else if (trial.clock.now() >= deadline) throw new NotVerified(acksTooLate);
  }
  await watchWhatComes(queue, trial.timing.quietMs, (delivery) => void deliveries.push(delivery));
  trial.verifySame(deliveries, events, false);
  return deliveries;
}

/** Verifies that `delivery` is of `event` and of no other one. */
export function verifyIs(trial: Trial, delivery: Delivery, event: QueueEvent, what: string): void {
  const { journal } = trial;
  trial.verify(
    delivery.event.id === event.id,
    () => `${trial.show(delivery)} came; expected ${journal.nameOf(event.id)}, ${what}`,
  );
}

/** Settles with `call`. @returns whether it was in time; a lease that ended before is no fault of the queue. */
export async function settledInTime(call: Promise<void>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (isNqError(error, 'NQ_LEASE_LOST')) return false;
    throw error;
  }
}

/** Waits for works that are done at the same time. @throws a {@link Violation} of one of them, or else what one has thrown. */
export async function waitForAll(...works: readonly Promise<void>[]): Promise<void> {
  const ends = await Promise.allSettled(works);
  const errors: unknown[] = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
  if (errors.length > 0) throw errors.find((error) => error instanceof Violation) ?? errors[0];
}

/** Takes and acknowledges what comes until nothing has come for `watchMs`, and shows each to `look` before. */
export async function watchWhatComes(
  queue: ObservedQueue<unknown>,
  watchMs: number,
  look: (delivery: Delivery) => void,
): Promise<void> {
  for (;;) {
    const delivery = await queue.pop({ timeoutMs: watchMs });
    if (delivery === undefined) return;
    look(delivery);
    await settledInTime(delivery.ack());
  }
}

/** @throws {NotVerified} if the lease of what was taken at `since` may have ended on a machine that is this busy. */
export function needsToBeOurs(trial: Trial, since: number, leaseMs: number): void {
  if (trial.clock.now() - since >= leaseMs - granularityMs) {
    throw new NotVerified(`the lease of ${leaseMs} ms was over before the rule could go on`);
  }
}

/** Verifies that `call` resolves. @param what says of what it would be wrong to reject. */
export async function resolves(trial: Trial, call: Promise<unknown>, what: string): Promise<void> {
  let refused: string | undefined;
  try {
    await call;
  } catch (error) {
    if (error instanceof Violation) throw error;
    refused = describeError(error);
  }
  trial.verify(refused === undefined, `${what} rejected ${refused}`);
}

/** @throws {NotVerified} if `queue` takes fewer than `count` events. */
export function needsRoom({ capacity }: ObservedQueue<unknown>, count: number): void {
  if (capacity < count) throw new NotVerified(`there is room for ${capacity} events; the rule needs ${count}`);
}
