import { type AfterTaking, type Taken, type Worker, workOn } from '../peer/worker.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { NotVerified, Violation } from '../violation.ts';
import { granularityMs, needsRoom, shortLeaseMs } from './returned.ts';

/** How far the clocks of the other processes are from ours, in milliseconds: far more than a rule waits. */
const clocksAheadMs = [3_600_000, -3_600_000] as const;

/** How often each process pushes in turn. */
const turns = 3;

/** How long an event is delayed, and for how long a lease is extended, in milliseconds. */
const [delayMs, extendMs] = [250, 300];

/** How often a process tries to do something before the lease of what it has taken ends. */
const tries = 5;

/** §7, continued: several processes, and what time each of them believes it is. */
export const processClockRules: readonly Rule[] = [
  {
    id: '7.9',
    slug: 'clocks-may-differ',
    level: 'MUST',
    claim: 'durable',
    tier: 'standard',
    requires: needs.multiInstance,
    hooks: ['fork'],
    text: 'Processes whose clocks differ are one queue all the same: events come in the order in which they were pushed, and leases and delays last as long as they should, whoever has taken an event and whoever waits for it.',
    why: 'The clocks of two machines are never the same, and one of them is an hour off sooner or later: by the clock of who writes and that of who reads, every lease has ended before it began, or what was given back for a second is away for an hour.',
    checkFirst:
      'Whose clock says when a lease or a delay ends, and whose when it has ended? Is the backend asked, both times?',
    mutants: [
      'orders-by-process-clock',
      'leases-by-process-clock',
      'delays-by-process-clock',
      'extends-by-process-clock',
    ],
    run: keepsTimeTogether,
  },
];

/** A process that takes part. */
interface Participant extends Worker {
  /** As a sentence names it. */
  readonly name: string;
}

/** An event that nobody may get for a while. */
interface PutAway {
  readonly since: number;
  readonly forMs: number;
  /** Who did what with it, as a sentence says it. */
  readonly how: string;
}

async function keepsTimeTogether(trial: Trial): Promise<void> {
  const queue = await trial.open({ leaseMs: shortLeaseMs(trial) });
  const [ahead, behind] = await Promise.all(clocksAheadMs.map((aheadMs) => trial.fork({}, aheadMs)));
  const here = participant('this process', workOn(queue));
  const fast = participant('a process whose clock is ahead', ahead as Worker);
  const slow = participant('a process whose clock is behind', behind as Worker);
  const all = [fast, here, slow];
  needsRoom(queue, turns * all.length);
  await keepsOrder(trial, all);

  const { lease } = queue.capabilities;
  const { nackDelay } = trial.capabilities;
  const waitsForLease = lease !== false && lease.ms <= trial.timing.longestLeaseMs;
  const leaseMs = waitsForLease ? lease.ms : Infinity;
  const ways: Way[] = [
    ...(waitsForLease ? [{ does: 'took', after: 'keep', forMs: leaseMs } as const] : []),
    ...(waitsForLease && lease.extend ? [{ does: 'extended', after: { extendMs }, forMs: extendMs } as const] : []),
    ...(nackDelay ? [{ does: 'delayed', after: { nack: { delayMs } }, forMs: delayMs } as const] : []),
  ];
  const times = new Times(trial, leaseMs);
  for (const [holders, taker] of [
    [[fast, slow], here],
    [[here], fast],
    [[here], slow],
  ] as const) {
    for (const holder of holders) for (const way of ways) await times.putAway(holder, way);
    // Where events are divided among processes, they come to whom they belong.
    await times.takeBack(trial.capabilities.order === 'key' ? all : [taker]);
  }
  if (lease !== false) trial.leaseOf(queue);
}

function participant(name: string, worker: Worker): Participant {
  return {
    name,
    push: (events, timeoutMs) => worker.push(events, timeoutMs),
    take: (taking) => worker.take(taking),
    replay: (ids) => worker.replay(ids),
  };
}

/** Verifies that what all push in turn comes in that order, as far as there is one. */
async function keepsOrder(trial: Trial, all: readonly Participant[]): Promise<void> {
  const { patienceMs, quietMs } = trial.timing;
  const pushed: string[] = [];
  for (let turn = 0; turn < turns; turn++) {
    // Each of them comes after each of the others once.
    for (const producer of turn % 2 === 0 ? all : all.toReversed()) {
      pushed.push(...(await producer.push(trial.events(1, { key: 'clocks' }), patienceMs)));
    }
  }
  const came: string[] = [];
  // Where events are divided among processes, those who have none wait each time.
  const waits = trial.capabilities.order === 'fifo' ? 1 : pushed.length;
  const deadline = trial.clock.now() + patienceMs + waits * all.length * quietMs;
  while (came.length < pushed.length && trial.clock.now() < deadline) {
    for (const consumer of all) {
      const taken = await consumer.take({ count: 1, page: 1, timeoutMs: quietMs, after: 'ack' });
      // One that was not acknowledged in time comes again; its first hand-out is what has an order.
      came.push(...taken.map(({ id }) => id).filter((id) => !came.includes(id)));
    }
  }
  const names = (ids: readonly string[]): string => ids.map((id) => trial.journal.nameOf(id)).join(' ');
  const inOrder = trial.capabilities.order !== 'none';
  const [expected, got] = inOrder ? [names(pushed), names(came)] : [names(pushed.toSorted()), names(came.toSorted())];
  trial.verify(
    expected === got,
    () => `processes whose clocks differ pushed ${names(pushed)} in turn, and ${names(came) || 'nothing'} came`,
  );
}

/** What a process does with an event, so that nobody gets it for a while. */
interface Way {
  readonly does: string;
  readonly after: AfterTaking;
  readonly forMs: number;
}

/** What nobody may get yet, and since when. */
class Times {
  readonly #trial: Trial;
  readonly #leaseMs: number;
  readonly #away = new Map<string, PutAway>();

  constructor(trial: Trial, leaseMs: number) {
    this.#trial = trial;
    this.#leaseMs = leaseMs;
  }

  /** Has `holder` take an event and put it away. */
  async putAway(holder: Participant, way: Way): Promise<void> {
    const { patienceMs } = this.#trial.timing;
    for (let count = 0; count < tries; count++) {
      await holder.push(this.#trial.events(1), patienceMs);
      const since = this.#trial.clock.now();
      const [taken] = await holder.take({ count: 1, page: 1, timeoutMs: patienceMs, after: way.after });
      if (taken === undefined) throw new Violation(`an event that was pushed by ${holder.name} did not come there`);
      this.#verifyTime(taken, holder);
      const forMs = taken.inTime ? way.forMs : this.#leaseMs;
      this.#away.set(taken.id, { since, forMs, how: `${holder.name} ${taken.inTime ? way.does : 'took'}` });
      if (taken.inTime) return;
    }
    throw new NotVerified(`each lease was over before ${holder.name} had done something with its event`);
  }

  /** Has `takers` take and acknowledge everything, verifying that it comes in time and not before. */
  async takeBack(takers: readonly Participant[]): Promise<void> {
    const { timing, clock } = this.#trial;
    const longestMs = Math.max(0, ...[...this.#away.values()].map(({ forMs }) => forMs));
    const deadline = clock.now() + longestMs + timing.reclaimMs;
    while (this.#away.size > 0) {
      for (const taker of takers) {
        const since = clock.now();
        const [taken] = await taker.take({ count: 1, page: 1, timeoutMs: timing.quietMs, after: 'ack' });
        if (taken === undefined) continue;
        this.#verifyTime(taken, taker);
        if (taken.inTime) this.#away.delete(taken.id);
        else this.#away.set(taken.id, { since, forMs: this.#leaseMs, how: `${taker.name} took` });
      }
      const [left] = this.#away;
      if (left === undefined || clock.now() < deadline) continue;
      const [id, { how, since, forMs }] = left;
      throw new Violation(
        `${this.#trial.journal.nameOf(id)}, which ${how} for ${forMs} ms, had not come to ${takers.map(({ name }) => name).join(' or ')} after ${Math.round(clock.now() - since)} ms`,
      );
    }
  }

  #verifyTime({ id }: Taken, taker: Participant): void {
    const before = this.#away.get(id);
    if (before === undefined) return;
    const { how, since, forMs } = before;
    const tookMs = this.#trial.clock.now() - since;
    this.#trial.verify(
      tookMs >= forMs - granularityMs,
      () =>
        `${this.#trial.journal.nameOf(id)}, which ${how} for ${forMs} ms, came to ${taker.name} after ${Math.round(tookMs)} ms`,
    );
  }
}
