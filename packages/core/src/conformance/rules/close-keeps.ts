import { isNqError } from '../../errors.ts';
import type { QueueEvent } from '../../event.ts';
import { describeError } from '../journal.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { isGoneWithItself, longMs, moments, takeAll, waitUntil, whatIsLeft } from './after-close.ts';

/** §6: what becomes of events when their queue is closed. */
export const closeKeepsRules: readonly Rule[] = [
  {
    id: '6.4',
    slug: 'close-keeps-events',
    level: 'MUST',
    claim: 'durable',
    tier: 'smoke',
    requires: needs.durable,
    text: 'What a queue has accepted survives its close: ready, delayed and dead events are there when it is opened again; one that keeps nothing says in its report how many are gone.',
    why: 'Every deployment closes every queue: one that tidies up behind itself, or forgets what is delayed, loses events at each of them.',
    checkFirst:
      'Does close() remove anything from the backend? Is what is delayed kept in the backend, or by a timer here?',
    mutants: ['drop-on-close', 'close-forgets-delayed', 'close-drops-dead-letters', 'abandoned-untold'],
    run: keepsEvents,
    otherwise: tellsWhatIsGone,
  },
  {
    id: '6.5',
    slug: 'close-returns-unsettled',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'close() waits up to drainMs for unsettled deliveries, gives the rest back at once, tells their holders and the report, and never acknowledges.',
    why: 'A consumer that is stopped in the middle of its work has not done it: acknowledged for it, the event is lost; left to its lease, it is late by minutes.',
    checkFirst: 'Are open deliveries returned before the connection goes, and their signals aborted with NQ_CLOSED?',
    mutants: [
      'close-acks-in-flight',
      'close-keeps-in-flight',
      'close-tells-nobody',
      'close-report-zero',
      'drain-ignored',
      'drain-refuses-settling',
      'drain-waits-in-full',
    ],
    async run(trial) {
      await returnsUnsettled(trial);
      await drains(trial);
      await drainsForSoLong(trial);
    },
  },
  {
    id: '6.6',
    slug: 'close-truthful-pushes',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'Pushes under way at close() are answered truthfully: one that resolved is stored, one that rejected NQ_CLOSED is not, and every one is answered.',
    why: 'A producer that is told "closed" sends the event elsewhere, and one that is told "stored" forgets it: a wrong answer is a duplicate or a loss.',
    checkFirst:
      'Does a push resolve before the backend has it? Is one that was sent answered by the backend, and not by close()?',
    mutants: ['close-loses-buffer', 'close-denies-stored', 'close-forgets-pushes'],
    async run(trial) {
      for (const moment of moments) await answersTruly(trial, moment);
    },
  },
];

async function keepsEvents(trial: Trial): Promise<void> {
  const { deadLetter, nackDelay } = trial.capabilities;
  const queue = await trial.open();
  const put = async (back: { readonly deadLetter?: boolean; readonly delayMs?: number }): Promise<QueueEvent> => {
    await trial.push(queue, 1);
    const delivery = await trial.take(queue);
    await delivery.nack(back);
    return delivery.event;
  };
  const dead = deadLetter ? await put({ deadLetter: true }) : undefined;
  // What is acknowledged before must not come again.
  await trial.push(queue, 1);
  await (await trial.take(queue)).ack();
  const delayed = nackDelay ? [await put({ delayMs: 200 })] : [];
  const ready = await trial.push(queue, 5);
  const { abandoned } = await queue.close();
  trial.verify(abandoned === 0, `the report says that ${abandoned} events are gone`);

  const reopened = await trial.open();
  const deliveries = await takeAll(trial, reopened, ready.length + delayed.length);
  trial.verifySame(deliveries, [...ready, ...delayed], false);
  if (dead === undefined) return;
  const letters = await reopened.deadLetters.list();
  trial.verify(
    letters.length === 1 && letters[0]?.event.id === dead.id,
    `there was one dead letter before close(), and there are ${letters.length} after the queue was opened again`,
  );
}

async function tellsWhatIsGone(trial: Trial): Promise<void> {
  const { deadLetter, size, multiInstance } = trial.capabilities;
  const queue = await trial.open();
  if (multiInstance) {
    const other = await trial.open();
    const events = await trial.push(queue, 3);
    const { abandoned } = await queue.close();
    trial.verify(abandoned === 0, `the report says that ${abandoned} events are gone, but another one holds the queue`);
    trial.verifySame(await takeAll(trial, other, events.length), events);
    return;
  }
  if (deadLetter) {
    await trial.push(queue, 1);
    await (await trial.take(queue)).nack({ deadLetter: true });
  }
  await trial.push(queue, 4);
  const [, done] = await trial.takeMany(queue, 2);
  // The later one, for an acknowledgement up to a position takes the earlier one along.
  await done?.ack();
  const unsettled = trial.capabilities.ack === 'individual' ? 1 : 0;
  const report = await queue.close();
  trial.verify(report.returned === 0, `${report.returned} deliveries went back to a queue that is gone`);
  if (size !== 'exact') return;
  const gone = 2 + unsettled;
  trial.verify(report.abandoned === gone, `${gone} events are gone, and the report says ${report.abandoned}`);
  const letters = deadLetter ? 1 : 0;
  trial.verify(
    report.deadLetters === letters,
    `${letters} dead letters are gone, and the report says ${report.deadLetters}`,
  );
}

async function returnsUnsettled(trial: Trial): Promise<void> {
  const queue = await trial.open();
  const look = await whatIsLeft(trial);
  const events = await trial.push(queue, 3);
  const held = await trial.takeMany(queue, 2);
  const [first, second] = held;
  // Looked at before and after: it may be made when it is asked for.
  const signal = first?.signal;
  trial.verify(signal?.aborted === false, 'the signal of a delivery was aborted before close()');
  const { returned, abandoned } = await queue.close();
  const expected = isGoneWithItself(trial) ? 0 : 2;
  trial.verify(
    returned === expected,
    `2 deliveries were unsettled, ${expected} could be returned, and the report says ${returned}`,
  );
  if (look !== undefined) {
    trial.verify(abandoned === 0, `the report says that ${abandoned} events are gone`);
    const deliveries = await takeAll(trial, await look(), events.length);
    trial.verifySame(deliveries, events, false);
    for (const { event } of held) {
      const again = deliveries.find((one) => one.event.id === event.id);
      trial.verify((again?.attempt ?? 0) >= 2, 'the hand-out before close() does not count as an attempt');
    }
  }
  const told = [signal, second?.signal].every((one) => one?.aborted && isNqError(one.reason, 'NQ_CLOSED'));
  trial.verify(told, 'the signal of a delivery that was cut off is not aborted with NQ_CLOSED');
}

async function drains(trial: Trial): Promise<void> {
  const queue = await trial.open();
  const look = await whatIsLeft(trial);
  await trial.push(queue, 2);
  const [done, back] = await trial.takeMany(queue, 2);
  const closing = queue.close({ drainMs: longMs });
  await trial.pending(closing, 'close() with drainMs and two deliveries that are not settled');
  await trial.rejects(queue.pop({ timeoutMs: 0 }), 'NQ_CLOSED', 'a pop while the queue waits for deliveries');
  await trial.rejects(queue.push(trial.event()), 'NQ_CLOSED', 'a push while the queue waits for deliveries');
  const settlements = await Promise.allSettled([done?.ack(), back?.nack()]);
  for (const settlement of settlements) {
    const refused = settlement.status === 'rejected' ? describeError(settlement.reason) : undefined;
    trial.verify(refused === undefined, `settling a delivery that close() waits for rejected ${refused}`);
  }
  const { returned } = await trial.within(closing, 'close() with drainMs, after all deliveries were settled');
  trial.verify(returned === 0, `all deliveries were settled, and the report says that ${returned} were returned`);
  if (look === undefined) return;
  const deliveries = await takeAll(trial, await look(), 1);
  trial.verifySame(deliveries, back === undefined ? [] : [back.event]);
}

async function drainsForSoLong(trial: Trial): Promise<void> {
  const queue = await trial.open();
  const look = await whatIsLeft(trial);
  await trial.push(queue, 1);
  const held = await trial.take(queue);
  const drainMs = 50;
  let returned = 0;
  const took = await trial.time(async () => {
    ({ returned } = await queue.close({ drainMs }));
  });
  trial.verify(took >= drainMs - 1, `close() waited ${took} ms of its drainMs of ${drainMs} ms`);
  if (look === undefined) return;
  trial.verify(
    returned === 1,
    `a delivery was not settled in time, and the report says that ${returned} were returned`,
  );
  trial.verifySame(await takeAll(trial, await look(), 1), [held.event]);
}

/** Closes a queue `moment` milliseconds after many pushes began, and looks for what they have stored. */
async function answersTruly(trial: Trial, moment: number | undefined): Promise<void> {
  const queue = await trial.open();
  const look = await whatIsLeft(trial);
  const single = trial.events(20);
  const many = trial.events(10);
  const calls = [...single.map((event) => queue.push(event)), queue.pushMany(many)];
  const answers = Promise.allSettled(calls);
  await waitUntil(trial, moment);
  const { abandoned } = await queue.close();
  const outcomes = await trial.within(answers, 'the pushes that were under way at close()');

  const stored: QueueEvent[] = [];
  const absent: QueueEvent[] = [];
  for (const [index, call] of calls.entries()) {
    const event = single[index];
    const events = event === undefined ? many : [event];
    if (outcomes[index]?.status === 'fulfilled') {
      stored.push(...events);
      continue;
    }
    const error = await trial.rejects(call, ['NQ_CLOSED', 'NQ_OUTCOME_UNKNOWN'], 'a push under way at close()');
    if (!isNqError(error, 'NQ_CLOSED')) continue;
    const count = event === undefined ? (error.stored ?? 0) : 0;
    stored.push(...events.slice(0, count));
    absent.push(...events.slice(count));
  }
  if (look === undefined) {
    const enough = trial.capabilities.size !== 'exact' || abandoned >= stored.length;
    trial.verify(enough, `${stored.length} events were stored, and the report says that ${abandoned} are gone`);
    return;
  }
  const left = await look();
  const came = new Set<string>();
  while (stored.some(({ id }) => !came.has(id))) {
    const delivery = await trial.take(left, 'an event whose push resolved before close()');
    came.add(delivery.event.id);
    await delivery.ack();
  }
  for (const { event } of await trial.drain(left)) came.add(event.id);
  const ghost = absent.find(({ id }) => came.has(id));
  const name = ghost === undefined ? '' : trial.journal.nameOf(ghost.id);
  trial.verify(ghost === undefined, `the push of ${name} rejected NQ_CLOSED, and the event came out all the same`);
}
