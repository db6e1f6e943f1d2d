import { getEventListeners } from 'node:events';
import { countAlive, grownSince } from '../left-alive.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { longMs, mostToFill } from './after-close.ts';

/**
 * How often a queue is used and closed to see what it leaves behind. What grows by one each time is its own; what comes and
 * goes once belongs to the process around it.
 */
const rounds = 4;

/** §6: the beginning of a queue, its end, and what is left. */
export const lifecycleRules: readonly Rule[] = [
  {
    id: '6.7',
    slug: 'close-leaves-others',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.multiInstance,
    text: 'Closing one queue object leaves the others of the same queue at work: their waiting calls, their deliveries, their connection.',
    why: 'Two consumers share a client, the first one to stop ends it for both; or it gives back, or removes, what the other one is working on.',
    checkFirst:
      'Does close() let go of what this object opened itself, and of nothing else? Are only its own leases returned?',
    mutants: ['close-kills-sibling', 'close-returns-sibling-work'],
    async run(trial) {
      const [leaves, stays] = [await trial.open(), await trial.open()];
      await trial.push(leaves, 1);
      const held = await trial.take(stays);
      const pop = stays.pop();
      await trial.pending(pop, 'a pop on an empty queue');
      await leaves.close();
      await trial.pending(pop, 'a pop of one queue object when another one was closed');
      trial.verify(!held.signal.aborted, 'a delivery of one queue object was cut off when another one was closed');
      const [event] = await trial.push(stays, 1);
      const delivery = await trial.within(pop, 'a pop of one queue object after another one was closed');
      trial.verify(delivery?.event.id === event?.id, 'another event came than the one that was pushed');
      await held.ack();
      await delivery?.ack();
      await trial.nothing(stays, 'all events were acknowledged');
    },
  },
  {
    id: '6.8',
    slug: 'open-works-at-once',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'A queue works from the moment it is opened, whatever is called first, and so does one that is opened again after a close.',
    why: 'Commands sent before the connection is ready are dropped, or wait for ever; a flag that says "closed" outlives the object that was closed.',
    checkFirst:
      'Do calls wait for the connection by themselves? Does anything outside of the queue object remember its close?',
    mutants: ['drop-before-ready', 'reopen-stays-closed', 'pop-before-push-hangs'],
    async run(trial) {
      const unused = await trial.open();
      await unused.close();
      const firstCalls: ((queue: ObservedQueue<unknown>) => Promise<unknown>)[] = [
        (queue) => queue.pop({ timeoutMs: 0 }),
        (queue) => queue.pop({ timeoutMs: 10 }),
      ];
      if (trial.capabilities.size !== 'none') firstCalls.push((queue) => queue.size());
      for (const firstCall of firstCalls) {
        const queue = await trial.open();
        await firstCall(queue);
        await works(trial, queue);
        await queue.close();
      }
      const pushedFirst = await trial.open();
      await works(trial, pushedFirst);
      await pushedFirst.close();
      const poppedFirst = await trial.open();
      const pop = poppedFirst.pop();
      const [event] = await trial.push(poppedFirst, 1);
      const delivery = await trial.within(pop, 'a pop that was the first call, after a push');
      trial.verify(delivery?.event.id === event?.id, 'another event came than the one that was pushed');
      await delivery?.ack();
    },
  },
  {
    id: '6.9',
    slug: 'close-leaves-nothing',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'After close() nothing of the queue is alive: no timer, no socket, no listener on a signal or on the process; and no rejection is left for nobody to handle.',
    why: 'A process that has closed everything does not exit, and is killed after its time of grace; a listener per closed queue is a leak that takes weeks to show.',
    checkFirst: 'Is every timer, listener and connection ended by close(), also the timers of calls that it released?',
    mutants: [
      'leak-interval',
      'leak-pop-timer',
      'leak-connection',
      'leak-signal-listener',
      'leak-process-listener',
      'floating-rejection',
    ],
    run: leavesNothing,
  },
  {
    id: '6.10',
    slug: 'close-in-outage',
    level: 'MUST',
    claim: 'resilient',
    tier: 'faults',
    hooks: ['faults'],
    text: 'close() settles, and releases every call, although the backend is out of reach, and counts what it could not give back.',
    why: 'The broker is down, the service is told to stop, and hangs in close() until it is killed (BullMQ #4656).',
    checkFirst:
      'Has every step of close() that asks the backend a time limit, and is its failure not the failure of close()?',
    mutants: ['close-waits-net', 'close-throws-in-outage', 'close-hangs-pops-in-outage', 'close-counts-unreturned'],
    run: closesInOutage,
  },
];

/** Verifies that `queue` hands out what is pushed. */
async function works(trial: Trial, queue: ObservedQueue<unknown>): Promise<void> {
  const [event] = await trial.push(queue, 1);
  const delivery = await trial.take(queue, 'the event that was pushed');
  trial.verify(delivery.event.id === event?.id, 'another event came than the one that was pushed');
  await delivery.ack();
}

async function leavesNothing(trial: Trial): Promise<void> {
  // The kit guards this rule by a timer, which is armed after its first turn.
  await trial.wait(1);
  const before = aliveNow(trial);
  const signals: AbortSignal[] = [];
  for (let round = 0; round < rounds; round++) {
    signals.push(await closeWhilePopsWait(trial), await closeWhilePushesWait(trial));
  }
  await trial.until(
    () => signals.every((signal) => getEventListeners(signal, 'abort').length === 0),
    'that nobody listens to the signals of calls that close() has released',
  );
  const deadline = trial.clock.now() + trial.timing.patienceMs;
  let left = grownSince(before, aliveNow(trial), rounds - 1);
  while (left.length > 0 && trial.clock.now() < deadline) {
    await trial.wait(10);
    left = grownSince(before, aliveNow(trial), rounds - 1);
  }
  trial.verify(
    left.length === 0,
    () => `after ${2 * rounds} queues were opened and closed there are more: ${left.join(', ')}`,
  );
}

/** How many there are of what keeps a process busy, by kind. */
function aliveNow({ clock }: Trial): ReadonlyMap<string, number> {
  const alive = countAlive();
  for (const name of process.eventNames()) {
    alive.set(`listeners on process ${String(name)}`, process.listenerCount(name));
  }
  // A virtual clock knows its timers; those of the system are among the resources.
  if ('timers' in clock && typeof clock.timers === 'number') alive.set('timers of the clock', clock.timers);
  return alive;
}

/** Opens the queue, and takes out what was left in it by the one before. */
async function openEmpty(trial: Trial): Promise<ObservedQueue<unknown>> {
  const queue = await trial.open({ capacity: 2 });
  if (trial.capabilities.size === 'exact') {
    for (let { ready } = await queue.size(); ready > 0; ready--) await (await trial.take(queue)).ack();
  } else {
    await trial.drain(queue);
  }
  return queue;
}

/** Closes a queue with a delivery that is open, and pops that wait. @returns the signal that they were given. */
async function closeWhilePopsWait(trial: Trial): Promise<AbortSignal> {
  const queue = await openEmpty(trial);
  await trial.push(queue, 1);
  await trial.take(queue);
  const { signal } = new AbortController();
  const calls = [
    queue.pop({ timeoutMs: longMs, signal }),
    queue.popMany(2, { timeoutMs: longMs, signal }),
    queue.pop(),
  ];
  await trial.wait(1);
  await queue.close();
  await trial.within(Promise.allSettled(calls), 'the pops that waited at close()');
  return signal;
}

/** Closes a queue with pushes that wait, if they can. @returns the signal that they were given. */
async function closeWhilePushesWait(trial: Trial): Promise<AbortSignal> {
  const queue = await openEmpty(trial);
  const { signal } = new AbortController();
  if (queue.capacity > mostToFill) {
    await queue.close();
    return signal;
  }
  await queue.pushMany(trial.events(queue.capacity));
  const calls = [
    queue.push(trial.event(), { timeoutMs: longMs, signal }),
    queue.pushMany(trial.events(2), { timeoutMs: longMs, signal }),
    queue.push(trial.event()),
  ];
  await trial.wait(1);
  await queue.close();
  await trial.within(Promise.allSettled(calls), 'the pushes that waited at close()');
  return signal;
}

async function closesInOutage(trial: Trial): Promise<void> {
  await closesWithoutWork(trial);
  await closesWithWork(trial);
  await closesMeanwhile(trial);
}

async function closesWithoutWork(trial: Trial): Promise<void> {
  const queue = await trial.open();
  await trial.faults.cut();
  const { returned, abandoned } = await queue.close();
  trial.verify(returned + abandoned === 0, 'the report of a queue that was never used counts something');
  await trial.faults.heal();
}

async function closesWithWork(trial: Trial): Promise<void> {
  const queue = await trial.open();
  await trial.push(queue, 1);
  await trial.take(queue);
  const waiting = [queue.pop(), queue.pop({ timeoutMs: longMs })];
  await trial.pending(Promise.race(waiting), 'a pop on an empty queue');
  await trial.faults.cut();
  const calls = [...waiting, queue.push(trial.event()), queue.size()];
  const [{ returned, abandoned }] = await Promise.all([queue.close(), queue.close()]);
  await trial.within(Promise.allSettled(calls), 'the calls that waited at a close() without a backend');
  trial.verify(returned === 0, 'the report says that a delivery was returned to a backend that was out of reach');
  trial.verify(abandoned === 1, `one delivery could not be returned, and the report says ${abandoned}`);
  await trial.faults.heal();
}

/** The backend goes while the queue is closed: what it has done by then, nobody knows. */
async function closesMeanwhile(trial: Trial): Promise<void> {
  const queue = await trial.open();
  await trial.push(queue, 2);
  const held = await trial.take(queue);
  const calls: Promise<unknown>[] = [held.ack(), queue.pop(), queue.push(trial.event())];
  const closing = queue.close();
  await trial.faults.cut();
  await closing;
  await trial.within(Promise.allSettled(calls), 'the calls that waited when the backend went during close()');
  await trial.faults.heal();
}
