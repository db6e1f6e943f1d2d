import type { Delivery } from '../../queue.ts';
import { describeError } from '../journal.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { NotVerified } from '../violation.ts';
import { whatIsLeft } from './after-close.ts';
import { longLeaseMs } from './full-queue.ts';
import {
  granularityMs,
  handOut,
  needsRoom,
  needsToBeOurs,
  resolves,
  settledInTime,
  shortLeaseMs,
  takeAgain,
  waitForAll,
  verifyIs,
} from './returned.ts';

/** The lease of two deliveries of which one has its end set anew, in milliseconds. */
const leaseOfTwoMs = (trial: Trial): number => shortLeaseMs(trial, 400);

/** §3, continued: what a delivery says of itself, and that it is one of its own. */
export const deliveryRules: readonly Rule[] = [
  {
    id: '3.17',
    slug: 'extend-sets-the-end',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.leaseExtend,
    text: 'extend(ms) makes the lease of its own delivery end ms from now, also when that is sooner than before; every other lease ends as it would have.',
    why: 'A handler that is nearly done shortens its lease so that the event is not away for long if the process dies; added up, it is away for an hour; and where a heartbeat renews all, what a hung worker holds never comes back.',
    checkFirst: 'Is the new end computed from now, and is it written for this delivery alone?',
    mutants: ['extend-adds', 'extend-never-shortens', 'extend-extends-all'],
    run: setsTheEnd,
  },
  {
    id: '3.18',
    slug: 'same-id-two-events',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'Two events that were pushed with the same id are two events: both come, and each is settled, given back and given up by itself.',
    why: 'Whoever gets NQ_OUTCOME_UNKNOWN pushes the event again under its id: where deliveries are known by that id, acknowledging one loses the other, and nobody has handled it yet.',
    checkFirst: 'Is anything looked up by the id of the event: the stored record, the receipt, the dead letter?',
    mutants: ['push-deduplicates', 'receipt-by-id', 'dead-letters-by-id'],
    run: tellsTwinsApart,
  },
  {
    id: '3.19',
    slug: 'delivery-speaks-for-itself',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'waitedMs and oldestAgeMs count from the push, through every nack, and anew from a replay; a signal aborts neither after a settlement nor because another lease ended; disposing of a lost delivery resolves.',
    why: 'Alarms look at the age of what waits: counted from the time of the event or from the last nack, it is wrong exactly when something hangs; and `await using` must not replace the error of a handler that was too slow.',
    checkFirst: 'Is the moment of the push kept in the record, and does each delivery have a signal of its own?',
    mutants: [
      'waited-once',
      'waited-from-time',
      'waited-anew-after-nack',
      'replay-keeps-age',
      'age-from-time',
      'signal-aborts-on-ack',
      'one-lost-tells-all',
      'dispose-of-lost-throws',
    ],
    run: speaksForItself,
  },
  {
    id: '3.20',
    slug: 'lost-settlement-is-not-done',
    level: 'MUST',
    claim: 'resilient',
    tier: 'faults',
    hooks: ['faults'],
    text: 'A settlement whose request was lost with the connection does not resolve while there is none.',
    why: 'A handler that gives an event up and is told that it is kept goes on: there is no dead letter, and the event is handled again.',
    checkFirst: 'What becomes of a settlement that has no answer when the connection ends?',
    mutants: ['lost-ack-is-done', 'lost-nack-is-done'],
    run: tellsOfLostSettlements,
  },
  {
    id: '3.21',
    slug: 'settles-while-draining',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'Until close({ drainMs }) has settled, open deliveries are settled and extended as before, each with what was asked for.',
    why: 'drainMs is there so that handlers end in peace: one whose extend() is refused loses its event in the middle, and one that gives an event back for later finds it handed out at once.',
    checkFirst: 'Which calls of a delivery look at whether the queue is closing?',
    mutants: ['no-extend-while-draining', 'no-delay-while-draining'],
    run: settlesWhileDraining,
  },
];

/** As {@link handOut}, while something else is held since `since`, whose lease may end on a machine that is busy. */
async function handOutBeside(
  trial: Trial,
  queue: ObservedQueue<unknown>,
  since: number,
  leaseMs: number,
): Promise<Delivery> {
  const event = trial.event();
  await queue.push(event);
  const delivery = await trial.take(queue, 'the event that was pushed');
  if (delivery.event.id !== event.id) needsToBeOurs(trial, since, leaseMs);
  verifyIs(trial, delivery, event, 'the event that was pushed');
  return delivery;
}

/** @throws {NotVerified} if `settlement` comes after the end of the lease. */
async function inTime(settlement: Promise<void>): Promise<void> {
  if (!(await settledInTime(settlement))) throw new NotVerified('the lease was over before the settlement arrived');
}

async function setsTheEnd(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: leaseOfTwoMs(trial) });
  const leaseMs = trial.leaseOf(queue);
  const extended = await handOut(trial, queue);
  const since = trial.clock.now();
  const other = await handOutBeside(trial, queue, since, leaseMs);
  needsToBeOurs(trial, since, leaseMs);
  await inTime(extended.extend(longLeaseMs(trial)));
  const otherAgain = await takeAgain(trial, queue, 'the other one of two events, whose lease was not extended,');
  verifyIs(trial, otherAgain, other.event, 'the one whose lease was not extended');
  const tookMs = trial.clock.now() - since;
  trial.verify(
    tookMs >= leaseMs - granularityMs,
    () =>
      `after extend() of another delivery, an event with a lease of ${leaseMs} ms came after ${Math.round(tookMs)} ms`,
  );
  const again = trial.clock.now();
  await inTime(otherAgain.extend(longLeaseMs(trial)));
  needsToBeOurs(trial, again, leaseMs);
  trial.verify(!extended.signal.aborted, 'the signal of a delivery aborted although its lease was extended');

  // There is much of the lease left.
  const shorterMs = 100;
  const shortened = trial.clock.now();
  await extended.extend(shorterMs);
  const back = await takeAgain(
    trial,
    queue,
    `an event with a lease of ${longLeaseMs(trial)} ms, after extend(${shorterMs}),`,
  );
  verifyIs(trial, back, extended.event, `whose lease was to end after ${shorterMs} ms`);
  const endedMs = trial.clock.now() - shortened;
  trial.verify(
    endedMs >= shorterMs - granularityMs,
    () => `after extend(${shorterMs}), an event came again after ${Math.round(endedMs)} ms`,
  );
  await trial.until(() => extended.signal.aborted, 'that the signal of a delivery whose shortened lease ended aborts');
  const early = await queue.pop({ timeoutMs: Math.min(trial.timing.quietMs, leaseMs / 4) });
  if (early !== undefined) needsToBeOurs(trial, shortened, leaseMs);
  trial.verify(early === undefined, 'the lease of another delivery was shortened as well');
}

async function tellsTwinsApart(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  needsRoom(queue, 2);
  const event = trial.event();
  const pair = async (what: string): Promise<[Delivery, Delivery]> => {
    const twins = [await trial.take(queue, `the first of two events with the same id ${what}`)];
    twins.push(await trial.take(queue, `the second of two events with the same id ${what}`));
    return twins as [Delivery, Delivery];
  };
  await queue.push(event);
  await queue.push(event);
  const [first, second] = await pair('that were pushed');
  const { attempt } = second;
  trial.verify(
    first.attempt === 1 && attempt === 1,
    () => `an event comes as attempt ${attempt}, as if it were one with another of its id`,
  );
  await first.ack();
  await resolves(trial, second.nack(), 'nack() of one of two deliveries with the same id, after ack() of the other');
  const again = await trial.take(queue, 'the one of two events with the same id that was given back');
  await again.ack();
  await trial.nothing(queue, 'both events with this id were acknowledged');

  await queue.pushMany([event, event]);
  const both = await pair('that were pushed together');
  for (const delivery of both)
    await resolves(trial, delivery.nack(), 'nack() of one of two deliveries with the same id');
  const returned = await pair('that were given back');
  const { deadLetters } = queue;
  if (!trial.capabilities.deadLetter) {
    for (const delivery of returned)
      await resolves(trial, delivery.ack(), 'ack() of one of two deliveries with one id');
  } else {
    for (const delivery of returned) {
      await resolves(trial, delivery.nack({ deadLetter: true }), 'giving up one of two deliveries with the same id');
    }
    const [count, { length }] = [await deadLetters.count(), await deadLetters.list()];
    trial.verify(
      count === 2 && length === 2,
      () =>
        `two events with the same id were given up: count() resolved ${count} and list() shows ${length}; expected 2`,
    );
    const replayed = await deadLetters.replay();
    trial.verify(replayed === 2, () => `replay() of two dead letters with the same id resolved ${replayed}`);
    for (const delivery of await pair('that were replayed')) await delivery.ack();
  }
  await trial.nothing(queue, 'both events with this id were acknowledged');
}

async function speaksForItself(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: leaseOfTwoMs(trial) });
  const counting = await trial.neighbour('counting', { leaseMs: longLeaseMs(trial) });
  await waitForAll(countsFromThePush(trial, counting.queue), signalsItsOwn(trial, queue));
  await counting.leave();
}

async function signalsItsOwn(trial: Trial, queue: ObservedQueue<unknown>): Promise<void> {
  const { lease } = queue.capabilities;
  if (lease === false) return;
  trial.leaseOf(queue);

  const acked = await handOut(trial, queue);
  await inTime(acked.ack());
  const given = await handOut(trial, queue);
  const signals = [acked.signal, given.signal];
  await inTime(given.nack());
  let since = trial.clock.now();
  const returned = await takeAgain(trial, queue, 'the event that was given back');
  const canExtend = needs.leaseExtend.holds(trial.capabilities);
  const kept = canExtend ? await handOutBeside(trial, queue, since, lease.ms) : undefined;
  needsToBeOurs(trial, since, lease.ms);
  since = trial.clock.now();
  if (kept !== undefined) await inTime(kept.extend(longLeaseMs(trial)));
  await trial.until(() => returned.signal.aborted, 'that the signal of a delivery whose lease ended aborts');
  trial.verify(
    kept?.signal.aborted !== true || trial.clock.now() - since >= longLeaseMs(trial),
    'the signal of a delivery aborted when the lease of another one ended',
  );
  await resolves(trial, returned[Symbol.asyncDispose](), 'disposing of a delivery whose lease had ended');
  trial.verify(!signals.some(({ aborted }) => aborted), 'the signal of a delivery aborted after it was settled');
}

/** How old an event that says that it happened long ago must seem, at least, to be recognized by it, in milliseconds. */
const longAgoMs = 3_600_000;

/** How much the clocks of two machines may differ about a moment like this, in milliseconds. */
const roughlyMs = 5;

async function countsFromThePush(trial: Trial, queue: ObservedQueue<unknown>): Promise<void> {
  const { clock, capabilities } = trial;
  const { patienceMs } = trial.timing;
  const pushed = clock.now();
  const event = trial.event({ time: Math.floor(clock.date()) - longAgoMs });
  await queue.push(event);
  let delivery = await trial.take(queue, 'the event that was pushed');
  // It cannot have been pushed later than now.
  let there = clock.now();
  const verifyWaited = (from: number, until: number, what: string): void => {
    const atLeast = clock.now() - until - roughlyMs;
    const { waitedMs } = delivery;
    if (waitedMs === undefined) return;
    const atMost = clock.now() - from + patienceMs;
    trial.verify(
      waitedMs >= atLeast && waitedMs <= atMost,
      () =>
        `${what}, waitedMs is ${Math.round(waitedMs)}; the push was at least ${Math.round(atLeast)} ms ago, and at most ${Math.round(clock.now() - from)}`,
    );
  };
  verifyWaited(pushed, there, 'of an event whose time is an hour ago');
  await trial.wait(100);
  verifyWaited(pushed, there, 'read again after 100 ms');
  await inTime(delivery.nack());
  if (capabilities.size === 'exact') {
    const { oldestAgeMs } = await queue.size();
    const ageMs = clock.now() - there;
    // 0 is for a queue that cannot know; one that counts from the last nack cannot be told from it at once.
    await trial.wait(20);
    const later = (await queue.size()).oldestAgeMs;
    trial.verify(
      later === 0 ||
        (oldestAgeMs >= 100 - roughlyMs && later >= oldestAgeMs && later <= clock.now() - pushed + patienceMs),
      () =>
        `oldestAgeMs is ${Math.round(oldestAgeMs)}, and ${Math.round(later)} after 20 ms, of an event that was pushed ${Math.round(ageMs)} ms before, and given back`,
    );
  }
  delivery = await takeAgain(trial, queue, 'the event that was given back');
  verifyIs(trial, delivery, event, 'the only event there is');
  verifyWaited(pushed, there, 'after a nack');
  if (!capabilities.deadLetter) {
    await inTime(delivery.ack());
    return;
  }
  await inTime(delivery.nack({ deadLetter: true }));
  await trial.wait(300);
  const replayed = clock.now();
  await queue.deadLetters.replay();
  delivery = await trial.take(queue, 'the event that was replayed');
  const { waitedMs } = delivery;
  there = clock.now() - replayed;
  trial.verify(
    waitedMs === undefined || waitedMs <= there + 200,
    () => `of an event that was replayed ${Math.round(there)} ms ago, as if new, waitedMs is ${waitedMs}`,
  );
  await inTime(delivery.ack());
}

async function tellsOfLostSettlements(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  const [first, second] = [await handOut(trial, queue), await handOut(trial, queue)];
  await trial.faults.delay(20);
  const outcomes = new Map<string, string>();
  const settled = async (name: string, settlement: Promise<void>): Promise<void> => {
    try {
      await settlement;
      outcomes.set(name, 'resolved');
    } catch (error) {
      outcomes.set(name, `rejected ${describeError(error)}`);
    }
  };
  const calls = [
    settled('ack()', first.ack()),
    settled('nack()', second.nack(trial.capabilities.deadLetter ? { deadLetter: true } : {})),
  ];
  // They may have left, and cannot have arrived.
  await trial.wait(5);
  trial.journal.note('the connections are cut');
  await trial.faults.cut();
  await trial.wait(trial.timing.quietMs);
  for (const name of ['ack()', 'nack()']) {
    const outcome = outcomes.get(name);
    trial.verify(outcome !== 'resolved', `${name} resolved although its request was lost, and there is no connection`);
  }
  await trial.faults.delay(0);
  await trial.faults.heal();
  await Promise.all(calls);
}

async function settlesWhileDraining(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  const left = await whatIsLeft(trial);
  const first = await handOut(trial, queue);
  const second = await handOut(trial, queue);
  const { nackDelay } = trial.capabilities;
  const closing = queue.close({ drainMs: trial.timing.patienceMs * 4 });
  await trial.pending(closing, 'close({ drainMs }) with two deliveries that are not settled');
  if (needs.leaseExtend.holds(trial.capabilities)) {
    await resolves(trial, first.extend(longLeaseMs(trial)), 'extend() of an open delivery while the queue drains');
  }
  await resolves(trial, first.ack(), 'ack() of an open delivery while the queue drains');
  const how = nackDelay ? { delayMs: longLeaseMs(trial) } : {};
  await resolves(trial, second.nack(how), 'nack() of an open delivery while the queue drains');
  const { returned } = await closing;
  trial.verify(returned === 0, () => `close() says that ${returned} were given back; both were settled before`);
  const rest = await left?.();
  if (rest === undefined) return;
  if (nackDelay) return trial.nothing(rest, 'it was given back with a delay while the queue drained');
  const again = await takeAgain(trial, rest, 'the event that was given back while the queue drained');
  verifyIs(trial, again, second.event, 'the one that was given back');
  await again.ack();
}
