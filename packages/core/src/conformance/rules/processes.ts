import type { QueueEvent } from '../../event.ts';
import type { QueueSize } from '../../queue.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import { type Taken, type Worker, workOn } from '../peer/worker.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { NotVerified } from '../violation.ts';
import { longLeaseMs } from './full-queue.ts';
import { handOut, resolves, shortLeaseMs, takeBack, watchWhatComes } from './returned.ts';
import { sizeWhere } from './size.ts';

/** How many other processes there are. With this one, they are more than a machine with two cores runs at once. */
const others = 2;
/** How many events fit, if that can be chosen: so few that the queue is full again and again. */
const smallRoom = 30;
/** More is not filled. */
const mostRoom = 2000;
/** About how many events are pushed in all the rounds that fill the queue, and how many rounds there are at the most. */
const [mostPushed, mostRounds] = [240, 40];
/** How many events a process takes at once in every second round. */
const page = 5;
/** How many events each process pushes and takes at the same time. */
const share = 40;
/** How many dead letters several processes replay at once, and how often: in every second round, by their ids. */
const [letters, replayRounds] = [20, 4];

/** §7: several processes, which share nothing but the backend. */
export const processRules: readonly Rule[] = [
  {
    id: '7.5',
    slug: 'processes-are-one-queue',
    level: 'MUST',
    claim: 'durable',
    tier: 'standard',
    requires: needs.multiInstance,
    hooks: ['fork'],
    text: 'Several processes that push and pop at once have one queue: every event whose push resolved is handed out once, to one of them, where the capacity is hard, no more are stored than fit, and size() counts what they have left.',
    why: 'What looks first and acts then is right in one process, where nothing comes between: with a second one, two take the same file, write the same name, both find the last place free, or write down a count of which the other one knows nothing.',
    checkFirst:
      'Does the backend itself look and act in one step, by a lock, a transaction or a script? A lock in memory holds for one process.',
    mutants: ['events-by-process', 'claims-by-process', 'names-by-process', 'room-by-process', 'counts-by-process'],
    run: shareQueue,
  },
  {
    id: '7.6',
    slug: 'killed-process-loses-nothing',
    level: 'MUST',
    claim: 'durable',
    tier: 'standard',
    requires: needs.multiInstance,
    hooks: ['fork'],
    text: 'A process that is killed takes nothing with it: what it had pushed is stored, and what it held is handed out again soon after its lease has ended, and counted as another attempt.',
    why: 'Processes are killed when memory runs out, or when a deployment has waited long enough. No code of theirs runs then, so nothing may depend on it.',
    checkFirst: 'What is done when a process exits that is not done when it is killed? Who takes back what it held?',
    mutants: ['write-behind', 'pop-removes', 'crash-never-reclaimed'],
    run: killsOne,
  },
  {
    id: '7.7',
    slug: 'processes-wake-each-other',
    level: 'MUST',
    claim: 'durable',
    tier: 'standard',
    requires: needs.multiInstance,
    hooks: ['fork'],
    text: 'A pop that waits is woken by a push of another process.',
    why: 'The producer is a web server, the consumer a worker: where only the own process knows of a push, the worker sleeps until something else wakes it, and every test in one process passes.',
    checkFirst: 'Who tells the other processes of a push? If nobody does, does a pop that waits look again by itself?',
    mutants: ['wakes-own-process'],
    run: wakesEachOther,
  },
  {
    id: '7.8',
    slug: 'processes-replay-once',
    level: 'MUST',
    claim: 'durable',
    tier: 'standard',
    requires: {
      text: 'multiInstance and deadLetter',
      capabilities: ['multiInstance', 'deadLetter'],
      holds: ({ multiInstance, deadLetter }) => multiInstance && deadLetter,
    },
    hooks: ['fork'],
    text: 'Dead letters that several processes replay at the same time come once each, and together the calls count each of them once.',
    why: 'Two people look at the same alarm and press the same button: what was given up once is done twice.',
    checkFirst: 'Are taking a dead letter away and putting its event into the queue one step of the backend?',
    mutants: ['replay-locked-by-process'],
    run: replaysOnce,
  },
  {
    id: '7.12',
    slug: 'processes-leave-others-alone',
    level: 'MUST',
    claim: 'durable',
    tier: 'standard',
    requires: needs.multiInstance,
    hooks: ['fork'],
    text: 'What one process holds, delays or has given up stays as it is when another one opens the queue, uses it and closes it.',
    why: 'A process that tidies up when it starts or ends takes what others are working on for its own leftovers: every deployment has done twice what is in hand.',
    checkFirst: 'By what are the hand-outs of a process told from those of all others, and can two have the same?',
    mutants: ['start-ends-all-leases', 'close-returns-of-namesakes'],
    run: leavesOthersAlone,
  },
];

async function shareQueue(trial: Trial): Promise<void> {
  const bounded = needs.capacity.holds(trial.capabilities);
  const options = { capacity: smallRoom, leaseMs: longLeaseMs(trial) };
  // All at the same moment: what is made by the first one that opens it is made once.
  const opened = trial.open(options);
  const [queue, ...forked] = await Promise.all([opened, ...Array.from({ length: others }, () => trial.fork(options))]);
  if (bounded && queue.capacity > mostRoom) {
    throw new NotVerified(`there is room for ${queue.capacity} events; the rule fills up to ${mostRoom}`);
  }
  const workers: [Worker, ...Worker[]] = [workOn(queue), ...forked];
  const room = bounded ? queue.capacity : smallRoom;
  // Where nothing is ever full, a try that ends at once says nothing more.
  const pushMs = bounded ? 0 : trial.timing.patienceMs;

  // One that has never taken anything leaves everything to the others: it would find its own, also where nobody else does.
  const [producer, ...consumers] = workers.toReversed() as typeof workers;
  const early = await pushAtOnce(trial, [producer], room, pushMs);
  verifyTaken(trial, await takeAtOnce(trial, consumers, early.length, 1), early);

  const rounds = Math.min(mostRounds, Math.max(1, Math.round(mostPushed / room)));
  for (let round = 0; round < rounds; round++) {
    // Half as much again as fits: the last places are those that several want.
    const stored = await pushAtOnce(trial, workers, Math.ceil(room / 2), pushMs);
    trial.verify(
      !bounded || stored.length <= room,
      () => `${stored.length} events were stored by ${workers.length} processes at once, and there is room for ${room}`,
    );
    await verifyCounted(trial, queue, stored.length, `${workers.length} processes have pushed at once`);
    verifyTaken(trial, await takeAtOnce(trial, workers, stored.length, round % 2 === 0 ? 1 : page), stored);
    await verifyCounted(trial, queue, 0, `${workers.length} processes have acknowledged everything`);
  }

  const [stored, taken] = await Promise.all([
    pushAtOnce(trial, workers, share, trial.timing.patienceMs),
    takeAtOnce(trial, workers, share * workers.length, 1),
  ]);
  verifyTaken(trial, taken, stored);
  await verifyCounted(trial, queue, 0, `${workers.length} processes have pushed and taken at once`);
  await trial.nothing(queue, 'everything had been acknowledged, by one process or another');
}

/** Has every process push `count` events, all at the same time. @returns the ids of those that are stored. */
async function pushAtOnce(
  trial: Trial,
  workers: readonly Worker[],
  count: number,
  timeoutMs: number,
): Promise<readonly string[]> {
  const pushes = workers.map((worker) => worker.push(trial.events(count), timeoutMs));
  return (await Promise.all(pushes)).flat();
}

/** Has every process take and acknowledge its share of `count` events, all at the same time, and what others have left. */
async function takeAtOnce(
  trial: Trial,
  workers: readonly Worker[],
  count: number,
  pageOf: number,
): Promise<readonly Taken[]> {
  const { quietMs, patienceMs } = trial.timing;
  const taken: Taken[] = [];
  const take = async (worker: Worker, most: number): Promise<void> => {
    taken.push(...(await worker.take({ count: most, page: pageOf, timeoutMs: quietMs, after: 'ack' })));
  };
  await Promise.all(workers.map((worker) => take(worker, Math.ceil(count / workers.length))));
  // A backend may give one process more, and another one less: a log by its partitions.
  let [progress, before] = [trial.clock.now(), taken.length];
  while (taken.length < count && trial.clock.now() < progress + patienceMs) {
    await Promise.all(workers.map((worker) => take(worker, count)));
    if (taken.length > before) [progress, before] = [trial.clock.now(), taken.length];
  }
  return taken;
}

/** Verifies that each of `stored` was taken once, and nothing else. */
function verifyTaken(trial: Trial, taken: readonly Taken[], stored: readonly string[]): void {
  const times = new Map<string, number>();
  for (const { id } of taken) times.set(id, (times.get(id) ?? 0) + 1);
  const name = (id: string): string => trial.journal.nameOf(id);
  const twice = [...times].find(([, count]) => count > 1);
  trial.verify(
    twice === undefined,
    () => `${name(twice?.[0] ?? '')} was handed out ${twice?.[1]} times, to processes that all worked on it`,
  );
  const lost = stored.filter((id) => !times.has(id));
  trial.verify(
    lost.length === 0,
    () =>
      `${lost.length} of ${stored.length} events did not come to the processes that took: ${lost.slice(0, 5).map(name).join(' ')}`,
  );
  const strange = [...times.keys()].find((id) => !stored.includes(id));
  trial.verify(strange === undefined, () => `${name(strange ?? '')} came again, or although its push was refused`);
}

/** Verifies that size() counts `count` events, if it counts. @param when as a sentence. */
async function verifyCounted(trial: Trial, queue: ObservedQueue<unknown>, count: number, when: string): Promise<void> {
  if (!needs.size.holds(trial.capabilities)) return;
  // A pop that ran out of time may still hold what it gives back.
  const counts = ({ ready, inFlight, delayed }: QueueSize): boolean => ready + inFlight + delayed === count;
  const size = await sizeWhere(trial, queue, counts);
  trial.verify(
    counts(size),
    () =>
      `${when}, and size() says ${size.ready} ready, ${size.inFlight} in flight, ${size.delayed} delayed; expected ${count}`,
  );
}

async function wakesEachOther(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  const other = await trial.fork();
  // A pop that runs out of time looks once more: that is too late.
  const timeoutMs = longLeaseMs(trial);
  const works = [
    { waits: workOn(queue), pushes: other, what: 'a pop that waits while another process pushes' },
    { waits: other, pushes: workOn(queue), what: 'a pop of another process that waits while this one pushes' },
  ];
  for (const { waits, pushes, what } of works) {
    const taking = waits.take({ count: 1, page: 1, timeoutMs, after: 'ack' });
    await trial.pending(taking, 'a pop of an empty queue');
    const stored = await pushes.push(trial.events(1), trial.timing.patienceMs);
    verifyTaken(trial, await trial.within(taking, what), stored);
  }
}

async function replaysOnce(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  const workers: readonly Worker[] = [workOn(queue), await trial.fork()];
  for (let round = 0; round < replayRounds; round++) {
    const events: QueueEvent[] = [];
    while (events.length < letters) {
      const delivery = await handOut(trial, queue);
      events.push(delivery.event);
      await delivery.nack({ deadLetter: true });
    }
    const ids = round % 2 === 0 ? undefined : events.map(({ id }) => id);
    const counts = await Promise.all(workers.map((worker) => worker.replay(ids)));
    const call = ids === undefined ? 'replay()' : 'replay() of the same ids';
    trial.verify(
      counts.reduce((sum, count) => sum + count, 0) === events.length,
      () =>
        `${call} by ${workers.length} processes at once resolved ${counts.join(' and ')}, of ${events.length} letters`,
    );
    trial.verifySame(await trial.collect(queue, events.length), events, false);
  }
}

async function leavesOthersAlone(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  const { nackDelay, deadLetter } = trial.capabilities;
  const { patienceMs, quietMs } = trial.timing;
  if (deadLetter) await (await handOut(trial, queue)).nack({ deadLetter: true });
  if (nackDelay) await (await handOut(trial, queue)).nack({ delayMs: longLeaseMs(trial) });
  const held = await handOut(trial, queue);

  const guest = await trial.fork();
  const brought = trial.event();
  await guest.push([brought], patienceMs);
  await guest.take({ count: 1, page: 1, timeoutMs: quietMs, after: 'ack' });
  await guest.end();

  await watchWhatComes(queue, quietMs, (delivery) =>
    trial.verify(
      delivery.event.id === brought.id,
      () => `${trial.show(delivery)} came again when another process had opened the queue and closed it`,
    ),
  );
  if (deadLetter) {
    const count = await queue.deadLetters.count();
    trial.verify(
      count === 1,
      () => `there is 1 dead letter, and ${count} are counted after another process has closed`,
    );
  }
  await resolves(trial, held.ack(), 'ack() of what was held while another process opened the queue and closed it');
}

async function killsOne(trial: Trial): Promise<void> {
  const stays = await trial.open({ leaseMs: shortLeaseMs(trial) });
  const killed = await trial.fork();
  const { patienceMs } = trial.timing;
  const events = trial.events(3);
  await killed.push(events.slice(0, 2), patienceMs);
  const held = await killed.take({ count: 2, page: 1, timeoutMs: patienceMs, after: 'keep' });
  trial.verify(held.length === 2, () => `2 events were pushed, and the process that pushed them got ${held.length}`);
  // As for a crash: who writes down hand-outs a little later has done so by then. What is pushed has no such time.
  await trial.wait(trial.timing.quietMs);
  await killed.push(events.slice(2), patienceMs);
  await killed.kill();
  const deliveries = await takeBack(trial, stays, events, 'the process was killed that had pushed them and held 2');
  for (const { id, attempt } of held) {
    const again = deliveries.find(({ event }) => event.id === id);
    trial.verify(
      (again?.attempt ?? 0) > attempt,
      'the hand-out to the process that was killed does not count as an attempt',
    );
  }
}
