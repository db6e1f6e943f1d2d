import type { QueueEvent } from '../../event.ts';
import type { Delivery } from '../../queue.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { NotVerified } from '../violation.ts';
import { longLeaseMs } from './full-queue.ts';
import { secondOf } from './pop.ts';
import { needsRoom, verifyIs } from './returned.ts';

/** §4: the order of events, and going back in it. */
export const orderRules: readonly Rule[] = [
  {
    id: '4.1',
    slug: 'first-in-first-out',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    requires: needs.order,
    text: 'Events come out in the order in which they were pushed, over many pages of whatever the backend reads at once.',
    why: 'The order is right for the ten events of a demonstration, and wrong where one page ends and the next one begins.',
    checkFirst: 'Is the next page asked for only when the one before has been handed out to its end?',
    mutants: ['reorder-adjacent', 'swap-page'],
    async run(trial) {
      const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
      const events = trial.events(Math.min(200, queue.capacity));
      const some = Math.min(20, events.length);
      for (const event of events.slice(0, some)) await queue.push(event);
      await queue.pushMany(events.slice(some), { timeoutMs: trial.timing.patienceMs });
      trial.verifySame(await trial.collect(queue, events.length), events, true);
    },
  },
  {
    id: '4.2',
    slug: 'order-of-a-key',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.orderByKey,
    text: 'Events of one key are handed out for the first time in the order in which they were pushed, also when many consumers take them.',
    why: 'The account is debited before it is opened: what belongs together is handled in an order that never was.',
    checkFirst:
      'Does any connection hold events back, in a page that it has read ahead, while another one hands out later ones?',
    mutants: ['reorder-in-key', 'reads-ahead'],
    run: keepsOrderOfKeys,
  },
  {
    id: '4.3',
    slug: 'calls-keep-their-order',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    requires: needs.orderByKey,
    text: 'Pushes of one queue object that do not wait for each other are stored in the order of their calls, single ones and many at once alike.',
    why: 'dispatch() is often called without await: the order is then that of the sockets of a pool.',
    checkFirst: 'Do all pushes take one way to the backend, one request after the other?',
    mutants: ['jitter-send', 'batch-overtakes'],
    async run(trial) {
      const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
      const key = 'calls';
      const events = trial.events(Math.min(33, queue.capacity), { key });
      const calls: Promise<void>[] = [];
      for (let next = 0; next < events.length;) {
        const [event, ...others] = events.slice(next, next + 3) as [QueueEvent, ...QueueEvent[]];
        const timeoutMs = trial.timing.patienceMs;
        calls.push(queue.push(event, { timeoutMs }));
        if (others.length > 0) calls.push(queue.pushMany(others, { timeoutMs }));
        next += 1 + others.length;
      }
      await Promise.all(calls);
      trial.verifySame(await trial.collect(queue, events.length), events, true);
    },
  },
  {
    id: '4.4',
    slug: 'keys-do-not-block',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.keysApart,
    text: 'An event that is not settled holds up at most those that share its part of the queue, not the other keys; and no key waits for ever behind a busier one.',
    why: 'One customer whose events fail must not stop all the others; that is what a key is for.',
    checkFirst:
      'What waits for an unsettled event: its key, its partition, or everything? Which partition is read next?',
    mutants: ['hol-block', 'starve-key'],
    run: keepsKeysApart,
  },
  {
    id: '4.5',
    slug: 'rewind',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.replay,
    text: 'After rewind({ time }), every event from that time on is handed out again, once and in order, whether it was acknowledged or not, and none from before.',
    why: 'A rewind is the last resort after a bad release: what it leaves out is never repaired, and what it repeats needlessly is done twice.',
    checkFirst: 'Is the position of the first event at or after the time looked up, and what was read ahead dropped?',
    mutants: ['rewind-does-nothing', 'rewind-to-start', 'rewind-skips-first', 'rewind-repeats-ready'],
    run: rewinds,
  },
];

/** What a pop brought, and between which steps of the whole rule: clocks are too coarse for it. */
interface Step {
  readonly began: number;
  readonly ended: number;
  readonly delivery: Delivery;
}

async function keepsOrderOfKeys(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  const consumers = [queue, await secondOf(trial, queue)];
  const count = Math.min(120, queue.capacity);
  const keys = ['a', 'b', 'c', 'd'];
  const events = Array.from({ length: count }, (_, index) => trial.event({ key: keys[index % keys.length] as string }));
  for (const event of events) await queue.push(event);
  // First one consumer alone, of which every order is known, then both.
  const alone = Math.floor(count / 3);
  const steps: Step[] = [];
  let step = 0;
  const all = new AbortController();
  const consume = async (consumer: ObservedQueue<unknown>, upTo: number): Promise<void> => {
    const options = { timeoutMs: trial.timing.patienceMs, signal: all.signal };
    while (steps.length < upTo) {
      const began = step++;
      const delivery = await consumer.pop(options).catch((error: unknown) => {
        if (error !== all.signal.reason) throw error;
      });
      if (delivery === undefined) return;
      steps.push({ began, ended: step++, delivery });
      await delivery.ack();
      // The other consumer may wait, and there is nothing more to come.
      if (steps.length >= count) all.abort();
    }
  };
  await consume(queue, alone);
  await Promise.all(consumers.map((consumer) => consume(consumer, count)));

  // Later hand-outs say nothing: their first one may have come to nobody.
  const firsts = steps.filter(({ delivery }) => delivery.attempt === 1);
  const came = new Set(firsts.map(({ delivery }) => delivery.event.id));
  if (came.size < count / 2) throw new NotVerified(`${came.size} of ${count} events came at their first attempt`);
  for (const key of keys) {
    const places = new Map(events.filter((event) => event.key === key).map(({ id }, place) => [id, place]));
    const ofKey = firsts.filter(({ delivery }) => places.has(delivery.event.id));
    for (const earlier of ofKey) {
      const overtaken = ofKey.find(
        (later) => later.began > earlier.ended && placeOf(places, later) < placeOf(places, earlier),
      );
      trial.verify(
        overtaken === undefined,
        () =>
          `${trial.show(earlier.delivery)} came before ${overtaken === undefined ? '' : trial.show(overtaken.delivery)}, which was pushed earlier with the same key`,
      );
    }
  }
}

function placeOf(places: ReadonlyMap<string, number>, { delivery }: Step): number {
  return places.get(delivery.event.id) as number;
}

async function keepsKeysApart(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  needsRoom(queue, 2);
  const { patienceMs } = trial.timing;
  const held = trial.event({ key: 'held' });
  await queue.push(held);
  const unsettled = await trial.take(queue);
  const count = Math.min(32, queue.capacity);
  const others = Array.from({ length: count }, (_, index) => trial.event({ key: `key ${index}` }));
  for (const event of others) await queue.push(event);
  const came: Delivery[] = [];
  // Some of them may share the part of the queue that has to wait.
  while (came.length < Math.ceil(count / 2)) {
    const delivery = await queue.pop({ timeoutMs: patienceMs });
    trial.verify(
      delivery !== undefined,
      `while one event was not settled, ${came.length} of ${count} events of other keys came`,
    );
    if (delivery === undefined) return;
    came.push(delivery);
  }
  // In the order of the hand-outs, for queues that acknowledge up to a position.
  for (const delivery of [unsettled, ...came]) await delivery.ack();
  trial.verifySame([...came, ...(await trial.collect(queue, count - came.length))], others, false);

  // One key that always has something, and one event of another key.
  const busy = async (): Promise<void> => {
    await trial.push(queue, 1, { key: 'busy' });
  };
  for (let backlog = 0; backlog < Math.min(4, queue.capacity - 1); backlog++) await busy();
  const quiet = trial.event({ key: 'quiet' });
  await queue.push(quiet);
  const mostHandOuts = 200;
  let handOuts = 0;
  for (;;) {
    const delivery = await trial.take(queue);
    await delivery.ack();
    if (delivery.event.id === quiet.id) break;
    handOuts++;
    trial.verify(
      handOuts < mostHandOuts,
      `${handOuts} events of a busy key came, most of them pushed later, and the one of a quiet key did not`,
    );
    await busy();
  }
}

async function rewinds(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  needsRoom(queue, 7);
  const key = 'rewind';
  const inOrder = trial.capabilities.order !== 'none';
  const before = await trial.push(queue, 3, { key });
  trial.verifySame(await trial.collect(queue, before.length), before, inOrder);
  // Clocks of several machines: the time lies clearly between the two.
  await trial.wait(trial.timing.quietMs);
  const time = trial.clock.date();
  await trial.wait(trial.timing.quietMs);
  const after = await trial.push(queue, 4, { key });

  // The last two are still ready.
  for (const what of ['first', 'second']) await (await trial.take(queue, `the ${what} of one key`)).ack();
  await queue.rewind({ time });
  trial.verifySame(await trial.collect(queue, after.length), after, inOrder);

  await queue.rewind({ time });
  const again = await trial.take(queue, 'the first event from the time on');
  if (inOrder) verifyIs(trial, again, after[0] as QueueEvent, 'the first one from the time on');
  await again.ack();
  const rest = after.filter(({ id }) => id !== again.event.id);
  trial.verifySame(await trial.collect(queue, rest.length), rest, inOrder);

  await queue.rewind({ time: 0 });
  const all = [...before, ...after];
  trial.verifySame(await trial.collect(queue, all.length), all, inOrder);
  await queue.rewind({ time: trial.clock.date() + 3_600_000 });
  await trial.nothing(queue, 'the time to which the queue was rewound is yet to come');
}
