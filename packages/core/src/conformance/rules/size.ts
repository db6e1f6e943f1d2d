import { isNqError } from '../../errors.ts';
import type { QueueSize } from '../../queue.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { NotVerified } from '../violation.ts';
import { collectPages, fill, longLeaseMs } from './full-queue.ts';
import { secondOf } from './pop.ts';
import {
  granularityMs,
  handOut,
  needsRoom,
  resolves,
  settledInTime,
  shortLeaseMs,
  takeAgain,
  verifyIs,
} from './returned.ts';

/** §5: how much a queue holds, and how much it takes. */
export const sizeRules: readonly Rule[] = [
  {
    id: '5.1',
    slug: 'capacity-holds',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.capacity,
    text: 'The capacity never changes and is never exceeded by pushes: ready and delayed events count, those in flight do not, and what is given back is never refused.',
    why: 'The bound is what stands between a slow consumer and the memory of the broker; and an event that cannot be given back because the queue is full meanwhile is lost.',
    checkFirst: 'What is counted, in which step: is it the step that stores the event, for all connections?',
    mutants: [
      'unbounded',
      'checks-room-then-stores',
      'capacity-counts-in-flight',
      'capacity-forgets-returned',
      'capacity-ignores-delayed',
      'capacity-shrinks',
      'nack-refused-when-full',
      'none-but-bounded',
    ],
    run: holdsCapacity,
    async otherwise(trial) {
      const queue = await trial.open({ capacity: 4, leaseMs: longLeaseMs(trial) });
      trial.verify(queue.capacity === Infinity, () => `capacity is ${queue.capacity}, and none is declared`);
      // More than any default.
      const events = trial.events(1200);
      const pushed = queue.pushMany(events, { timeoutMs: trial.timing.patienceMs });
      await resolves(trial, pushed, `pushMany of ${events.length} events to a queue without a limit`);
      trial.verifySame(await collectPages(trial, queue, events.length), events, false);
    },
  },
  {
    id: '5.2',
    slug: 'size-counts',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    requires: needs.size,
    text: 'size() counts what is ready, in flight and delayed: exactly when it is declared exact, otherwise soon after nothing happens any more; never below 0, and without touching anything.',
    why: 'Scaling and alarms are built on it: a backlog that counts what is being worked on never ends, and one that is negative never alarms.',
    checkFirst: 'Is the backend asked, in one step for all three numbers, or is something counted along here?',
    mutants: [
      'size-counts-in-flight',
      'size-negative',
      'size-stuck',
      'size-forgets-delayed',
      'size-age-is-no-number',
      'size-forgets-nacked',
      'destructive-size',
    ],
    run: countsSize,
    async otherwise(trial) {
      const queue = await trial.open();
      await trial.push(queue, 1);
      const size = await sizeOf(trial, queue);
      trial.verify(!size.exact, 'size() calls itself exact, and nothing is declared');
      const [delivery] = await trial.collect(queue, 1);
      trial.verify(delivery?.attempt === 1, 'size() has taken an event out, or lost it');
    },
  },
  {
    id: '5.3',
    slug: 'what-is-over-is-ready',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: {
      text: 'lease and size: exact or approximate',
      capabilities: ['lease', 'size'],
      holds: (capabilities) => needs.lease.holds(capabilities) && needs.size.holds(capabilities),
    },
    text: 'An event whose lease has ended counts as ready from then on, and one whose delay has ended soon after, also while nobody takes it.',
    why: 'All workers have died: what they held is counted as being worked on, so nobody starts new ones, and without a worker nobody ever looks at the leases.',
    checkFirst: 'Does size() compare the ends of leases and delays with the time, or count what was moved by a pop?',
    mutants: ['size-counts-ended-lease', 'size-counts-ended-delay'],
    run: countsWhatIsOver,
  },
];

async function holdsCapacity(trial: Trial): Promise<void> {
  const queue = await trial.open({ capacity: 4, leaseMs: longLeaseMs(trial) });
  const { capacity } = queue;
  const { patienceMs } = trial.timing;
  const other = await secondOf(trial, queue);
  const verifyFull = async (when: string): Promise<void> => {
    for (const [who, producer] of [
      ['push', queue],
      ['push of another connection', other],
    ] as const) {
      const refused = producer.push(trial.event(), { timeoutMs: 0 });
      await trial.rejects(refused, 'NQ_FULL', `${who} ${when}, with a capacity of ${capacity},`);
    }
    const constant = queue.capacity === capacity && other.capacity === capacity;
    trial.verify(constant, () => `the capacity was ${capacity} and is ${queue.capacity} and ${other.capacity}`);
  };
  const pushOne = (when: string): Promise<void> =>
    resolves(trial, queue.push(trial.event(), { timeoutMs: patienceMs }), `push to a queue that has room ${when}`);

  await fill(trial, queue);
  await verifyFull('to a queue that is full');
  const held = await trial.take(queue);
  await pushOne('beside what is in flight');
  await verifyFull('to a queue that is full beside what is in flight');
  await resolves(trial, held.nack(), 'nack() while the queue is full');
  await verifyFull('to a queue that is more than full after an event was given back');
  const first = await trial.take(queue);
  await first.ack();
  await verifyFull('to a queue that is full again after an event was given back and taken');
  await (await trial.take(queue)).ack();
  await pushOne('after an event was acknowledged');
  await verifyFull('to a queue that is full again');
  await collectPages(trial, queue, capacity);

  // All at once, and from everywhere.
  const many = Array.from({ length: capacity + 12 }, (_, index) =>
    (index % 2 === 0 ? queue : other).push(trial.event(), { timeoutMs: 0 }),
  );
  let stored = 0;
  for (const call of await Promise.allSettled(many)) {
    if (call.status === 'fulfilled') stored++;
    else if (!isNqError(call.reason, 'NQ_FULL')) throw call.reason;
  }
  trial.verify(
    stored === capacity,
    () => `${stored} of ${many.length} pushes at once were accepted; the capacity is ${capacity}`,
  );
  const came = await collectPages(trial, queue, capacity);
  trial.verify(came.length === capacity, () => `${stored} pushes were accepted, and ${came.length} events came`);

  if (!needs.nackDelay.holds(trial.capabilities)) return;
  await pushOne('because it is empty');
  await (await trial.take(queue)).nack({ delayMs: longLeaseMs(trial) });
  for (let left = capacity - 1; left > 0; left--) await pushOne('beside what is delayed');
  await verifyFull('to a queue that is full with what is delayed');
}

/** What `size()` resolves at once if it is exact; an estimate has time to come where `fact` is true. */
export async function sizeWhere(
  trial: Trial,
  queue: ObservedQueue<unknown>,
  fact: (size: QueueSize) => boolean,
): Promise<QueueSize> {
  const deadline = trial.clock.now() + trial.timing.patienceMs;
  for (;;) {
    const size = await sizeOf(trial, queue);
    if (fact(size) || trial.capabilities.size === 'exact' || trial.clock.now() >= deadline) return size;
    await trial.wait(5);
  }
}

/** What `size()` resolves. Verifies that it consists of numbers as it should. */
async function sizeOf(trial: Trial, queue: ObservedQueue<unknown>): Promise<QueueSize> {
  const size = await queue.size();
  for (const name of ['ready', 'inFlight', 'delayed', 'oldestAgeMs'] as const) {
    const number = size[name];
    trial.verify(number >= 0 && number < Infinity, () => `size() says that ${name} is ${number}`);
  }
  return size;
}

async function countsSize(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  const other = await secondOf(trial, queue);
  const exact = trial.capabilities.size === 'exact';
  const verifySize = async (ready: number, inFlight: number, delayed: number, when: string): Promise<void> => {
    const expected = `${ready} ready, ${inFlight} in flight, ${delayed} delayed`;
    for (const connection of [queue, other]) {
      const fits = (size: QueueSize): boolean =>
        size.ready === ready && size.inFlight === inFlight && size.delayed === delayed;
      const size = await sizeWhere(trial, connection, fits);
      trial.verify(
        fits(size),
        () =>
          `${when}, size() says ${size.ready} ready, ${size.inFlight} in flight, ${size.delayed} delayed; expected ${expected}`,
      );
      trial.verify(!exact || size.exact, 'size() does not call itself exact, as declared');
      trial.verify(
        ready > 0 || size.oldestAgeMs === 0,
        () => `${when}, nothing is ready, and the oldest of it is ${size.oldestAgeMs} ms old`,
      );
    }
  };
  await verifySize(0, 0, 0, 'before the first push');
  needsRoom(queue, 3);
  await trial.push(queue, 1);
  const only = await trial.take(queue);
  await verifySize(0, 1, 0, 'after the only event was taken');
  await only.ack();
  await verifySize(0, 0, 0, 'after the only event was acknowledged');
  // A delay may keep the events of its key, so the last ones have others.
  const events = [...(await trial.push(queue, 2, { key: 'size' })), ...(await trial.push(queue, 1, { key: 'other' }))];
  await verifySize(3, 0, 0, 'after 3 pushes');
  const first = await trial.take(queue);
  if (trial.capabilities.order !== 'none') verifyIs(trial, first, events[0] as (typeof events)[0], 'the first one');
  trial.verify(first.attempt === 1, 'size() has taken an event out: its first hand-out is not attempt 1');
  await verifySize(2, 1, 0, 'after 1 of 3 events was taken');
  await first.nack();
  await verifySize(3, 0, 0, 'after it was given back');
  await (await trial.take(queue)).ack();
  await verifySize(2, 0, 0, 'after 1 of 3 events was acknowledged');
  const { nackDelay, deadLetter } = trial.capabilities;
  let ready = 2;
  let delayed = 0;
  if (nackDelay) {
    await (await trial.take(queue)).nack({ delayMs: longLeaseMs(trial) });
    ready--;
    delayed++;
    await verifySize(ready, 0, delayed, 'after an event was given back with a delay');
  }
  if (deadLetter) {
    await (await trial.take(queue)).nack({ deadLetter: true });
    ready--;
    await verifySize(ready, 0, delayed, 'after an event was given up');
  }
  const rest = await trial.collect(queue, ready);
  trial.verify(rest.length === ready, () => `${ready} events were left, and ${rest.length} came`);
  await verifySize(0, 0, delayed, 'after everything that was ready was acknowledged');
}

async function countsWhatIsOver(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: shortLeaseMs(trial) });
  const leaseMs = trial.leaseOf(queue);
  const isReady = ({ ready, inFlight, delayed }: QueueSize): boolean => ready === 1 && inFlight === 0 && delayed === 0;
  const show = ({ ready, inFlight, delayed }: QueueSize): string =>
    `size() says ${ready} ready, ${inFlight} in flight, ${delayed} delayed`;

  const held = await handOut(trial, queue);
  const since = trial.clock.now();
  await trial.until(() => held.signal.aborted, 'that the signal of a delivery whose lease ended aborts');
  // Its holder may count from the request, and the backend from its answer, in whole milliseconds.
  await trial.wait(since + leaseMs + 2 * granularityMs - trial.clock.now());
  const size = await sizeWhere(trial, queue, isReady);
  trial.verify(
    isReady(size),
    () => `${show(size)}, and the only event has a lease of ${leaseMs} ms that has ended; expected 1 ready`,
  );

  const again = await takeAgain(trial, queue, 'the event whose lease ended');
  if (!needs.nackDelay.holds(trial.capabilities)) return;
  if (!(await settledInTime(again.nack({ delayMs: leaseMs })))) {
    throw new NotVerified('the lease was over before the event was given back');
  }
  // Nobody is told of the end of a delay: it is there when it has been noticed.
  const deadline = trial.clock.now() + leaseMs + trial.timing.patienceMs;
  let later = await queue.size();
  while (!isReady(later) && trial.clock.now() < deadline) {
    await trial.wait(5);
    later = await queue.size();
  }
  trial.verify(
    isReady(later),
    () => `${show(later)}, and the only event has a delay of ${leaseMs} ms that has ended; expected 1 ready`,
  );
}
