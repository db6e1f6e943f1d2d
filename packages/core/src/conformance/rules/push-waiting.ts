import { isNqError, type NqErrorCode } from '../../errors.ts';
import type { QueueEvent } from '../../event.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { fill, openFull } from './full-queue.ts';
import { granularityMs } from './returned.ts';

/** A time limit that rules give, in milliseconds. */
const limitMs = 60;
/** Some weeks: one more than `setTimeout` can count, which fires at once then. */
const longMs = 2 ** 31;

/** §1: how long a push waits, and what is certain afterwards. */
export const pushWaitingRules: readonly Rule[] = [
  {
    id: '1.5',
    slug: 'push-waits-for-room',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    requires: needs.capacity,
    text: 'A push waits while the queue is full, and its event is stored as soon as there is room.',
    why: 'A bound that does not hold is found when memory runs out; a wake-up that is missed stops a producer for good although the queue is empty.',
    checkFirst:
      'Is room counted in the same atomic step as the event is stored, and is every pop followed by another try?',
    mutants: ['unbounded', 'lost-wakeup-push', 'swallows-full', 'full-batch-loses-rest'],
    async run(trial) {
      const { queue, events } = await openFull(trial, 3);
      const late = trial.events(3);
      const pushes = late.slice(0, 2).map((event) => queue.push(event));
      pushes.push(queue.pushMany(late.slice(2)));
      for (const push of pushes) await trial.pending(push, 'push to a full queue', trial.timing.quietMs / 3);
      const count = events.length + late.length;
      const deliveries = await trial.collect(queue, count);
      await Promise.all(pushes.map((push) => trial.within(push, 'a push that waited for room which there is now')));
      trial.verifySame(deliveries, [...events, ...late], false);
    },
    async otherwise(trial) {
      const queue = await trial.open({ capacity: 3 });
      trial.verify(queue.capacity === Infinity, () => `capacity is ${queue.capacity}, and none is declared`);
      const events = await trial.push(queue, 20);
      trial.verifySame(await trial.collect(queue, events.length), events, false);
    },
  },
  {
    id: '1.6',
    slug: 'time-limits-hold',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'A call that was given a time limit ends when it is over and not before: a push rejects NQ_TIMEOUT, a pop resolves nothing.',
    why: 'A limit that does not fire hangs a request of a user; one that fires early turns a queue that is a little slow into errors.',
    checkFirst: 'Is the limit handed on to everything that the call waits for, and counted from the call?',
    mutants: [
      'limit-never-fires',
      'limit-fires-early',
      'limit-overflows',
      'pop-timeout-rejects',
      'push-timeout-resolves',
    ],
    async run(trial) {
      const bounded = needs.capacity.holds(trial.capabilities);
      const queue = await trial.open({ capacity: 2 });
      const timed = async (what: string, call: () => Promise<unknown>): Promise<void> => {
        const tookMs = await trial.time(call);
        trial.verify(tookMs >= limitMs - granularityMs, () => `${what} ended after ${tookMs} ms of ${limitMs}`);
      };
      await timed('pop of an empty queue', async () => {
        const delivery = await queue.pop({ timeoutMs: limitMs });
        trial.verify(delivery === undefined, 'pop of an empty queue resolved a delivery');
      });
      await timed('popMany of an empty queue', async () => {
        const deliveries = await queue.popMany(3, { timeoutMs: limitMs });
        trial.verify(
          Array.isArray(deliveries) && deliveries.length === 0,
          'popMany of an empty queue resolved no empty array',
        );
      });
      const patient: [string, (timeoutMs: number) => Promise<unknown>][] = [
        ['pop of an empty queue', async (timeoutMs) => void (await (await queue.pop({ timeoutMs }))?.ack())],
        [
          'popMany of an empty queue',
          async (timeoutMs) => void (await (await queue.popMany(1, { timeoutMs }))[0]?.ack()),
        ],
      ];
      for (const [what, pop] of patient) {
        const waiting = pop(longMs);
        await trial.pending(waiting, `${what} with a timeoutMs of ${longMs}`);
        await queue.push(trial.event());
        await trial.within(waiting, `${what} with a timeoutMs of ${longMs}, into which an event was pushed,`);
      }
      if (!bounded) return;
      const events = await fill(trial, queue);
      const late: [string, () => Promise<void>][] = [
        ['push to a full queue', () => queue.push(trial.event(), { timeoutMs: limitMs })],
        ['pushMany to a full queue', () => queue.pushMany(trial.events(2), { timeoutMs: limitMs })],
      ];
      for (const [what, push] of late) {
        await timed(what, () => trial.rejects(push(), outOfTime(trial, 'NQ_TIMEOUT'), what));
      }
      const more = trial.events(2);
      const waiting = [
        queue.push(more[0] as QueueEvent, { timeoutMs: longMs }),
        queue.pushMany(more.slice(1), { timeoutMs: longMs }),
      ];
      await trial.pending(Promise.race(waiting), `push to a full queue with a timeoutMs of ${longMs}`);
      await trial.collect(queue, events.length + more.length);
      for (const push of waiting) await trial.within(push, 'a push that waited for room which there is now');
    },
  },
  {
    id: '1.7',
    slug: 'refused-is-not-stored',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: needs.capacity,
    looksAt: ['definiteTimeout'],
    text: 'A push that ran out of time has stored nothing and never will, unless it says NQ_OUTCOME_UNKNOWN, which a queue with definiteTimeout never does.',
    why: 'The producer tries again or tells its user that the order failed; the event that comes all the same is an order that is shipped twice.',
    checkFirst: 'Is the write taken back when the limit fires, and is the answer of one that is under way waited for?',
    mutants: ['zombie-push', 'refused-but-written', 'claims-definite-timeout'],
    async run(trial) {
      const { queue, events } = await openFull(trial, 2);
      const certain: QueueEvent[] = [...events];
      const possible = new Set<QueueEvent>();
      const came: QueueEvent[] = [];
      const attempt = async (event: QueueEvent, timeoutMs: number): Promise<void> => {
        try {
          await queue.push(event, { timeoutMs });
          certain.push(event);
        } catch (error) {
          const codes = outOfTime(trial, timeoutMs === 0 ? 'NQ_FULL' : 'NQ_TIMEOUT');
          const right = codes.some((code) => isNqError(error, code));
          trial.verify(right, () => `push that ran out of time rejected otherwise than with ${codes.join(' or ')}`);
          if (isNqError(error, 'NQ_OUTCOME_UNKNOWN')) possible.add(event);
        }
      };
      for (let round = 0; round < 12; round++) {
        const tries = [0, 1, 10].map((timeoutMs) => attempt(trial.event(), timeoutMs));
        // In half of the rounds room comes while the limit fires.
        if (round % 2 === 1) {
          await trial.wait(trial.random() * 12);
          const delivery = await trial.take(queue);
          came.push(delivery.event);
          await delivery.ack();
        }
        await Promise.all(tries);
      }
      const left = certain.length - came.length;
      came.push(...(await trial.collect(queue, left)).map(({ event }) => event));
      const counts = new Map<string, number>();
      for (const { id } of came) counts.set(id, (counts.get(id) ?? 0) + 1);
      const name = (id: string): string => trial.journal.nameOf(id);
      for (const { id } of certain) {
        trial.verify(counts.get(id) === 1, () => `${name(id)} was accepted and came ${counts.get(id) ?? 0} times`);
        counts.delete(id);
      }
      for (const { id } of possible) counts.delete(id);
      const [ghost] = counts.keys();
      trial.verify(ghost === undefined, () => `${name(ghost as string)} came although its push had run out of time`);
    },
  },
  {
    id: '1.8',
    slug: 'zero-tries-once',
    level: 'MUST',
    claim: 'core',
    tier: 'smoke',
    text: 'timeoutMs 0 tries once and does not wait: a push to a full queue rejects NQ_FULL, a pop of an empty one resolves nothing, and each works where it can.',
    why: 'Zero is false in JavaScript, and means "for ever" to many clients (BRPOP 0): a poll becomes a hang.',
    checkFirst:
      'Is timeoutMs compared with undefined, instead of tested for its truth, and never handed to the client as it is?',
    mutants: ['zero-is-infinite', 'zero-full-is-timeout', 'zero-never-finds', 'zero-never-stores'],
    async run(trial) {
      const bounded = needs.capacity.holds(trial.capabilities);
      const queue = await trial.open({ capacity: 2 });
      const nothing = await queue.pop({ timeoutMs: 0 });
      trial.verify(nothing === undefined, 'pop of an empty queue resolved a delivery');
      const none = await queue.popMany(2, { timeoutMs: 0 });
      trial.verify(none.length === 0, 'popMany of an empty queue resolved a delivery');
      const [one, two] = [trial.event(), trial.event()];
      await queue.push(one, { timeoutMs: 0 });
      await queue.pushMany([two], { timeoutMs: 0 });
      const found: QueueEvent[] = [];
      for (const pop of [
        () => queue.pop({ timeoutMs: 0 }),
        async () => (await queue.popMany(1, { timeoutMs: 0 }))[0],
      ]) {
        // One try may come before the event is visible; not every one.
        await trial.until(async () => {
          const delivery = await pop();
          if (delivery !== undefined) found.push(delivery.event);
          await delivery?.ack();
          return delivery !== undefined;
        }, 'that a pop with timeoutMs 0 finds an event that is there');
      }
      const ids = new Set(found.map(({ id }) => id));
      trial.verify(ids.has(one.id) && ids.has(two.id), 'other events came than those that were pushed');
      if (!bounded) return;
      const full = await fill(trial, queue);
      const refused = outOfTime(trial, 'NQ_FULL');
      await trial.rejects(
        queue.push(trial.event(), { timeoutMs: 0 }),
        refused,
        'push with timeoutMs 0 to a full queue',
      );
      const many = queue.pushMany(trial.events(2), { timeoutMs: 0 });
      await trial.rejects(many, refused, 'pushMany with timeoutMs 0 to a full queue');
      trial.verifySame(await trial.collect(queue, full.length), full);
    },
  },
];

/** With what a push may reject that ran out of time. */
function outOfTime({ capabilities }: Trial, code: NqErrorCode): readonly NqErrorCode[] {
  // What waits behind a request that has no answer may be told so: it is not stored either.
  return capabilities.definiteTimeout ? [code] : [code, 'NQ_OUTCOME_UNKNOWN', 'NQ_UNAVAILABLE'];
}
