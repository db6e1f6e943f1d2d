import { isNqError } from '../../errors.ts';
import type { Delivery } from '../../queue.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { NotVerified } from '../violation.ts';
import { longLeaseMs } from './full-queue.ts';
import {
  acksTooLate,
  granularityMs,
  handOut,
  needsToBeOurs,
  settledInTime,
  shortLeaseMs,
  takeAgain,
  verifyIs,
  watchWhatComes,
} from './returned.ts';

/** §3, continued: how long a delivery is ours, and from when on a settlement counts. */
export const leaseRules: readonly Rule[] = [
  {
    id: '3.9',
    slug: 'lease-ends',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.lease,
    text: 'An event that is not settled is handed out again when its lease has ended, and not before; who held it is told by its signal.',
    why: 'The worker that hangs keeps its event for ever if the lease never ends; if it ends early, two workers have the event although both are in time (a timeout that was documented and did not exist, openlinker #2223).',
    checkFirst: 'Who looks for leases that have ended, and does anybody while all consumers wait?',
    mutants: ['lease-early', 'lease-never', 'ack-on-receive', 'lease-end-untold'],
    async run(trial) {
      const queue = await trial.open({ leaseMs: shortLeaseMs(trial) });
      const leaseMs = trial.leaseOf(queue);
      const event = trial.event();
      await queue.push(event);
      // The lease cannot have begun before the pop was called.
      const since = trial.clock.now();
      const held = await trial.take(queue, 'the event that was pushed');
      let toldMs: number | undefined;
      held.signal.addEventListener('abort', () => (toldMs = trial.clock.now() - since), { once: true });
      const again = await takeAgain(trial, queue, 'an event whose lease ended');
      verifyIs(trial, again, event, 'the only event there is');
      const tookMs = trial.clock.now() - since;
      trial.verify(
        tookMs >= leaseMs - granularityMs,
        () => `an event with a lease of ${leaseMs} ms came again ${Math.round(tookMs)} ms after it was asked for`,
      );
      await trial.until(() => held.signal.aborted, 'that the signal of a delivery whose lease ended aborts');
      trial.verify(
        isNqError(held.signal.reason, 'NQ_LEASE_LOST'),
        'the signal of a delivery whose lease ended has another reason than NQ_LEASE_LOST',
      );
      trial.verify(
        toldMs === undefined || toldMs >= leaseMs - granularityMs,
        () => `the signal of a delivery with a lease of ${leaseMs} ms aborted after ${toldMs} ms`,
      );
      await settledInTime(again.ack());
    },
  },
  {
    id: '3.10',
    slug: 'late-settlement-refused',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.lease,
    text: 'A settlement after the end of the lease rejects NQ_LEASE_LOST and does nothing to the event, nor to whoever has it now.',
    why: 'Two workers: the slow one acknowledges the copy of the fast one, which then fails, and the event is lost (OptimalBits/bull #308, kafkajs #1046).',
    checkFirst: 'Is it the hand-out that is compared, not the id of the event, in the same step that settles?',
    mutants: ['late-ack-accepted', 'stale-ack-by-id', 'stale-ack-silent', 'stale-nack-by-id'],
    run: refusesLateSettlements,
  },
  {
    id: '3.11',
    slug: 'extend-renews-lease',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.leaseExtend,
    text: 'extend(ms) keeps the event ours for so long from now, as often as it is called, and not for ever; of a delivery that is settled or lost it is refused.',
    why: 'Work that takes longer than the lease is done twice, each time, if the renewal does nothing; if it cannot be refused, a worker goes on with what another one has.',
    checkFirst: 'Does extend() set the end anew, from the clock of the backend, and only if the lease is still ours?',
    mutants: ['extend-noop', 'extend-works-once', 'extend-for-ever', 'extend-after-settling'],
    run: extendsLeases,
  },
  {
    id: '3.12',
    slug: 'ack-resolves-when-done',
    level: 'MUST',
    claim: 'durable',
    tier: 'standard',
    requires: needs.durable,
    hooks: ['crash'],
    text: 'An event is done when its ack() resolves: it does not come again although the consumer is killed at that very moment.',
    why: 'A consumer that answers its caller and gathers acknowledgements for later repeats at each crash what was done; so do those that commit every five seconds.',
    checkFirst: 'Does ack() resolve on the answer of the backend, or when the request has been put into a buffer?',
    mutants: ['ack-unconfirmed', 'ack-with-next-pop'],
    async run(trial) {
      const queue = await trial.open({ leaseMs: shortLeaseMs(trial) });
      const { lease } = queue.capabilities;
      const watchMs = lease === false ? 0 : trial.leaseOf(queue) * 1.5;
      await trial.push(queue, 2);
      const done = new Set<string>();
      const verifyNotDone = (delivery: Delivery): void => {
        const came = trial.show(delivery);
        trial.verify(!done.has(delivery.event.id), `${came} came out although its ack() had resolved before the crash`);
      };
      for (const delivery of await trial.takeMany(queue, 2)) {
        if (await settledInTime(delivery.ack())) done.add(delivery.event.id);
      }
      await trial.crash(queue);
      const another = await trial.open();
      await trial.push(another, 1);
      // One of the first two, if its acknowledgement came too late.
      const last = await trial.take(another, 'the event that was pushed');
      verifyNotDone(last);
      if (await settledInTime(last.ack())) done.add(last.event.id);
      await trial.crash(another);
      const survivor = await trial.open();
      await watchWhatComes(survivor, watchMs + trial.timing.quietMs, verifyNotDone);
      if (done.size === 0) throw new NotVerified(acksTooLate);
    },
  },
];

async function refusesLateSettlements(trial: Trial): Promise<void> {
  // What is watched below begins with the answer, which may come late; the lease has begun before.
  const queue = await trial.open({ leaseMs: shortLeaseMs(trial, 500) });
  const leaseMs = trial.leaseOf(queue);

  // Nobody else has it yet.
  const late = await handOut(trial, queue);
  await trial.until(() => late.signal.aborted, 'that the signal of a delivery whose lease ended aborts');
  await trial.rejects(late.ack(), 'NQ_LEASE_LOST', 'ack() after the end of the lease');
  await trial.rejects(late.nack(), 'NQ_LEASE_LOST', 'nack() after the end of the lease');
  if (needs.leaseExtend.holds(queue.capabilities)) {
    await trial.rejects(late.extend(1000), 'NQ_LEASE_LOST', 'extend() after the end of the lease');
  }
  let holder = await takeAgain(trial, queue, 'an event that was acknowledged too late');
  verifyIs(trial, holder, late.event, 'whose lease ended');

  // Somebody else has it. The slow one is `stale`, the fast one `holder`.
  let stale: Delivery;
  let since: number;
  [stale, holder, since] = [holder, await takeFromStale(trial, queue, holder), trial.clock.now()];
  await trial.rejects(stale.ack(), 'NQ_LEASE_LOST', 'ack() of an event that somebody else has');
  await settledInTime(holder.nack());
  const returned = await takeAgain(
    trial,
    queue,
    'an event that its holder gave back, after a late ack() of another one,',
  );
  verifyIs(trial, returned, stale.event, 'which was given back');

  [stale, holder, since] = [returned, await takeFromStale(trial, queue, returned), trial.clock.now()];
  await trial.rejects(stale.nack(), 'NQ_LEASE_LOST', 'nack() of an event that somebody else has');
  const watchMs = Math.min(trial.timing.quietMs, leaseMs / 2);
  const third = await queue.pop({ timeoutMs: watchMs });
  if (third !== undefined) needsToBeOurs(trial, since, leaseMs);
  trial.verify(third === undefined, 'a late nack() has given back what somebody else has');
  await settledInTime(holder.ack());
}

/** Waits until the lease of `stale` has ended, and takes its event anew. */
async function takeFromStale(trial: Trial, queue: ObservedQueue<unknown>, stale: Delivery): Promise<Delivery> {
  const holder = await takeAgain(trial, queue, 'an event whose lease ended');
  verifyIs(trial, holder, stale.event, 'whose lease ended');
  return holder;
}

/** Renews a lease that began `since`. @throws {NotVerified} if it is refused, and may have come too late. */
async function extendInTime(
  trial: Trial,
  delivery: Delivery,
  ms: number,
  { since, leaseMs }: { readonly since: number; readonly leaseMs: number },
): Promise<void> {
  try {
    await delivery.extend(ms);
  } catch (error) {
    if (isNqError(error, 'NQ_LEASE_LOST')) needsToBeOurs(trial, since, leaseMs);
    throw error;
  }
}

async function extendsLeases(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: shortLeaseMs(trial) });
  const leaseMs = trial.leaseOf(queue);
  // The lease counts from before the pop, and the first one may take longer than the lease, where a consumer joins others.
  await settledInTime((await handOut(trial, queue)).ack());
  const event = trial.event();
  await queue.push(event);
  let since = trial.clock.now();
  const delivery = await trial.take(queue, 'the event that was pushed');
  let ours = leaseMs;
  const renewedMs = 8 * leaseMs;
  // Each watch ends after what was before the call, and well before what is after it.
  for (let round = 1; round <= 2; round++) {
    needsToBeOurs(trial, since, ours);
    const began = trial.clock.now();
    await extendInTime(trial, delivery, renewedMs, { since, leaseMs: ours });
    [since, ours] = [began, renewedMs];
    const early = await queue.pop({ timeoutMs: leaseMs * 5 });
    if (early !== undefined) needsToBeOurs(trial, since, ours);
    trial.verify(early === undefined, `an event came again although its lease was renewed, for the ${round}. time`);
  }
  if (trial.clock.now() - since < ours - granularityMs) {
    trial.verify(!delivery.signal.aborted, 'the signal of a delivery aborted although its lease was renewed');
  }
  needsToBeOurs(trial, since, ours);
  const began = trial.clock.now();
  await extendInTime(trial, delivery, leaseMs, { since, leaseMs: ours });
  [since, ours] = [began, leaseMs];
  const again = await takeAgain(trial, queue, 'an event whose renewed lease ended');
  verifyIs(trial, again, event, 'the only event there is');
  const tookMs = trial.clock.now() - since;
  trial.verify(
    tookMs >= ours - granularityMs,
    () => `an event whose lease was renewed for ${ours} ms came again after ${Math.round(tookMs)} ms`,
  );
  await trial.rejects(delivery.extend(leaseMs), 'NQ_LEASE_LOST', 'extend() of an event that somebody else has');
  await settledInTime(again.ack());

  for (const by of ['ack', 'nack'] as const) {
    const settled = await handOut(trial, queue);
    if (!(await settledInTime(settled[by]()))) continue;
    await trial.rejects(settled.extend(longLeaseMs(trial)), 'NQ_ALREADY_SETTLED', `extend() after ${by}()`);
    if (by === 'nack') await settledInTime((await takeAgain(trial, queue, 'the event that was given back')).ack());
  }
}
