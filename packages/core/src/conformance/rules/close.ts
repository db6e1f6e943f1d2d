import { isDeepStrictEqual } from 'node:util';
import type { NqErrorCode } from '../../errors.ts';
import type { CloseReport } from '../../queue.ts';
import { describeError, explainError } from '../journal.ts';
import type { Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { longMs, mostToFill, moments, takeAll, waitUntil, whatIsLeft } from './after-close.ts';

/** §6: closing a queue, and whoever calls it then. */
export const closeRules: readonly Rule[] = [
  {
    id: '6.1',
    slug: 'close-idempotent',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    text: 'close() may be called any number of times, also at the same time: each call answers the same report, and disposing of the queue is the same as closing it.',
    why: 'A signal handler, a finally block and a test all close the same queue; the second one must neither hang nor throw while the process is on its way out.',
    checkFirst:
      'Is the promise of the first close() kept, set before anything else happens, and answered to everybody?',
    mutants: ['second-close-throws', 'second-close-hangs', 'close-report-changes', 'dispose-does-nothing'],
    async run(trial) {
      const queue = await trial.open();
      await trial.push(queue, 2);
      await trial.take(queue);
      const [first, second] = await Promise.all([queue.close(), queue.close({ drainMs: 10 })]);
      const third = await queue.close();
      trial.verify(isReport(first), `close() answered ${JSON.stringify(first)}, which is no report of counts`);
      trial.verify(isDeepStrictEqual(second, first), 'a close() during another one answered another report');
      trial.verify(isDeepStrictEqual(third, first), 'a close() after another one answered another report');
      await queue[Symbol.asyncDispose]();

      const disposed = await trial.open();
      await disposed[Symbol.asyncDispose]();
      await trial.rejects(disposed.push(trial.event()), 'NQ_CLOSED', 'push() after the queue was disposed of');
      trial.verify(isReport(await disposed.close()), 'close() after the queue was disposed of answered no report');
    },
  },
  {
    id: '6.2',
    slug: 'closed-refuses',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    text: 'From close() on, nothing is taken in or handed out any more; once it has settled, every call rejects NQ_CLOSED and changes nothing, and a loop over the queue ends.',
    why: 'A push that resolves after the close is an event that was promised and is nowhere; an acknowledgement that resolves hides that the event will be handed out again.',
    checkFirst: 'Does every method look whether the queue is closing before it asks the backend, deliveries included?',
    mutants: [
      'use-after-close',
      'push-after-close-accepted',
      'push-while-closing-accepted',
      'pop-after-close-hangs',
      'pop-after-close-empty',
      'settle-after-close-silent',
    ],
    async run(trial) {
      const queue = await trial.open();
      const look = await whatIsLeft(trial);
      const events = await trial.push(queue, 3);
      const held = await trial.take(queue);
      const settled = trial.within(Promise.resolve(queue.close()), 'close()', trial.timing.closeMs);
      await refusesMore(trial, queue, 'while the queue closes');
      await settled;
      await refusesMore(trial, queue, 'after the queue was closed');
      const refused = async (call: Promise<unknown>, what: string): Promise<void> =>
        void (await trial.rejects(call, 'NQ_CLOSED', `${what} after the queue was closed`));
      const { lease, deadLetter, replay, size } = queue.capabilities;
      if (size !== 'none') await refused(queue.size(), 'size()');
      if (lease !== false && lease.extend) await refused(held.extend(1000), 'extend()');
      await refused(held.ack(), 'ack()');
      await refused(held.nack(), 'nack()');
      if (deadLetter) {
        await refused(queue.deadLetters.count(), 'deadLetters.count()');
        await refused(queue.deadLetters.list(), 'deadLetters.list()');
        await refused(queue.deadLetters.replay(), 'deadLetters.replay()');
        await refused(queue.deadLetters.remove(), 'deadLetters.remove()');
      }
      if (replay) await refused(queue.rewind({ time: 0 }), 'rewind()');
      await endsLoop(trial, queue.raw[Symbol.asyncIterator]().next(), 'a loop over a closed queue');
      if (look === undefined) return;
      trial.verifySame(await takeAll(trial, await look(), events.length), events, false);
    },
  },
  {
    id: '6.3',
    slug: 'close-releases-waiting',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'close() releases every waiting call with NQ_CLOSED, at whatever moment of its way to the backend: what such a pop would have taken stays, and what such a push would have stored is never stored.',
    why: 'A service that stops waits for its consumers, and they wait for an event: quit() of ioredis never settled while a BRPOP waited (ioredis #516); an event that is handed to a consumer who has left is lost.',
    checkFirst:
      'Is the waiting request ended, and what it brings all the same given back, also if close() comes before it was sent?',
    mutants: [
      'close-hangs-pops',
      'close-hangs-pushes',
      'close-ends-pops-empty',
      'close-waits-for-pop',
      'close-admits-push',
      'close-ghost-pop',
    ],
    async run(trial) {
      await releasesPops(trial);
      if (trial.capabilities.capacity === 'hard') await releasesPushes(trial);
      if (trial.capabilities.multiInstance) await leavesEventsToOthers(trial);
    },
  },
];

/** Verifies that the loop which asked for `next` ends. */
async function endsLoop(trial: Trial, next: Promise<IteratorResult<unknown>>, what: string): Promise<void> {
  const how = next.then(
    ({ done }) => (done === true ? 'ended' : 'brought a delivery'),
    (error: unknown) => `threw ${error instanceof Error ? explainError(error) : describeError(error)}`,
  );
  const answer = await trial.within(how, what);
  trial.verify(answer === 'ended', `${what} ${answer} instead of ending`);
}

function isReport(report: unknown): report is CloseReport {
  if (typeof report !== 'object' || report === null) return false;
  const { returned, abandoned, deadLetters } = report as Partial<CloseReport>;
  return [returned, abandoned, deadLetters].every((count) => Number.isInteger(count) && (count as number) >= 0);
}

type Opened = Awaited<ReturnType<Trial['open']>>;

/** Verifies that `queue` takes in and hands out nothing `when` this is. */
async function refusesMore(trial: Trial, queue: Opened, when: string): Promise<void> {
  const calls = {
    'push()': queue.push(trial.event()),
    'push() with timeoutMs 0': queue.push(trial.event(), { timeoutMs: 0 }),
    'pushMany()': queue.pushMany(trial.events(2)),
    'pop()': queue.pop(),
    'pop() with timeoutMs 0': queue.pop({ timeoutMs: 0 }),
    'popMany()': queue.popMany(2),
  };
  for (const [what, call] of Object.entries<Promise<unknown>>(calls)) {
    await trial.rejects(trial.within(call, `${what} ${when}`), 'NQ_CLOSED', `${what} ${when}`);
  }
}

async function releasesPops(trial: Trial): Promise<void> {
  const queue = await trial.open({ capacity: 2 });
  const calls: Promise<unknown>[] = [queue.pop(), queue.pop({ timeoutMs: longMs }), queue.popMany(3)];
  const next = queue.raw[Symbol.asyncIterator]().next();
  await trial.pending(Promise.race([...calls, next]), 'a pop on an empty queue');
  await queue.close();
  for (const call of calls) {
    await trial.rejects(
      trial.within(call, 'a pop that waited at close()'),
      'NQ_CLOSED',
      'a pop that waited at close()',
    );
  }
  await endsLoop(trial, next, 'a loop that waited at close()');
  for (const moment of moments) {
    const another = await trial.open();
    const pop = another.pop();
    await waitUntil(trial, moment);
    await another.close();
    const what = `a pop() ${moment ?? 0} ms before close()`;
    await trial.rejects(trial.within(pop, what), 'NQ_CLOSED', what);
  }
}

async function releasesPushes(trial: Trial): Promise<void> {
  const queue = await trial.open();
  if (queue.capacity > mostToFill) return;
  const look = await whatIsLeft(trial);
  const events = trial.events(queue.capacity);
  await queue.pushMany(events);
  const calls = [
    queue.push(trial.event()),
    queue.push(trial.event(), { timeoutMs: longMs }),
    queue.pushMany(trial.events(2)),
  ];
  await trial.pending(Promise.race(calls), 'a push to a full queue');
  await queue.close();
  // A backend that is not asked again cannot tell what became of a push that it had been sent.
  const codes: NqErrorCode[] = trial.capabilities.definiteTimeout ? ['NQ_CLOSED'] : ['NQ_CLOSED', 'NQ_OUTCOME_UNKNOWN'];
  for (const call of calls) {
    await trial.rejects(trial.within(call, 'a push that waited at close()'), codes, 'a push that waited at close()');
  }
  if (look === undefined) return;
  trial.verifySame(await takeAll(trial, await look(), events.length), events);
}

/** An event that comes while a consumer leaves belongs to those who stay. */
async function leavesEventsToOthers(trial: Trial): Promise<void> {
  const stays = await trial.open();
  for (const moment of moments) {
    const leaves = await trial.open();
    const pop = leaves.pop();
    await trial.wait(moment ?? 0);
    const event = trial.event();
    const pushed = stays.push(event);
    await waitUntil(trial, moment);
    await leaves.close();
    await pushed;
    await trial.within(Promise.allSettled([pop]), 'a pop() before close()');
    const delivery = await trial.take(stays, 'the event that came while another consumer closed its queue');
    trial.verify(delivery.event.id === event.id, `${trial.show(delivery)} came instead of the event just pushed`);
    await delivery.ack();
  }
}
