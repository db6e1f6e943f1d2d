import type { QueueEvent } from '../../event.ts';
import type { Delivery } from '../../queue.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { takeAll } from './after-close.ts';
import { crashHolding, settledInTime, shortLeaseMs, takeBack } from './returned.ts';

/** §7: what outlives a process, a consumer and a broker, and who gets what. */
export const durabilityRules: readonly Rule[] = [
  {
    id: '7.1',
    slug: 'push-survives-crash',
    level: 'MUST',
    claim: 'durable',
    tier: 'standard',
    requires: needs.durable,
    hooks: ['crash'],
    text: 'An event is stored when its push resolves: it is there although the producer is killed at that very moment.',
    why: 'A client that gathers events and writes them a little later loses a batch at every crash and every deployment, and nobody is told.',
    checkFirst: 'Does push() resolve on the answer of the backend, for every event of a pushMany() too?',
    mutants: ['write-behind', 'write-behind-rest'],
    async run(trial) {
      const queue = await trial.open();
      const events = await trial.push(queue, 3);
      const last = trial.events(7);
      await queue.pushMany(last);
      await trial.crash(queue);
      events.push(...last);
      trial.verifySame(await takeAll(trial, await trial.open(), events.length), events);

      const another = await trial.open();
      const [event] = await trial.push(another, 1);
      await trial.crash(another);
      trial.verifySame(await takeAll(trial, await trial.open(), 1), event === undefined ? [] : [event]);
    },
  },
  {
    id: '7.2',
    slug: 'crashed-consumer-returns',
    level: 'MUST',
    claim: 'durable',
    tier: 'standard',
    requires: needs.multiInstance,
    hooks: ['crash'],
    text: 'What a crashed consumer had taken is handed out again soon after its lease has ended, and counted as another attempt.',
    why: 'Without it each crash loses what was being worked on, or leaves it with the dead for ever: pending entries that are never read (openlinker #2223), a pop that removes (enqueue #757).',
    checkFirst: 'Who looks for leases that have ended, and does it while there is no new event either?',
    mutants: ['crash-never-reclaimed', 'pop-removes'],
    async run(trial) {
      const [crashes, stays] = [await trial.open({ leaseMs: shortLeaseMs(trial) }), await trial.open()];
      const events = await trial.push(crashes, 3);
      const taken = await trial.takeMany(crashes, 2);
      await crashHolding(trial, crashes);
      const deliveries = await takeBack(trial, stays, events, `a consumer crashed with ${taken.length} of them`);
      for (const { event } of taken) {
        const again = deliveries.find((one) => one.event.id === event.id);
        trial.verify((again?.attempt ?? 0) >= 2, 'the hand-out to the crashed consumer does not count as an attempt');
      }
    },
  },
  {
    id: '7.3',
    slug: 'survives-broker-restart',
    level: 'MUST',
    claim: 'durable',
    tier: 'faults',
    requires: needs.durableBroker,
    hooks: ['restart'],
    text: 'Neither an event whose push resolved nor an acknowledgement that resolved is forgotten when the broker restarts.',
    why: 'A broker that keeps its newest data in memory loses it at a restart, or hands out again what was done: what is declared is what the broker is configured to do.',
    checkFirst:
      'Is the broker configured to keep what it confirms? If that is up to its operator, what is declared by default?',
    mutants: ['volatile-events', 'volatile-ack'],
    async run(trial) {
      const queue = await trial.open({ leaseMs: shortLeaseMs(trial) });
      const events = await trial.push(queue, 6);
      const done = new Set<string>();
      for (const delivery of await trial.takeMany(queue, 2)) {
        if (await settledInTime(delivery.ack())) done.add(delivery.event.id);
      }
      // Another one is left unsettled.
      await trial.take(queue);
      await trial.restart();
      await queue.close();
      const left = events.filter(({ id }) => !done.has(id));
      const reopened = await trial.open();
      await takeBack(trial, reopened, left, 'the broker was restarted');
    },
  },
  {
    id: '7.4',
    slug: 'groups-apart',
    level: 'MUST',
    claim: 'durable',
    tier: 'standard',
    requires: needs.groups,
    text: 'Each group gets every event, one member of it each; what a group has done is its own affair; a new one begins where the queue declares.',
    why: 'Two services read one topic: with one cursor for both, each sees half of the events, and nobody notices which half is missing.',
    checkFirst: 'Is the position kept per group, in the backend? Where does a group begin that nobody has seen before?',
    mutants: ['group-shared-cursor', 'group-broadcast', 'group-shared-ack', 'group-wrong-start'],
    run: keepsGroupsApart,
  },
];

async function keepsGroupsApart(trial: Trial): Promise<void> {
  const orders = [await trial.open({ group: 'orders' }), await trial.open({ group: 'orders' })];
  const invoices = [await trial.open({ group: 'invoices' })];
  const [producer] = orders as [ObservedQueue<unknown>, ...unknown[]];
  const early = await beginGroups(trial, producer, [orders, invoices]);

  const events = await trial.push(producer, 12);
  // One group has finished before the other one begins.
  await verifyGroup(trial, 'the first group', orders, events);
  await verifyGroup(trial, 'the second group', invoices, events);

  const late = [await trial.open({ group: 'late' })];
  const fromStart = trial.capabilities.groups === 'earliest';
  const before = fromStart ? [...early, ...events] : [];
  const between = fromStart ? [] : await beginGroups(trial, producer, [late]);
  const after = await trial.push(producer, 3);
  await verifyGroup(trial, 'a group that began late', late, [...before, ...after]);
  await verifyGroup(trial, 'the second group, later', invoices, [...between, ...after]);
}

/**
 * Waits until each of `groups` has begun. A group that begins at the latest event has begun when the first one comes, so
 * there must be some. @returns what was pushed for it; the members have taken it.
 */
async function beginGroups(
  trial: Trial,
  producer: ObservedQueue<unknown>,
  groups: readonly (readonly ObservedQueue<unknown>[])[],
): Promise<QueueEvent[]> {
  if (trial.capabilities.groups !== 'latest') return [];
  const pushed: QueueEvent[] = [];
  for (const members of groups) {
    await trial.until(async () => {
      pushed.push(...(await trial.push(producer, 1)));
      const deliveries = await Promise.all(members.map((member) => trial.drain(member)));
      return deliveries.some(({ length }) => length > 0);
    }, 'that a new group gets what is pushed from now on');
  }
  for (const members of groups) for (const member of members) await trial.drain(member);
  return pushed;
}

/** Verifies that the members of a group get `events`, each of them once. */
async function verifyGroup(
  trial: Trial,
  name: string,
  members: readonly ObservedQueue<unknown>[],
  events: readonly QueueEvent[],
): Promise<void> {
  const deliveries: Delivery[] = [];
  const deadline = trial.clock.now() + trial.timing.patienceMs;
  const work = async (member: ObservedQueue<unknown>): Promise<void> => {
    while (deliveries.length < events.length && trial.clock.now() < deadline) {
      const delivery = await member.pop({ timeoutMs: trial.timing.quietMs });
      if (delivery === undefined) continue;
      deliveries.push(delivery);
      await delivery.ack();
    }
  };
  await Promise.all(members.map(work));
  // One too many would come now.
  for (const member of members) deliveries.push(...(await trial.drain(member)));
  trial.verify(
    deliveries.length === events.length,
    `${name} should get ${events.length} events and got ${deliveries.length}`,
  );
  trial.verifySame(deliveries, events, members.length === 1 && trial.capabilities.order === 'fifo');
}
