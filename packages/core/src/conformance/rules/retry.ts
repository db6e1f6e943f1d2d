import { describe } from '../../check.ts';
import type { DeadLetter, Delivery } from '../../queue.ts';
import type { QueueEvent } from '../../event.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { isGoneWithItself, whatIsLeft } from './after-close.ts';
import { longLeaseMs } from './full-queue.ts';
import { secondOf } from './pop.ts';
import { granularityMs, handOut, needsRoom, takeAgain, verifyIs } from './returned.ts';

/** §3, continued: when an event comes again, and when it is given up. */
export const retryRules: readonly Rule[] = [
  {
    id: '3.6',
    slug: 'returned-come-first',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.strictRetry,
    text: 'What is given back comes before later events of its key, and several that are given back keep their order, however and in whatever order that happens.',
    why: 'The cancellation overtakes the order that failed once: both are handled, and the order stands. Deliveries that close() returned together came back in reverse in the first queue that these rules were tried on.',
    checkFirst: 'Where does the backend put what comes back: at its old place, at the head, or at the end?',
    mutants: ['tail-requeue', 'reverse-return', 'reorder-on-retry'],
    run: returnsInOrder,
  },
  {
    id: '3.7',
    slug: 'delay-is-kept',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.nackDelay,
    text: 'nack({ delayMs }) keeps the event away for as long, and no longer than it takes to notice; nothing else waits for it.',
    why: 'A delay that is ignored turns an outage of one second into thousands of attempts; messages with a TTL in RabbitMQ wait behind one with a longer TTL, and the short delay lasts an hour.',
    checkFirst:
      'Is the delay kept in milliseconds, sorted by its end, and does something wake up when the first one ends?',
    mutants: [
      'delay-ignored',
      'delay-forever',
      'delay-rounded-to-seconds',
      'delay-blocks-others',
      'delay-waits-for-longer-ones',
      'delay-overflows',
    ],
    run: keepsDelays,
  },
  {
    id: '3.8',
    slug: 'dead-letters-kept',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.deadLetter,
    text: 'nack({ deadLetter: true, reason }) makes exactly one dead letter, with event, reason and attempts, and no further delivery; it can be listed, oldest first, replayed as if new, and removed.',
    why: 'Dead letters are the last trace of what went wrong: lost, doubled or without a reason they are worth nothing, and replayed with the attempts they had they die at once.',
    checkFirst: 'Are taking the event out of the queue and writing the dead letter one step?',
    mutants: [
      'dead-letter-dropped',
      'dead-letter-and-redelivered',
      'dead-letter-doubled',
      'dead-letter-without-reason',
      'dead-letter-keeps-first-reason',
      'dead-at-since-start',
      'dead-letter-counts-failures',
      'dead-letters-newest-first',
      'replay-keeps-dead-letter',
      'replay-keeps-attempts',
      'remove-takes-all',
    ],
    run: keepsDeadLetters,
  },
];

async function returnsInOrder(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  needsRoom(queue, 4);
  const left = isGoneWithItself(trial) ? undefined : await whatIsLeft(trial);
  const key = 'returned';
  const inOrder = async (events: readonly QueueEvent[], consumer = queue): Promise<void> => {
    const deliveries: Delivery[] = [];
    // One too many is seen as the first one of the next round.
    while (deliveries.length < events.length) {
      const delivery = await trial.take(consumer, `event ${deliveries.length + 1} of ${events.length}`);
      deliveries.push(delivery);
      await delivery.ack();
    }
    trial.verifySame(deliveries, events, true);
  };

  const early = await handOut(trial, queue, { key });
  const [late] = await trial.push(queue, 1, { key });
  await early.nack();
  await inOrder([early.event, late as QueueEvent]);
  // Without an order, there is none to be kept.
  if (trial.capabilities.order === 'none') return;

  for (const how of ['in order', 'in reverse', 'at once'] as const) {
    const events = await trial.push(queue, 4, { key });
    const held = await takeUpTo(trial, queue, 3);
    if (how === 'at once') await Promise.all(held.map((delivery) => delivery.nack()));
    else for (const delivery of how === 'in order' ? held : held.toReversed()) await delivery.nack();
    await inOrder(events);
  }

  await trial.nothing(queue, 'everything that was given back has come, and was acknowledged');

  if (left === undefined) return;
  const events = await trial.push(queue, 4, { key });
  await takeUpTo(trial, queue, 3);
  await queue.close();
  const reopened = await left();
  await inOrder(events, reopened);
  await trial.nothing(reopened, 'everything that close() gave back has come, and was acknowledged');
}

/** Takes up to `count` events of one key; one at least. A queue may keep the later ones until the first one is settled. */
async function takeUpTo(trial: Trial, queue: ObservedQueue<unknown>, count: number): Promise<Delivery[]> {
  const held = [await trial.take(queue)];
  while (held.length < count) {
    const delivery = await queue.pop({ timeoutMs: trial.timing.quietMs });
    if (delivery === undefined) break;
    held.push(delivery);
  }
  return held;
}

async function keepsDelays(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  needsRoom(queue, 4);
  // Nobody waits for the end of these: they are there to be in the way. A timer of Node.js that long would end at once.
  const long = [trial.timing.patienceMs * 4, 2 ** 31];
  for (const delayMs of long) {
    await (await handOut(trial, queue, { key: `delayed for ${delayMs} ms` })).nack({ delayMs });
  }
  await trial.nothing(queue, `it is delayed for ${long.join(' ms or ')} ms`);
  const other = trial.event({ key: 'other' });
  await queue.push(other);
  const next = await trial.take(queue, 'an event that was pushed while another one is delayed');
  verifyIs(trial, next, other, 'the only one that is not delayed');
  await next.ack();

  // Neither a whole number of seconds, nor the same one rounded up and down. The longer one is given back first.
  const delayed: { readonly delivery: Delivery; readonly delayMs: number; since: number }[] = [];
  for (const delayMs of [1100, 120]) {
    const delivery = await handOut(trial, queue, { key: `delayed for ${delayMs} ms` });
    delayed.unshift({ delivery, delayMs, since: 0 });
  }
  for (const one of delayed.toReversed()) {
    one.since = trial.clock.now();
    await one.delivery.nack({ delayMs: one.delayMs });
  }
  for (const { delivery, delayMs, since } of delayed) {
    const again = await queue.pop({ timeoutMs: delayMs + trial.timing.patienceMs });
    const tookMs = trial.clock.now() - since;
    trial.verify(again !== undefined, `an event with a delay of ${delayMs} ms had not come after ${tookMs} ms`);
    if (again === undefined) return;
    verifyIs(trial, again, delivery.event, `which has a delay of ${delayMs} ms`);
    trial.verify(
      tookMs >= delayMs - granularityMs,
      `an event with a delay of ${delayMs} ms came after ${Math.round(tookMs)} ms`,
    );
    trial.verify(again.attempt > delivery.attempt, 'the hand-out after a delay does not count as an attempt');
    await again.ack();
  }
  await trial.nothing(queue, 'everything is settled or delayed');
}

async function keepsDeadLetters(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  const { deadLetters } = queue;
  const verifyCount = async (count: number, when: string): Promise<void> => {
    const counted = await deadLetters.count();
    const { length } = await deadLetters.list();
    trial.verify(
      counted === count && length === count,
      `${when}, ${counted} dead letters are counted and ${length} listed; expected ${count}`,
    );
  };
  await verifyCount(0, 'before anything was given up');

  const first = await handOut(trial, queue, { key: 'given up', headers: { trace: 'as it was' } });
  await first.nack({ reason: 'it is tried once more' });
  const last = await takeAgain(trial, queue, 'the event that was given back');
  const reason = 'the first one is given up';
  await Promise.all([last.nack({ deadLetter: true, reason }), last.nack({ deadLetter: true, reason })]);
  await verifyCount(1, 'after an event was given up');
  const [letter] = await deadLetters.list();
  verifyLetter(trial, letter, last, reason);
  await trial.nothing(queue, 'it was given up');

  const second = await handOut(trial, queue, { key: 'given up' });
  // A moment later, for backends that sort them by time.
  await trial.wait(2);
  await second.nack({ deadLetter: true, reason: 'and the second one' });
  await verifyCount(2, 'after a second event was given up');
  const oldest = await (await secondOf(trial, queue)).deadLetters.list({ limit: 1 });
  trial.verify(oldest.length === 1, () => `list({ limit: 1 }) resolved ${oldest.length} dead letters`);
  verifyLetter(trial, oldest[0], last, reason);
  verifyLetter(trial, (await deadLetters.list())[1], second, 'and the second one');

  const unknown = ['of an event that was never given up'];
  for (const verb of ['replay', 'remove'] as const) {
    const count = await deadLetters[verb](unknown);
    trial.verify(count === 0, `${verb}() of an id that no dead letter has resolved ${count}; expected 0`);
  }
  const replayed = await deadLetters.replay([first.event.id]);
  trial.verify(replayed === 1, `replay() of one dead letter resolved ${replayed}`);
  await verifyCount(1, 'after one of two dead letters was replayed');
  const anew = await trial.take(queue, 'the event that was replayed');
  verifyIs(trial, anew, first.event, 'the one that was replayed');
  trial.verify(anew.attempt === 1, () => `an event that was replayed as if new comes as attempt ${anew.attempt}`);
  await anew.ack();
  await trial.nothing(queue, 'one event was replayed, once');

  const third = await handOut(trial, queue);
  await third.nack({ deadLetter: true });
  const removed = await deadLetters.remove([second.event.id]);
  trial.verify(removed === 1, `remove() of one dead letter resolved ${removed}`);
  await verifyCount(1, 'after one of two dead letters was removed');
  const rest = await deadLetters.replay();
  trial.verify(rest === 1, `replay() of everything resolved ${rest} of 1`);
  const back = await trial.take(queue, 'the event that was replayed');
  verifyIs(trial, back, third.event, 'the only dead letter there was');
  await back.nack({ deadLetter: true });
  const all = await deadLetters.remove();
  trial.verify(all === 1, `remove() of everything resolved ${all} of 1`);
  await verifyCount(0, 'after everything was removed');
  await trial.nothing(queue, 'everything is settled, and every dead letter removed');
}

/** Verifies that `letter` is the one that giving up `delivery` has made. */
function verifyLetter(
  trial: Trial,
  letter: DeadLetter | undefined,
  { event, attempt }: Delivery,
  reason: string,
): void {
  const name = trial.journal.nameOf(event.id);
  trial.verify(letter?.event.id === event.id, `the dead letter of ${name} is not at its place in the list`);
  if (letter === undefined) return;
  const { type, key, headers, data } = letter.event;
  const same = type === event.type && key === event.key && headers?.trace === event.headers?.trace;
  trial.verify(
    same && trial.sameData(data, event.data),
    `the dead letter of ${name} has another type, key, header or data`,
  );
  trial.verify(
    letter.reason === reason,
    () =>
      `the dead letter of ${name} has the reason ${describe(letter.reason)}; it was given up with ${describe(reason)}`,
  );
  trial.verify(
    letter.attempts === attempt,
    () => `the dead letter of ${name} tells ${letter.attempts} attempts; it was given up at attempt ${attempt}`,
  );
  // Seen soon after it was given up; the clock of a backend may differ a little.
  const agoMs = trial.clock.date() - letter.deadAt;
  trial.verify(
    Math.abs(agoMs) <= trial.timing.patienceMs * 2,
    () =>
      `the dead letter of ${name} was given up just now; by its deadAt, ${describe(letter.deadAt)}, it was ${agoMs} ms ago`,
  );
}
