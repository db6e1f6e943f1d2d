import { type Worker, workOn } from '../peer/worker.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { longLeaseMs } from './full-queue.ts';
import { granularityMs, shortLeaseMs } from './returned.ts';

/** How long an event is delayed whose process is killed meanwhile, in milliseconds. */
const delayMs = 500;

/** How many processes are killed while they work. One that holds a lock for half of its time escapes one in 32 times. */
const killed = 5;

/** How many events each of them pushes, if it lives to do it. */
const share = 100;

/** §7, continued: processes that are killed. */
export const processKillRules: readonly Rule[] = [
  {
    id: '7.10',
    slug: 'delay-outlives-its-process',
    level: 'MUST',
    claim: 'durable',
    tier: 'standard',
    requires: {
      text: 'multiInstance and nackDelay',
      capabilities: ['multiInstance', 'nackDelay'],
      holds: ({ multiInstance, nackDelay }) => multiInstance && nackDelay,
    },
    hooks: ['fork'],
    text: 'What was given back with a delay comes when the delay is over, also if the process that gave it back is killed meanwhile.',
    why: 'A timer in memory looks like a delay until the process ends: then the event is away until its lease ends, or for ever.',
    checkFirst: 'Is the end of the delay in the backend when nack() resolves?',
    mutants: ['delays-in-memory'],
    run: keepsDelay,
  },
  {
    id: '7.11',
    slug: 'killed-process-locks-nobody-out',
    level: 'MUST',
    claim: 'durable',
    tier: 'standard',
    requires: needs.multiInstance,
    hooks: ['fork'],
    text: 'Wherever in its work a process is killed, the others go on pushing and popping.',
    why: 'A lock that its holder removes itself is there for ever when the holder is killed: one process that runs out of memory stops all the others.',
    checkFirst: 'What ends a lock whose holder is dead: the operating system, a time limit, or only the holder?',
    mutants: ['lock-outlives-its-process'],
    run: goesOnWithoutTheKilled,
  },
];

async function keepsDelay(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
  const other = await trial.fork();
  const [event] = await trial.push(queue, 1);
  const since = trial.clock.now();
  const after = { nack: { delayMs } };
  const taken = await other.take({ count: 1, page: 1, timeoutMs: trial.timing.patienceMs, after });
  trial.verify(taken[0]?.id === event?.id, 'the only event there is did not come to another process');
  await other.kill();
  const again = await queue.pop({ timeoutMs: delayMs + trial.timing.reclaimMs });
  const tookMs = trial.clock.now() - since;
  const what = `an event that was given back with a delay of ${delayMs} ms by a process that was killed then`;
  trial.verify(again !== undefined, () => `${what} had not come after ${Math.round(tookMs)} ms`);
  trial.verify(tookMs >= delayMs - granularityMs, () => `${what} came after ${Math.round(tookMs)} ms`);
  await again?.ack();
}

async function goesOnWithoutTheKilled(trial: Trial): Promise<void> {
  const { quietMs, patienceMs } = trial.timing;
  const options = { leaseMs: shortLeaseMs(trial) };
  const survivor = await trial.fork(options);
  // One after the other: so many at once start slowly, and one that waits for the lock of another one has none itself.
  for (let count = 0; count < killed; count++) {
    const victim = await trial.fork(options);
    // Neither is answered, unless it was done before.
    const work = Promise.allSettled([
      victim.push(trial.events(share), 0),
      victim.take({ count: share, page: 1, timeoutMs: patienceMs, after: 'ack' }),
    ]);
    await trial.wait(trial.random() * quietMs);
    await victim.kill();
    await work;
  }

  // First where it does no harm if a lock that nobody opens any more is waited for without a turn of the event loop.
  await goesOn(trial, 'another process', survivor);
  await goesOn(trial, 'this process', workOn(await trial.open(options)));
}

/** Verifies that `worker` pushes an event, and takes some. */
async function goesOn(trial: Trial, who: string, worker: Worker): Promise<void> {
  const { quietMs, patienceMs, reclaimMs } = trial.timing;
  const limitMs = patienceMs + reclaimMs;
  const after = `after ${killed} processes were killed at work`;
  const progress = { stored: false, taken: 0 };
  const push = async (): Promise<void> => {
    const pushing = worker.push(trial.events(1), limitMs);
    const stored = await trial.within(pushing, `a push of ${who} ${after}`, limitMs);
    trial.verify(stored.length === 1, () => `a push of ${who} found no room within ${limitMs} ms ${after}`);
    progress.stored = true;
  };
  const take = async (): Promise<void> => {
    const deadline = trial.clock.now() + limitMs;
    // There may be no room before something is taken.
    while (progress.taken === 0 || !progress.stored) {
      const taking = worker.take({ count: 1, page: 1, timeoutMs: quietMs, after: 'ack' });
      progress.taken += (await trial.within(taking, `a pop of ${who} ${after}`, limitMs)).length;
      const isLate = trial.clock.now() >= deadline;
      trial.verify(progress.taken > 0 || !isLate, () => `nothing came to ${who} within ${limitMs} ms ${after}`);
    }
  };
  await Promise.all([push(), take()]);
}
