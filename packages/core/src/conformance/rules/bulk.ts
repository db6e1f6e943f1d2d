import type { QueueEvent } from '../../event.ts';
import type { Delivery } from '../../queue.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { NotVerified } from '../violation.ts';
import { isGoneWithItself, whatIsLeft } from './after-close.ts';
import { collectPages, longLeaseMs } from './full-queue.ts';
import { secondOf } from './pop.ts';
import { granularityMs, needsRoom, resolves, settledInTime, shortLeaseMs, watchWhatComes } from './returned.ts';
import { sizeWhere } from './size.ts';

/** More settlements than what backends take in one request, ten for some; so few that the end of a lease can be waited for. */
const several = 30;

/** More than a driver is given in one request: `createQueue` gathers up to 500. */
const many = 600;

/** The lease of what is taken in several calls and settled at once; its end is waited for, in milliseconds. */
const bulkLeaseMs = (trial: Trial): number => shortLeaseMs(trial, 600);

/** More dead letters than one page of them. */
const manyLetters = 120;

/** §3, continued: many at once. */
export const bulkRules: readonly Rule[] = [
  {
    id: '3.13',
    slug: 'acks-at-once',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'Each of many deliveries that are acknowledged at once is done: none is in flight any more, and none comes again.',
    why: 'Backends limit how many settlements one request may carry (ten in Amazon SQS): what is beyond is done again after the lease, although its ack() has resolved.',
    checkFirst: 'What happens to the eleventh settlement of a request, and is the answer looked at for each?',
    mutants: ['ack-drops-beyond-ten', 'ack-drops-beyond-two-hundred'],
    run: acknowledgesMany,
  },
  {
    id: '3.14',
    slug: 'nacks-at-once',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'Each of many deliveries that are given back at once comes again, once, and after its own delay.',
    why: 'A worker that stops gives back all it has at once: what the request does not carry is away until its lease ends, and one delay for all brings back too soon what should rest.',
    checkFirst: 'What happens to the eleventh event of a request, and does each have a delay of its own in it?',
    mutants: ['nack-drops-beyond-ten', 'nack-drops-beyond-two-hundred', 'nack-of-batch-takes-first-delay'],
    run: givesManyBack,
  },
  {
    id: '3.15',
    slug: 'dead-letters-as-named',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.deadLetter,
    text: 'Dead letters are listed in the order in which their events were given up; replay(ids) and remove(ids) touch each that is named, once, and no other; what is replayed comes oldest first and behind what is ready, also when the queue is full.',
    why: 'Whoever filters a list and is left with no id removes everything; and a replay into a full queue that keeps a part back, or puts it in front, mixes up the very events that somebody is repairing.',
    checkFirst: 'Is an empty list of ids told from none, and what sorts dead letters and what is replayed?',
    mutants: [
      'dead-letters-in-order-of-pushes',
      'dead-letters-listed-by-ten',
      'replay-of-none-is-all',
      'remove-of-none-is-all',
      'replay-counts-what-was-asked',
      'replay-repeats-what-is-named-twice',
      'replay-within-capacity',
      'replay-newest-first',
    ],
    run: keepsToNames,
  },
  {
    id: '3.16',
    slug: 'dead-letters-beyond-a-page',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.deadLetter,
    text: 'More dead letters than one page are counted, listed, replayed and removed as few are: list() shows 100, and as many as `limit` where there is one; and each is replayed or removed once, also when two connections do it at the same time.',
    why: 'After a bad night there are thousands: a replay that takes the first page says that it is done, and the rest is found by a customer; and where two people press the same button, one that looks first and moves then does everything twice.',
    checkFirst:
      'Do replay() and remove() go on until nothing is left, and find an id that is on no first page? Is a dead letter taken away in the step that puts its event into the queue?',
    mutants: [
      'dead-letters-limited-to-a-page',
      'replay-takes-a-page',
      'remove-takes-a-page',
      'replay-looks-then-moves',
      'remove-looks-then-removes',
    ],
    run: keepsMany,
  },
];

/**
 * Pushes `count` events and takes all, so that they are held together.
 *
 * @param least so few will do, where a queue hands out only so many before some are settled; the others are ready then.
 */
async function hold(trial: Trial, queue: ObservedQueue<unknown>, count: number, least = count): Promise<Delivery[]> {
  const { patienceMs } = trial.timing;
  const held: Delivery[] = [];
  while (held.length < count) {
    // What is in flight takes no room.
    const events = trial.events(Math.min(count - held.length, queue.capacity));
    await queue.pushMany(events, { timeoutMs: patienceMs });
    const upTo = held.length + events.length;
    while (held.length < upTo) {
      const page = await queue.popMany(upTo - held.length, { timeoutMs: patienceMs });
      // That pushed events come is for other rules.
      if (page.length === 0 && held.length >= least) return held;
      if (page.length === 0 && held.length > 0) {
        throw new NotVerified(`only ${held.length} of ${count} events are handed out before one is settled`);
      }
      trial.verify(page.length > 0, () => `${upTo} events were pushed, and none came`);
      held.push(...page);
    }
  }
  return held;
}

async function acknowledgesMany(trial: Trial): Promise<void> {
  const { quietMs, longestLeaseMs } = trial.timing;
  const counts = needs.size.holds(trial.capabilities);
  const leaseOf = (queue: ObservedQueue<unknown>): number => {
    const { lease } = queue.capabilities;
    return lease !== false && lease.ms <= longestLeaseMs ? lease.ms : 0;
  };

  const queue = await trial.open({ leaseMs: bulkLeaseMs(trial) });
  const look = isGoneWithItself(trial) ? undefined : await whatIsLeft(trial);
  const verifyNotDone = await acknowledgeAtOnce(trial, queue, await hold(trial, queue, several));
  await watchWhatComes(queue, leaseOf(queue) + 3 * quietMs, verifyNotDone);
  if (look !== undefined) {
    await queue.close();
    await watchWhatComes(await look(), quietMs, verifyNotDone);
  }

  // To take so many may take longer than a lease that can be waited for, and where they are counted, that is not needed.
  const more = await trial.neighbour('many', { leaseMs: counts ? longLeaseMs(trial) : longestLeaseMs });
  const verifyNoneDone = await acknowledgeAtOnce(trial, more.queue, await hold(trial, more.queue, many, several));
  await watchWhatComes(more.queue, leaseOf(more.queue) + 3 * quietMs, verifyNoneDone);
  await more.leave();
  // What is in flight is counted, or comes when its lease has ended; without a size, that has to be waited for.
  if (queue.capabilities.lease !== false && !counts) trial.leaseOf(queue);
}

/** Acknowledges what is held at once, and verifies that none is in flight. @returns what verifies of others that they were not among these. */
async function acknowledgeAtOnce(
  trial: Trial,
  queue: ObservedQueue<unknown>,
  held: readonly Delivery[],
): Promise<(delivery: Delivery) => void> {
  const inTime = await Promise.all(held.map((delivery) => settledInTime(delivery.ack())));
  const done = new Set(held.filter((_delivery, index) => inTime[index]).map(({ event }) => event.id));
  if (done.size <= held.length / 2) throw new NotVerified('most leases were over before the acknowledgements arrived');
  if (done.size === held.length && needs.size.holds(trial.capabilities)) {
    const { inFlight } = await sizeWhere(trial, queue, (size) => size.inFlight === 0);
    trial.verify(
      inFlight === 0,
      () => `${inFlight} of ${held.length} events are in flight after all were acknowledged at once`,
    );
  }
  return (delivery) =>
    trial.verify(
      !done.has(delivery.event.id),
      () => `${trial.show(delivery)} came out although it was acknowledged, with ${held.length - 1} others at once`,
    );
}

async function givesManyBack(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  const held = await hold(trial, queue, many, several);
  await Promise.all(held.map((delivery) => delivery.nack()));
  const again = await takeThose(trial, queue, held, 'were given back at once');
  await trial.nothing(queue, 'it was given back once, and is held');

  if (!trial.capabilities.nackDelay) {
    await Promise.all(again.map((delivery) => delivery.ack()));
    return;
  }
  // Nobody waits for the end of the first one, and none has the delay of those beside it.
  const delays = again.map((_delivery, index) =>
    index === 0 ? longLeaseMs(trial) : 40 + ((index * 7) % several) * 10,
  );
  const since = trial.clock.now();
  await Promise.all(again.map((delivery, index) => delivery.nack({ delayMs: delays[index] })));
  const verifyDelay = (delivery: Delivery): void => {
    const tookMs = trial.clock.now() - since;
    const delayMs = delays[again.findIndex(({ event }) => event.id === delivery.event.id)] ?? 0;
    trial.verify(
      tookMs >= delayMs - granularityMs,
      () => `${trial.show(delivery)}, with a delay of ${delayMs} ms, came after ${Math.round(tookMs)} ms`,
    );
  };
  const back = await takeThose(
    trial,
    queue,
    again.slice(1),
    'were given back at once, with delays of their own',
    verifyDelay,
  );
  await trial.nothing(queue, 'it is held, or delayed for long');
  await Promise.all(back.map((delivery) => delivery.ack()));
}

/** Takes what must come of the events of `expected`, each once; what was never taken before is acknowledged. */
async function takeThose(
  trial: Trial,
  queue: ObservedQueue<unknown>,
  expected: readonly Delivery[],
  what: string,
  look: (delivery: Delivery) => void = () => {},
): Promise<readonly Delivery[]> {
  const ids = new Set(expected.map(({ event }) => event.id));
  const came: Delivery[] = [];
  while (came.length < expected.length) {
    const page = await queue.popMany(expected.length - came.length, { timeoutMs: trial.timing.patienceMs });
    if (page.length === 0) break;
    for (const delivery of page) {
      if (ids.has(delivery.event.id)) {
        look(delivery);
        came.push(delivery);
      } else await delivery.ack();
    }
  }
  verifyEachOnce(trial, came, expected, what);
  return came;
}

/** Verifies that `came` are of the events of `expected`, each once. */
function verifyEachOnce(trial: Trial, came: readonly Delivery[], expected: readonly Delivery[], what: string): void {
  const ids = new Set(came.map(({ event }) => event.id));
  const missing = expected.filter(({ event }) => !ids.has(event.id));
  trial.verify(
    missing.length === 0,
    () => `${missing.length} of ${expected.length} events that ${what} did not come; others came twice`,
  );
}

async function keepsToNames(trial: Trial): Promise<void> {
  const queue = await trial.open({ capacity: 20, leaseMs: longLeaseMs(trial) });
  needsRoom(queue, 2);
  const { deadLetters } = queue;
  const held = await hold(trial, queue, 15);
  // Neither in the order of the pushes, nor in reverse.
  const died = held.map((_delivery, index) => held[(index * 4 + 7) % held.length] as Delivery);
  for (const [index, delivery] of died.entries()) {
    await delivery.nack({ deadLetter: true, reason: `number ${index}` });
    // A moment later, for backends that sort them by time.
    await trial.wait(2);
  }
  let dead: QueueEvent[] = died.map(({ event }) => event);
  const names = (ids: readonly string[]): string => ids.map((id) => trial.journal.nameOf(id)).join(' ');
  const verifyListed = async (when: string): Promise<void> => {
    const [count, letters] = [await deadLetters.count(), await deadLetters.list()];
    const [listed, expected] = [names(letters.map(({ event }) => event.id)), names(dead.map(({ id }) => id))];
    trial.verify(count === dead.length, () => `${when}, count() resolved ${count}; expected ${dead.length}`);
    trial.verify(
      listed === expected,
      () => `${when}, list() shows ${listed || 'none'}; expected ${expected}, in the order in which they were given up`,
    );
  };
  await verifyListed('after 15 events were given up');
  const few = await deadLetters.list({ limit: 4 });
  const firsts = names(dead.slice(0, 4).map(({ id }) => id));
  trial.verify(
    names(few.map(({ event }) => event.id)) === firsts,
    () => `list({ limit: 4 }) shows ${names(few.map(({ event }) => event.id))}; expected the oldest, ${firsts}`,
  );

  /** Verifies what `call` counts, and takes what it touches out of what is expected. Resolves it, oldest first. */
  const touch = async (verb: 'replay' | 'remove', ids: readonly string[] | undefined): Promise<QueueEvent[]> => {
    const shown = ids === undefined ? '' : `[${names(ids)}]`;
    const touched = dead.filter(({ id }) => ids?.includes(id) !== false);
    const count = await deadLetters[verb](ids);
    const call = `${verb}(${shown})`;
    trial.verify(count === touched.length, () => `${call} resolved ${count}; expected ${touched.length}`);
    dead = dead.filter((event) => !touched.includes(event));
    await verifyListed(`after ${call}`);
    return touched;
  };
  await touch('replay', []);
  await touch('remove', []);
  await trial.nothing(queue, 'replay([]) names no dead letter');

  const isFull = trial.capabilities.capacity === 'hard' && queue.capacity <= 200;
  const ready = trial.events(isFull ? queue.capacity : 2);
  await queue.pushMany(ready, { timeoutMs: trial.timing.patienceMs });
  const id = (index: number): string => (dead[index] as QueueEvent).id;
  const replayed = await touch('replay', [id(6), id(6)]);
  await touch('remove', [id(2), id(2)]);
  replayed.push(...(await touch('replay', [id(4), 'never given up', id(1)])));
  await touch('remove', ['never given up']);
  replayed.push(...(await touch('replay', undefined)));

  const came = await trial.collect(queue, ready.length + replayed.length);
  trial.verifySame(came, [...ready, ...replayed]);
  const old = came.find(({ attempt }) => attempt !== 1);
  trial.verify(old === undefined, () => `${trial.show(old as Delivery)} was replayed as if new, or never taken before`);
}

async function keepsMany(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  const other = await secondOf(trial, queue);
  const { deadLetters } = queue;
  for (const verb of ['replay', 'remove'] as const) {
    const held: Delivery[] = await hold(trial, queue, manyLetters);
    await Promise.all(held.map((delivery) => delivery.nack({ deadLetter: true, reason: 'one of many' })));
    const verifyCount = async (count: number, when: string): Promise<void> => {
      const [counted, listed] = [await deadLetters.count(), await deadLetters.list({ limit: 10 * manyLetters })];
      const different = new Set(listed.map(({ event }) => event.id)).size;
      trial.verify(counted === count, () => `${when}, count() resolved ${counted}; expected ${count}`);
      trial.verify(
        listed.length === count && different === count,
        () =>
          `${when}, list({ limit: ${10 * manyLetters} }) shows ${listed.length}, ${different} of them different; expected ${count}`,
      );
    };
    await verifyCount(manyLetters, `after ${manyLetters} events were given up`);
    for (const [options, expected] of [
      [undefined, 100],
      [{ limit: 110 }, 110],
    ] as const) {
      const { length } = await deadLetters.list(options);
      const call = `list(${options === undefined ? '' : `{ limit: ${options.limit} }`})`;
      trial.verify(length === expected, () => `${call} shows ${length} of ${manyLetters}; expected ${expected}`);
    }
    const last = (await deadLetters.list({ limit: manyLetters })).at(-1)?.event.id as string;
    const byBoth = async (ids?: readonly string[]): Promise<number> => {
      const counts = await Promise.all([deadLetters[verb](ids), other.deadLetters[verb](ids)]);
      return counts[0] + counts[1];
    };
    const one = await byBoth([last]);
    trial.verify(
      one === 1,
      () => `${verb}() of the last of ${manyLetters} dead letters, called twice at once, resolved ${one}; expected 1`,
    );
    await verifyCount(manyLetters - 1, `after ${verb}() of the last one`);
    const all = await byBoth();
    trial.verify(
      all === manyLetters - 1,
      () => `${verb}() of everything, called twice at once, resolved ${all}; expected ${manyLetters - 1}`,
    );
    await verifyCount(0, `after ${verb}() of everything`);
    const expected = verb === 'replay' ? held.map(({ event }) => event) : [];
    trial.verifySame(await collectPages(trial, queue, expected.length), expected, false);
  }
  await resolves(trial, deadLetters.replay(), 'replay() without a dead letter');
}
