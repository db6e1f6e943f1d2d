import { isDeepStrictEqual } from 'node:util';
import type { QueueEvent } from '../../event.ts';
import type { Delivery } from '../../queue.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { NotVerified } from '../violation.ts';
import { isGoneWithItself, whatIsLeft } from './after-close.ts';
import { longLeaseMs } from './full-queue.ts';
import { secondOf, whoeverGets } from './pop.ts';
import {
  acksTooLate,
  crashHolding,
  handOut,
  resolves,
  settledInTime,
  shortLeaseMs,
  takeAgain,
  verifyIs,
  watchWhatComes,
} from './returned.ts';

/** §3: acknowledging and giving back. */
export const settleRules: readonly Rule[] = [
  {
    id: '3.1',
    slug: 'ack-is-for-good',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'An event that was acknowledged never comes again: not after its lease, not on another connection, not after a close.',
    why: 'The order is shipped a second time, an hour later, by a worker that has never heard of it.',
    checkFirst: 'Does ack() remove the event from the backend, also as one of many that are acknowledged together?',
    mutants: ['ack-noop', 'ack-of-batch-is-first', 'ack-remembered-here'],
    run: acknowledgesForGood,
  },
  {
    id: '3.2',
    slug: 'nack-gives-back',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    text: 'An event that is given back, by nack() or by the end of its `await using`, is handed out again as it was.',
    why: 'Every failure of a handler ends here: a queue that forgets what failed loses exactly the events that mattered (in Dapr, failed messages left the set of those that were awaited), and one that copies them on the way back loses their headers.',
    checkFirst: 'What is written back: the record as it was stored, or a new one made of its data?',
    mutants: [
      'drop-on-nack',
      'ack-on-receive',
      'nack-of-batch-is-first',
      'nack-renames',
      'nack-drops-headers',
      'nack-reads-names',
      'dispose-acks',
    ],
    run: givesBack,
  },
  {
    id: '3.3',
    slug: 'attempts-counted',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'attempt is 1 for the first hand-out of an event and grows with every further one: after a nack, a lease that ended, extended before or not, a close, a crash, on whichever connection.',
    why: 'Without it an event that kills its worker is tried for ever: the worker that dies never counts, only the backend can.',
    checkFirst: 'Is the number kept with the event in the backend, and raised in the step that hands it out?',
    mutants: [
      'attempt-stuck',
      'attempt-from-zero',
      'attempt-by-connection',
      'attempt-uncounted-lease',
      'attempt-uncounted-close',
      'attempt-reset-by-extend',
    ],
    run: countsAttempts,
  },
  {
    id: '3.4',
    slug: 'settled-once',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'The first settlement of a delivery stands: repeating it does nothing, contradicting it rejects NQ_ALREADY_SETTLED and changes nothing.',
    why: 'Handlers acknowledge and then throw, and whoever catches that gives the event back: without this it is done and comes again.',
    checkFirst: 'Does the delivery remember its first settlement from the call on, not from the answer on?',
    mutants: [
      'double-ack-throws',
      'nack-after-ack-resurrects',
      'contradiction-silent',
      'ack-after-nack-removes',
      'double-nack-duplicates',
      'double-nack-steals',
      'dispose-returns-acked',
    ],
    run: settlesOnce,
  },
  {
    id: '3.5',
    slug: 'settles-its-own',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.individualAck,
    text: 'Settling a delivery, in whatever order, touches no other one; with a cumulative ack, it touches none that was handed out later.',
    why: 'Workers finish in an order of their own: the event of the slowest is lost when the acknowledgement of a later one counts for it too.',
    checkFirst: 'Is it the event that is acknowledged, or a position up to which everything is?',
    mutants: ['cumulative-ack', 'nack-returns-all'],
    async run(trial) {
      const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
      const held: Delivery[] = [];
      // One by one: a queue that takes only few events at once can do it too.
      while (held.length < 4) held.push(await handOut(trial, queue));
      const [first, second, third, fourth] = held as [Delivery, Delivery, Delivery, Delivery];
      await third.ack();
      await trial.nothing(queue, 'it was not settled, another delivery was acknowledged');
      await resolves(trial, first.nack(), 'nack() of an event that is older than one that was acknowledged');
      const again = await trial.take(queue, 'the event that was given back, while later ones are not settled');
      verifyIs(trial, again, first.event, 'the one that was given back');
      await trial.nothing(queue, 'it was not given back, another delivery was');
      await resolves(trial, second.nack(), 'nack() of an event that is older than one that was acknowledged');
      const other = await trial.take(queue, 'an event that was not settled when a later one was acknowledged');
      verifyIs(trial, other, second.event, 'the one that was given back');
      await fourth.ack();
      await other.ack();
      await again.ack();
      await trial.nothing(queue, 'it was acknowledged before');
    },
    async otherwise(trial) {
      const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
      const [first, second] = [await handOut(trial, queue), await handOut(trial, queue)];
      await first.ack();
      await second.nack();
      const again = await trial.take(queue, 'the event that was given back after an earlier one was acknowledged');
      verifyIs(trial, again, second.event, 'the one that was given back');
      await again.ack();
    },
  },
];

async function acknowledgesForGood(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: shortLeaseMs(trial) });
  const other = await secondOf(trial, queue);
  const look = isGoneWithItself(trial) ? undefined : await whatIsLeft(trial);
  const done = new Set<string>();
  const acknowledge = async (deliveries: readonly Delivery[]): Promise<void> => {
    const acks = deliveries.map((delivery) => settledInTime(delivery.ack()));
    for (const [index, inTime] of (await Promise.all(acks)).entries()) {
      if (inTime) done.add((deliveries[index] as Delivery).event.id);
    }
  };
  const verifyNotDone = (delivery: Delivery): void => {
    const came = trial.show(delivery);
    trial.verify(!done.has(delivery.event.id), `${came} came out although it was acknowledged`);
  };

  for (let round = 0; round < 2; round++) await acknowledge([await handOut(trial, queue)]);
  const { patienceMs, quietMs } = trial.timing;
  const events = trial.events(Math.min(8, queue.capacity));
  await queue.pushMany(events, { timeoutMs: patienceMs });
  const deadline = trial.clock.now() + 2 * patienceMs;
  while (events.some(({ id }) => !done.has(id))) {
    if (trial.clock.now() >= deadline) throw new NotVerified(acksTooLate);
    const page = await queue.popMany(events.length, { timeoutMs: patienceMs });
    if (page.length === 0) break;
    for (const delivery of page) verifyNotDone(delivery);
    await acknowledge(page);
  }
  trial.verify(
    events.every(({ id }) => done.has(id)),
    'events that were pushed did not come',
  );

  const watch = (consumer: ObservedQueue<unknown>, watchMs: number): Promise<void> =>
    watchWhatComes(consumer, watchMs, verifyNotDone);
  const { lease } = queue.capabilities;
  // A lease that is too long to be waited for shows at the close all the same, if the backend is told of it.
  const waitsForLease = lease !== false && lease.ms <= trial.timing.longestLeaseMs;
  await watch(other, waitsForLease ? lease.ms * 1.5 + quietMs : quietMs);
  await watch(queue, quietMs);
  if (look !== undefined) {
    await queue.close();
    await watch(await look(), quietMs);
  }
  // Not verified if the lease is longer than that.
  if (lease !== false) trial.leaseOf(queue);
}

async function givesBack(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  // Whole milliseconds: no more of a time is promised.
  const time = Math.floor(trial.clock.date());
  const event = trial.event({ key: 'returned', headers: { trace: 'as it was' }, time });
  await queue.push(event);
  const first = await trial.take(queue);
  verifyUnchanged(trial, first, event);
  await first.nack();
  const second = await trial.take(queue, 'the event that was given back by nack()');
  verifyUnchanged(trial, second, event);
  await second[Symbol.asyncDispose]();
  const third = await trial.take(queue, 'the event that was given back because its delivery was disposed of unsettled');
  verifyUnchanged(trial, third, event);
  await third.nack({ reason: 'the rule says so' });
  // What is left out may as well be there and say so.
  for (const options of [{ deadLetter: false }, { delayMs: undefined, deadLetter: undefined, reason: undefined }]) {
    const next = await trial.take(queue, 'the event that was given back');
    verifyUnchanged(trial, next, event);
    await next.nack(options);
  }
  const last = await trial.take(queue, 'the event that was given back with options that say nothing');
  verifyUnchanged(trial, last, event);
  await last.ack();

  const events = trial.events(Math.min(6, queue.capacity));
  await queue.pushMany(events, { timeoutMs: trial.timing.patienceMs });
  const page = await queue.popMany(events.length, { timeoutMs: trial.timing.patienceMs });
  await Promise.all(page.map((delivery) => delivery.nack()));
  trial.verifySame(await trial.collect(queue, events.length), events, false);
}

/** Verifies that `delivery` brings `event` with everything it was pushed with. */
function verifyUnchanged(trial: Trial, delivery: Delivery, event: QueueEvent): void {
  verifyIs(trial, delivery, event, 'the only event there is');
  const { type, key, headers, time, data } = delivery.event;
  const came = trial.show(delivery);
  trial.verify(type === event.type && key === event.key && time === event.time, `${came} has other attributes`);
  trial.verify(isDeepStrictEqual({ ...headers }, { ...event.headers }), `${came} has other headers`);
  trial.verify(trial.sameData(data, event.data), `${came} has other data`);
}

async function countsAttempts(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: shortLeaseMs(trial) });
  let delivery = await handOut(trial, queue);
  let count = 1;
  trial.verify(delivery.attempt === count, () => `the first hand-out is attempt ${delivery.attempt}`);
  /** @param exactly whether nothing else can have been handed out to somebody who did not get it. */
  const verifyNext = (next: Delivery, exactly: boolean, after: string): void => {
    verifyIs(trial, next, delivery.event, 'the only event there is');
    const fits = exactly ? next.attempt === count + 1 : next.attempt > count;
    trial.verify(fits, () => `${after}, attempt ${count} is followed by attempt ${next.attempt}`);
    delivery = next;
    count = next.attempt;
  };
  for (let round = 0; round < 3; round++) {
    await settledInTime(delivery.nack());
    verifyNext(await takeAgain(trial, queue, 'the event that was given back'), true, 'after a nack');
  }
  if (trial.capabilities.multiInstance) {
    const other = await trial.open();
    for (const consumers of [
      [other, queue],
      [queue, other],
      [other, queue],
    ]) {
      await settledInTime(delivery.nack());
      verifyNext(await whoeverGets(trial, consumers), false, 'after a nack, on another connection');
    }
    await settledInTime(delivery.nack());
    await other.close();
    verifyNext(await takeAgain(trial, queue, 'the event that was given back'), false, 'after a nack');
  }
  const { lease } = queue.capabilities;
  const waitsForLease = lease !== false && lease.ms <= trial.timing.longestLeaseMs;
  if (waitsForLease) {
    verifyNext(await takeAgain(trial, queue, 'the event whose lease ended'), false, 'after a lease that ended');
  }
  if (needs.leaseExtend.holds(queue.capabilities)) {
    await settledInTime(delivery.extend(longLeaseMs(trial)));
    await settledInTime(delivery.nack());
    verifyNext(await takeAgain(trial, queue, 'the event that was given back'), false, 'after extend() and a nack');
    await settledInTime(delivery.extend(shortLeaseMs(trial)));
    verifyNext(
      await takeAgain(trial, queue, 'the event whose lease ended'),
      false,
      'after extend() to a lease that ended',
    );
  }
  if (!isGoneWithItself(trial)) {
    const look = await whatIsLeft(trial);
    await queue.close();
    const reopened = (await look?.()) ?? (await trial.open());
    verifyNext(await takeAgain(trial, reopened, 'the event that was held at close()'), false, 'after a close');
    if (trial.offers('crash') && trial.capabilities.multiInstance && (lease === false || waitsForLease)) {
      const survivor = await trial.open();
      await crashHolding(trial, reopened);
      verifyNext(await takeAgain(trial, survivor, 'the event of a crashed consumer'), false, 'after a crash');
    }
  }
  await settledInTime(delivery.ack());
  if (lease !== false) trial.leaseOf(queue);
}

async function settlesOnce(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  const { lease } = queue.capabilities;
  const verifySettled = async (delivery: Delivery, by: 'ack()' | 'nack()'): Promise<void> => {
    const [same, other] =
      by === 'ack()' ? [() => delivery.ack(), () => delivery.nack()] : [() => delivery.nack(), () => delivery.ack()];
    const name = by === 'ack()' ? 'nack()' : 'ack()';
    await resolves(trial, same(), `a second ${by}`);
    await trial.rejects(other(), 'NQ_ALREADY_SETTLED', `${name} after ${by}`);
    for (const call of await Promise.allSettled([same(), same()])) {
      trial.verify(call.status === 'fulfilled', `one of two further ${by} rejected`);
    }
    if (lease !== false && lease.extend) {
      await trial.rejects(delivery.extend(1000), 'NQ_ALREADY_SETTLED', `extend() after ${by}`);
    }
    await resolves(trial, delivery[Symbol.asyncDispose](), `disposing of a delivery that was settled by ${by}`);
  };

  const acked = await handOut(trial, queue);
  await acked.ack();
  await verifySettled(acked, 'ack()');
  await trial.nothing(queue, 'it was acknowledged, and what was called afterwards changes nothing');

  const nacked = await handOut(trial, queue);
  await nacked.nack();
  const holder = await trial.take(queue, 'the event that was given back');
  verifyIs(trial, holder, nacked.event, 'the one that was given back');
  await verifySettled(nacked, 'nack()');
  await trial.nothing(queue, 'it was given back once, and somebody else holds it now');
  await resolves(trial, holder.nack(), 'nack() of the new holder, after the one before has settled again,');
  const next = await trial.take(queue, 'the event that its new holder has given back');
  verifyIs(trial, next, nacked.event, 'the one that was given back');
  await next.ack();

  // Called in the same moment: the first call counts.
  const both = await handOut(trial, queue);
  const [ack, late] = [both.ack(), both.nack()];
  await trial.rejects(late, 'NQ_ALREADY_SETTLED', 'nack() right after ack() was called');
  await resolves(trial, ack, 'ack(), right after which nack() was called,');
  await trial.nothing(queue, 'it was acknowledged, and the nack() was refused');

  const twice = await handOut(trial, queue);
  const [nack, repeated, tooLate] = [twice.nack(), twice.nack(), twice.ack()];
  await trial.rejects(tooLate, 'NQ_ALREADY_SETTLED', 'ack() right after nack() was called');
  await resolves(trial, nack, 'nack(), right after which ack() was called,');
  await resolves(trial, repeated, 'nack() that was called twice');
  const again = await takeAgain(trial, queue, 'the event that was given back');
  await trial.nothing(queue, 'it was given back once, and is held');
  await again.ack();
  await trial.nothing(queue, 'it was acknowledged');
}
