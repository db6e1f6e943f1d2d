import { getEventListeners } from 'node:events';
import { describe } from '../../check.ts';
import { isNqError } from '../../errors.ts';
import type { EventInput, QueueEvent } from '../../event.ts';
import type { Delivery, WaitOptions } from '../../queue.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import { needs, type Requirement, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { collectPages, fill, openFull } from './full-queue.ts';

const fairRoom: Requirement = {
  text: 'fairness, with capacity: hard',
  capabilities: ['fairness', 'capacity'],
  holds: ({ fairness, capacity }) => fairness && capacity === 'hard',
};

/** §1: how calls are refused, aborted and served. */
export const pushCallRules: readonly Rule[] = [
  {
    id: '1.9',
    slug: 'misuse-refused',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'What is no event, no option or out of range is refused with a TypeError or a RangeError before anything happens.',
    why: 'A wrong value that is taken for another one waits for ever, or returns at once, in the one place that nobody tests.',
    checkFirst: 'Is every argument checked in the first lines of the call, NaN and null included?',
    mutants: ['checks-nothing', 'checks-late', 'nan-is-zero', 'max-is-clamped', 'partial-enqueue'],
    async run(trial) {
      const queue = await trial.open();
      const [first] = await trial.push(queue, 1);
      for (const [what, call] of misuses(trial, queue))
        await trial.rejects(call(), isMisuse, what, 'a TypeError or a RangeError');
      const delivery = await trial.take(queue);
      trial.verify(delivery.event.id === first?.id, 'a call that was refused has taken or stored an event');
      trial.verify(delivery.attempt === 1, 'a call that was refused has taken an event and given it back');
      await delivery.ack();
      await trial.nothing(queue, 'a call that was refused has stored it');
    },
  },
  {
    id: '1.10',
    slug: 'abort-ends-the-wait',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'An aborted call rejects with the very reason of its signal, whatever that is, and has had no effect: aborted before, while it waits, or while its request is under way; and it leaves no listener behind.',
    why: 'A call that misses the abort hangs its user; one that ignores it stores what was taken back; listeners that stay are a leak that Node.js warns of.',
    checkFirst: 'Is signal.aborted looked at after every await, and the listener removed on every way out?',
    mutants: [
      'ignores-preaborted',
      'ignores-abort',
      'abort-missed-in-flight',
      'abort-wraps-reason',
      'abort-makes-an-error',
      'abort-without-a-reason',
      'abort-stores-anyway',
      'leak-abort-listeners',
    ],
    async run(trial) {
      const bounded = needs.capacity.holds(trial.capabilities);
      const queue = await trial.open({ capacity: 2 });
      await verifyAbortedBefore(trial, queue);
      await verifyAbortedWaiting(trial, (options) => queue.pop(options), 'pop of an empty queue');
      await verifyAbortedWaiting(trial, (options) => queue.popMany(2, options), 'popMany of an empty queue');
      await verifyAbortedUnderWay(trial, queue);
      const forgotten = new AbortController();
      const options = { signal: forgotten.signal, timeoutMs: 1 };
      for (let round = 0; round < 10; round++) {
        await queue.push(trial.event(), { ...options, timeoutMs: trial.timing.patienceMs });
        await (await trial.take(queue)).ack();
        await queue.pop(options);
      }
      if (bounded) {
        const events = await fill(trial, queue);
        await verifyAbortedWaiting(trial, (wait) => queue.push(trial.event(), wait), 'push to a full queue');
        await verifyAbortedWaiting(trial, (wait) => queue.pushMany(trial.events(2), wait), 'pushMany to a full queue');
        const { signal } = forgotten;
        await queue.push(trial.event(), { signal, timeoutMs: 0 }).catch(() => {});
        // What an aborted push has left behind would come into the room that is made now.
        trial.verifySame(await trial.collect(queue, events.length), events, false);
      }
      const left = (): number => getEventListeners(forgotten.signal, 'abort').length;
      await trial.until(() => left() === 0, `that none of ${left()} listeners is left on a signal after its calls`);
    },
  },
  {
    id: '1.11',
    slug: 'fair-producers',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: fairRoom,
    text: 'Pushes that wait for room are admitted in the order of their calls, and none that comes later overtakes them.',
    why: 'Under load a producer that is always overtaken waits for ever, and events of one producer change their order.',
    checkFirst: 'Does a new push go behind those that wait, also in the moment in which room becomes free?',
    mutants: ['lifo-pushers', 'bypass-waiters'],
    async run(trial) {
      const { queue, events } = await openFull(trial, 2);
      const admitted: string[] = [];
      const called: string[] = [];
      const push = (): Promise<void> => {
        const event = trial.event();
        const name = trial.journal.nameOf(event.id);
        called.push(name);
        return queue.push(event).then(() => void admitted.push(name));
      };
      const waiting = [push(), push(), push()];
      await trial.pending(Promise.race(waiting), 'push to a full queue');
      const rounds = 3;
      for (let round = 1; round <= rounds; round++) {
        const delivery = await trial.take(queue);
        // Newcomers, in the very moment in which there is room.
        waiting.push(push());
        await delivery.ack();
        await trial.until(
          () => admitted.length >= round,
          `that ${round} pushes are admitted into ${round} free places`,
        );
      }
      const left = await trial.collect(queue, events.length + waiting.length - rounds);
      await Promise.all(waiting.map((one) => trial.within(one, 'a push that waited for room which there is now')));
      trial.verify(
        admitted.join() === called.join(),
        () => `pushes were admitted in the order ${admitted.join(' ')}; called ${called.join(' ')}`,
      );
      if (trial.capabilities.order !== 'fifo') return;
      const came = left.map(({ event }) => trial.journal.nameOf(event.id)).filter((name) => called.includes(name));
      const stored = called.slice(called.length - came.length);
      trial.verify(came.join() === stored.join(), () => `their events came in the order ${came.join(' ')}`);
    },
  },
  {
    id: '1.12',
    slug: 'batch-in-order',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    text: 'pushMany stores every event of the batch, in the order of the batch; an empty batch stores nothing.',
    why: 'A batch is sent in pages, and pages that overtake each other change the order of what belongs together.',
    checkFirst: 'Is each page awaited before the next one is sent, and no page retried behind another one?',
    mutants: ['batch-reversed', 'batch-pages-race', 'batch-of-one-page'],
    async run(trial) {
      const queue = await trial.open({ capacity: 2000 });
      await queue.pushMany([]);
      const events = trial.events(Math.min(1200, queue.capacity), { key: 'batch' });
      await queue.pushMany(events);
      const deliveries = await collectPages(trial, queue, events.length);
      trial.verifySame(deliveries, events, trial.capabilities.order !== 'none');
    },
  },
  {
    id: '1.13',
    slug: 'batch-says-what-is-stored',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.capacity,
    text: 'A pushMany that does not fit waits and goes on as room comes; if it runs out of time, its `stored` says how many are stored, and these are the first.',
    why: 'Whoever pushes the rest again needs to know where it begins: one too many and an event is lost, one too few and it comes twice.',
    checkFirst: 'Is `stored` counted from the answers of the backend, page by page?',
    mutants: ['batch-stored-missing', 'batch-stored-one-less', 'batch-reversed', 'full-batch-loses-rest'],
    async run(trial) {
      const { queue } = await openFull(trial, 3);
      await trial.collect(queue, queue.capacity);
      for (const timeoutMs of [0, 30]) {
        const batch = trial.events(queue.capacity + 2);
        const what = `pushMany of ${batch.length} events into room for ${queue.capacity}`;
        const error = await trial.rejects(queue.pushMany(batch, { timeoutMs }), isNqError, what, 'an NqError');
        const stored = isNqError(error) ? error.stored : undefined;
        const counts = Number.isInteger(stored) && Number(stored) >= 0 && Number(stored) <= queue.capacity;
        trial.verify(counts, () => `${what} rejected with stored: ${stored}`);
        const came = await trial.collect(queue, Number(stored));
        // Where the answer is uncertain, more of the first may be stored than it says.
        const certain = !isNqError(error, 'NQ_OUTCOME_UNKNOWN') || came.length < Number(stored);
        trial.verifySame(came, batch.slice(0, certain ? Number(stored) : came.length), false);
      }
      const batch = trial.events(3 * queue.capacity + 1);
      const push = queue.pushMany(batch);
      await trial.pending(push, 'pushMany of more than there is room for');
      trial.verifySame(await trial.collect(queue, batch.length), batch);
      await trial.within(push, 'pushMany whose events have all been taken');
    },
  },
];

/** Whether `error` is what misuse is refused with; not by instanceof, for it may be of another realm. */
function isMisuse(error: unknown): boolean {
  return error instanceof Error && ['TypeError', 'RangeError'].includes(error.name);
}

/** Calls as nobody should make them. */
function misuses(trial: Trial, queue: ObservedQueue<unknown>): [string, () => Promise<unknown>][] {
  const wrongOptions: unknown[] = [
    null,
    5,
    { timeoutMs: -1 },
    { timeoutMs: NaN },
    { timeoutMs: '5' },
    { timeoutMs: null },
    { signal: {} },
    { signal: null },
  ];
  const good = trial.event();
  const wrongEvents: unknown[] = [
    null,
    undefined,
    'text',
    { ...good, type: undefined },
    { ...good, type: '' },
    { ...good, type: 5 },
    { ...good, id: '' },
    { ...good, id: 7 },
    { ...good, key: 7 },
    { ...good, time: NaN },
    { ...good, time: '2024-01-01' },
    { ...good, headers: 'a' },
    { ...good, headers: { a: 1 } },
  ];
  const show = (value: unknown): string =>
    JSON.stringify(value, (_, member: unknown) => (Number.isNaN(member) ? 'NaN' : member)) ?? 'undefined';
  const calls: [string, () => Promise<unknown>][] = [];
  for (const wrong of wrongOptions) {
    const options = wrong as WaitOptions;
    calls.push([`push with options ${show(wrong)}`, () => queue.push(trial.event(), options)]);
    calls.push([`pushMany with options ${show(wrong)}`, () => queue.pushMany(trial.events(2), options)]);
    calls.push([`pop with options ${show(wrong)}`, () => queue.pop(options)]);
    calls.push([`popMany with options ${show(wrong)}`, () => queue.popMany(2, options)]);
  }
  for (const wrong of wrongEvents) {
    const event = wrong as EventInput;
    calls.push([`push of ${show(wrong)}`, () => queue.push(event)]);
    calls.push([`pushMany with ${show(wrong)} in the end`, () => queue.pushMany([trial.event(), event])]);
  }
  for (const wrong of [null, undefined, {}, 'ab', 3]) {
    calls.push([`pushMany of ${show(wrong)}`, () => queue.pushMany(wrong as unknown as readonly EventInput[])]);
  }
  for (const wrong of [0, -1, 1.5, NaN, '2', null, undefined]) {
    calls.push([`popMany of at most ${show(wrong)}`, () => queue.popMany(wrong as number, { timeoutMs: 0 })]);
  }
  return calls;
}

/** What calls are aborted with: a reason need not be an error. */
const reasons: readonly unknown[] = [new Error('the reason of the caller'), 'the reason of the caller', 0, null];

async function verifyAbortedBefore(trial: Trial, queue: ObservedQueue<unknown>): Promise<void> {
  const [event] = await trial.push(queue, 1);
  for (const reason of reasons) {
    const options = { signal: AbortSignal.abort(reason), timeoutMs: trial.timing.patienceMs };
    const refused = (call: Promise<unknown>, what: string): Promise<unknown> => {
      const said = `${what} with a signal that was aborted with ${describe(reason)}`;
      return trial.rejects(call, (error) => error === reason, said, 'the reason of the signal');
    };
    await refused(queue.push(trial.event(), options), 'push');
    await refused(queue.pushMany(trial.events(2), options), 'pushMany');
    await refused(queue.pop(options), 'pop');
    await refused(queue.popMany(2, options), 'popMany');
  }
  const deliveries = await trial.collect(queue, 1);
  trial.verifySame(deliveries, [event as QueueEvent]);
}

/** Aborts a call that waits, and then others in the moments after they were made. */
async function verifyAbortedWaiting(
  trial: Trial,
  call: (options: WaitOptions) => Promise<unknown>,
  what: string,
): Promise<void> {
  const moments = ['waiting', 0, 1, 2, 3, 5, 8] as const;
  for (const [place, moment] of moments.entries()) {
    const controller = new AbortController();
    const { signal } = controller;
    const reason = reasons[place % reasons.length];
    const aborted = call({ signal });
    aborted.catch(() => {});
    if (moment === 'waiting') await trial.pending(aborted, what, trial.timing.quietMs);
    else if (moment > 0) await trial.wait(moment);
    controller.abort(reason);
    const settled = trial.within(aborted, `${what} that was aborted`);
    const isReason = (error: unknown): boolean => error === reason;
    const said = `${what} that was aborted with ${describe(reason)}`;
    await trial.rejects(settled, isReason, said, 'the reason of the signal');
    const left = (): number => getEventListeners(signal, 'abort').length;
    await trial.until(() => left() === 0, `that none of ${left()} listeners is left after ${what} was aborted`);
  }
}

/** Aborts pushes for which there is room: what says that it was aborted is not stored, and what resolves is. */
async function verifyAbortedUnderWay(trial: Trial, queue: ObservedQueue<unknown>): Promise<void> {
  /** How often each event has to come; `undefined` if nobody knows whether it is stored. */
  const due = new Map<string, number | undefined>();
  const came: Delivery[] = [];
  for (const moment of [0, 0.5, 1, 2, 4, 8, 16, 32]) {
    const controller = new AbortController();
    const reason = new Error('the reason of the caller');
    const event = trial.event();
    const push = queue.push(event, { signal: controller.signal, timeoutMs: trial.timing.patienceMs });
    if (moment > 0) await trial.wait(moment);
    controller.abort(reason);
    const expected = await push.then(
      () => 1,
      (error: unknown) => {
        trial.verify(
          error === reason || isNqError(error, 'NQ_OUTCOME_UNKNOWN'),
          'push that was aborted rejected otherwise than with the reason of its signal',
        );
        return error === reason ? 0 : undefined;
      },
    );
    due.set(event.id, expected);
    if (expected === 0) continue;
    // There must be room for the next one. What should not be there is seen in the end.
    const delivery = await queue.pop({ timeoutMs: expected === 1 ? trial.timing.patienceMs : trial.timing.quietMs });
    if (delivery === undefined) continue;
    came.push(delivery);
    await delivery.ack();
  }
  came.push(...(await trial.drain(queue)));
  for (const [id, expected] of due) {
    const times = came.filter(({ event }) => event.id === id).length;
    trial.verify(
      expected === undefined ? times <= 1 : times === expected,
      () => `push that was aborted ${expected === 1 ? 'resolved' : 'rejected'}; its event came ${times} times`,
    );
  }
}
