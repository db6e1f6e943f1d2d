import { isNqError } from '../../errors.ts';
import type { Delivery, MessageQueue } from '../../queue.ts';
import { type AnomalyKind, showAnomaly } from '../history/check-history.ts';
import { disturbed } from '../history/profile.ts';
import { runWorkload } from '../history/workload.ts';
import type { Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { trialType } from '../trial-parts.ts';
import { NotVerified, Violation } from '../violation.ts';
import { acksTooLate, settledInTime, shortLeaseMs, watchWhatComes } from './returned.ts';

/** §8: what happens when the connection or the broker fails. */
export const faultRules: readonly Rule[] = [
  {
    id: '8.1',
    slug: 'no-hang',
    level: 'MUST',
    claim: 'resilient',
    tier: 'faults',
    hooks: ['faults'],
    text: 'No call hangs when the connection is cut, whether it was under way or is made then: it settles soon after its timeoutMs.',
    why: 'A service whose broker is away must answer its own callers: with ioredis, commands waited for ever after a cut (ioredis #61, #285, #492, node-redis #932).',
    checkFirst: 'Does every request have a deadline of its own, also those that have left before the cut?',
    mutants: ['hang-on-cut', 'hang-under-way', 'hang-of-settlements'],
    async run(trial) {
      const queue = await trial.open();
      await trial.push(queue, 8);
      const [one, two, three, four] = (await trial.takeMany(queue, 4)) as [Delivery, Delivery, Delivery, Delivery];
      await trial.faults.delay(20);
      const underWay = callsOf(trial, queue, one, two);
      // They have left, and have no answer yet; those that take longer to leave are cut off all the same.
      await trial.wait(10);
      trial.journal.note('the connections are cut');
      await trial.faults.cut();
      const during = callsOf(trial, queue, three, four);
      // Each call is watched by itself, and named if it does not settle.
      for (const call of [...underWay, ...during]) await settled(call);
      trial.verified += underWay.length + during.length;
    },
  },
  {
    id: '8.2',
    slug: 'works-after-heal',
    level: 'MUST',
    claim: 'resilient',
    tier: 'faults',
    hooks: ['faults'],
    text: 'The same queue object works again once the connection is back: events are pushed, settled and handed out, also to a consumer that has been waiting.',
    why: 'A consumer that never wakes after a failover looks healthy and does nothing until it is restarted.',
    checkFirst: 'Who asks again for the calls that wait, after a reconnect?',
    mutants: ['dead-after-reconnect', 'deaf-after-reconnect', 'forgets-deliveries-on-cut', 'push-dead-after-reconnect'],
    async run(trial) {
      const consumer = await trial.open();
      const producer = trial.capabilities.multiInstance ? await trial.open() : consumer;
      for (let round = 0; round < 3; round++) {
        await trial.push(producer, 1);
        const held = await trial.take(consumer);
        const waiting = consumer.pop();
        await trial.pending(waiting, 'a pop of an empty queue');
        trial.journal.note('the connections are cut and healed');
        await trial.faults.cut();
        await trial.wait(trial.random() * 20);
        await trial.faults.heal();
        await afterReconnect(trial, 'ack()', () => held.ack());
        await afterReconnect(trial, 'push()', () => producer.push(trial.event()));
        await received(trial, consumer, waiting);
      }
    },
  },
  {
    id: '8.3',
    slug: 'no-loss',
    level: 'MUST',
    claim: 'resilient',
    tier: 'faults',
    hooks: ['faults'],
    text: 'What was accepted comes out, as it was pushed and in order, however often connections are cut and consumers crash.',
    why: 'A push that resolves although it never arrived, or a consumer that takes events with it when it dies, loses what nobody will ever miss in time (NATS 2.12.1 lost acknowledged messages, as Jepsen found).',
    checkFirst: 'Does push() resolve only for an answer of the backend, and is an event forgotten only for an ack?',
    mutants: [
      'swallow-cut',
      'optimistic-push',
      'crash-takes-events-along',
      'reorders-after-reconnect',
      'flushes-later',
    ],
    run: (trial) => judge(trial, (kind) => !['resurrection', 'duplicate', 'phantom'].includes(kind)),
  },
  {
    id: '8.4',
    slug: 'duplicates-justified',
    level: 'MUST',
    claim: 'resilient',
    tier: 'faults',
    hooks: ['faults'],
    text: 'An event comes again only after a nack, the end of its lease, the end of its consumer, or a push whose outcome is unknown; and never after an ack that resolved.',
    why: 'Handlers are made for the duplicates that the contract names; one that comes out of a reconnect charges a customer twice.',
    checkFirst: 'What is sent again after a reconnect, and does the backend know that it had it already?',
    mutants: ['resend-on-reconnect', 'duplicate-after-reconnect', 'swallow-ack', 'returns-held-on-cut'],
    run: (trial) => judge(trial, (kind) => kind === 'resurrection' || kind === 'duplicate'),
  },
  {
    id: '8.5',
    slug: 'push-outcome-truthful',
    level: 'MUST',
    claim: 'resilient',
    tier: 'faults',
    hooks: ['faults'],
    text: 'A push that rejects with anything but NQ_OUTCOME_UNKNOWN is never delivered.',
    why: 'Who is told that an event is not stored pushes it again: a definite answer that is a guess makes two events of one.',
    checkFirst: 'What does classify() say of a request that had left, and is anything kept to be sent later?',
    mutants: ['claims-definite', 'offline-queue', 'times-out-for-certain'],
    run: (trial) => judge(trial, (kind) => kind === 'phantom'),
  },
  {
    id: '8.6',
    slug: 'poison-passes',
    level: 'MUST',
    claim: 'resilient',
    tier: 'standard',
    hooks: ['injectRaw'],
    text: 'A record that is no event does not keep those behind it from coming, takes none with it, and is not lost in silence.',
    why: 'One record of a foreign producer stopped every consumer of a queue until somebody removed it by hand (watermill-redisstream #38).',
    checkFirst: 'Is each record decoded by itself, and set aside or reported if that fails?',
    mutants: ['poison-kills-loop', 'poison-hangs', 'poison-vanishes', 'poison-spoils-its-batch', 'poison-comes-again'],
    run: verifyPoison,
  },
];

/** One call of each kind, all at once. */
function callsOf(
  trial: Trial,
  queue: MessageQueue<unknown>,
  acknowledged: Delivery,
  returned: Delivery,
): Promise<unknown>[] {
  const timeoutMs = 50;
  const { deadLetter } = queue.capabilities;
  return [
    queue.push(trial.event(), { timeoutMs }),
    queue.push(trial.event(), { timeoutMs: 0 }),
    queue.pushMany(trial.events(2), { timeoutMs }),
    queue.pop({ timeoutMs }),
    queue.pop({ timeoutMs: 0 }),
    queue.popMany(2, { timeoutMs }),
    queue.size(),
    acknowledged.ack(),
    returned.nack(),
    ...(deadLetter ? [queue.deadLetters.count()] : []),
  ];
}

/** Waits until `call` settles, however. @throws {Violation} if it does not. */
async function settled(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Violation) throw error;
  }
}

/** Calls again until it resolves: the connection may need a while. */
async function afterReconnect(trial: Trial, what: string, call: () => Promise<unknown>): Promise<void> {
  const { lease } = trial.capabilities;
  let mayBeDone = false;
  const resolves = async (): Promise<boolean> => {
    try {
      await call();
      return true;
    } catch (error) {
      if (error instanceof Violation) throw error;
      // A delivery that no lease protects belongs to a connection, and ends with it.
      if (isNqError(error, 'NQ_LEASE_LOST')) return mayBeDone || lease === false;
      mayBeDone ||= isNqError(error, 'NQ_OUTCOME_UNKNOWN');
      return false;
    }
  };
  await trial.until(resolves, `${what} resolves after the connection is back`);
}

/** Verifies that a consumer gets an event after a reconnect: by the pop that has waited, or by another if that rejected. */
async function received(
  trial: Trial,
  queue: MessageQueue<unknown>,
  waiting: Promise<Delivery | undefined>,
): Promise<void> {
  const { patienceMs } = trial.timing;
  let delivery: Delivery | undefined;
  try {
    delivery = await trial.within(waiting, 'a pop that waited through the cut, and has an event to take,', patienceMs);
  } catch (error) {
    if (error instanceof Violation) throw error;
    trial.verify(isNqError(error), 'a pop that waited through a cut rejected with something that is no NqError');
  }
  const takes = async (): Promise<boolean> => {
    try {
      delivery ??= await queue.pop({ timeoutMs: patienceMs });
      return delivery !== undefined;
    } catch (error) {
      if (error instanceof Violation) throw error;
      return false;
    }
  };
  await trial.until(takes, 'pop() brings an event after the connection is back', 2 * patienceMs);
  await afterReconnect(trial, 'ack()', async () => delivery?.ack());
  // What an unknown outcome, or a connection that was lost, has brought back is not of interest here.
  await drainAfterCut(trial, queue);
}

async function drainAfterCut(trial: Trial, queue: MessageQueue<unknown>): Promise<void> {
  await trial.until(async () => {
    try {
      await trial.drain(queue);
      return true;
    } catch (error) {
      if (error instanceof Violation) throw error;
      return false;
    }
  }, 'the queue can be emptied after the connection is back');
}

/** Runs the workload with faults; anomalies that `isOurs` tells are what the rule is about. */
async function judge(trial: Trial, isOurs: (kind: AnomalyKind) => boolean): Promise<void> {
  const connect = () => trial.open({ capacity: 200, leaseMs: shortLeaseMs(trial) });
  const { anomalies, verdict, missing } = await runWorkload(trial, disturbed, connect);
  const [first, ...others] = anomalies.filter(({ kind }) => isOurs(kind));
  trial.verify(first === undefined, () => {
    const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
    return `${showAnomaly(first as NonNullable<typeof first>)}${more}`;
  });
  if (verdict === 'unknown') throw new NotVerified(`the workload proved too little: ${missing.join('; ')}`);
}

/** Records that are no events: no text, no JSON, and JSON without a type. */
const poison = [
  Uint8Array.of(0xff, 0xfe, 0x00, 0x7b),
  ...['[1,', '{"no":"type"}'].map((text) => new TextEncoder().encode(text)),
];

async function verifyPoison(trial: Trial): Promise<void> {
  const { patienceMs } = trial.timing;
  const queue = await trial.open({ leaseMs: shortLeaseMs(trial) });
  const pushed = await trial.push(queue, 2);
  for (const record of poison) {
    await trial.injectRaw(record);
    pushed.push(...(await trial.push(queue, 2)));
  }
  const expected = new Set(pushed.map(({ id }) => id));
  const deliveries: Delivery[] = [];
  let foreign = 0;
  let errors = 0;
  let late = false;
  const deadline = trial.clock.now() + patienceMs;
  while (deliveries.length < expected.size && trial.clock.now() < deadline) {
    try {
      const page = await queue.popMany(4, { timeoutMs: trial.timing.quietMs });
      const acks = page.map((delivery) => settledInTime(delivery.ack()));
      for (const [index, inTime] of (await Promise.all(acks)).entries()) {
        const delivery = page[index] as Delivery;
        if (!expected.has(delivery.event.id)) foreign++;
        else if (inTime) deliveries.push(delivery);
        else late = true;
      }
    } catch (error) {
      if (error instanceof Violation) throw error;
      trial.verify(isNqError(error), 'a record that is no event made pop() reject with something that is no NqError');
      errors++;
      await trial.wait(1);
    }
  }
  if (late && deliveries.length < expected.size) throw new NotVerified(acksTooLate);
  trial.verifySame(deliveries, pushed, false);
  const { deadLetter } = trial.capabilities;
  const dead = deadLetter ? await queue.deadLetters.count() : 0;
  const kept = trial.offers('inspect') ? (await trial.inspect()).deadLetters : 0;
  if (deadLetter || trial.offers('inspect')) {
    const seen = foreign + errors + Math.max(dead, kept);
    trial.verify(seen > 0, `${poison.length} records that are no events are gone, and nobody was told`);
  }
  const verifyStrange = ({ event }: Delivery): void =>
    trial.verify(event.type !== trialType, 'an event came again after it was acknowledged');
  await watchWhatComes(queue, trial.timing.quietMs, verifyStrange).catch((error: unknown) => {
    if (error instanceof Violation) throw error;
    throw new Violation('a record that is no event still makes pop() reject after everything behind it has come');
  });
  await trial.push(queue, 1);
  await settledInTime((await trial.take(queue, 'an event behind the records')).ack());
}
