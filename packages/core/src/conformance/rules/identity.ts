import { isDeepStrictEqual } from 'node:util';
import type { EventInput } from '../../event.ts';
import type { Delivery, MessageQueue } from '../../queue.ts';
import { describeError } from '../journal.ts';
import type { ObservedQueue } from '../observed-queue.ts';
import { needs, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { trialType } from '../trial-parts.ts';
import { longLeaseMs } from './full-queue.ts';
import { secondOf } from './pop.ts';

/** Days and years of time, in milliseconds. */
const dayMs = 86_400_000;
const yearMs = 365 * dayMs;

/** §1: what the id and the time of an event are to the queue, and what they are not. */
export const identityRules: readonly Rule[] = [
  {
    id: '1.14',
    slug: 'time-is-only-carried',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: "An event's `time` says when it happened and changes nothing in the queue: events come in the order of their pushes, and how long they have waited is counted from the push.",
    why: 'A producer that sends what happened yesterday, or whose clock is wrong, overtakes everybody in a queue that sorts by it, and sets off every alarm on old events in one that counts their age from it.',
    checkFirst: 'Is there a number of the backend to sort by, and is the moment of the push kept besides the event?',
    mutants: ['orders-by-time', 'waits-since-time', 'waits-since-time-clamped', 'ages-since-time'],
    async run(trial) {
      const queue = await trial.open({ capacity: 8, leaseMs: longLeaseMs(trial) });
      const now = trial.clock.date();
      const times = [now + yearMs, now + dayMs, now, now - dayMs, now - 5 * yearMs, 0].slice(0, queue.capacity);
      const events = times.map((time) => trial.event({ time, key: 'clock' }));
      const began = trial.clock.now();
      for (const event of events) await queue.push(event);
      // The clock of a backend may be off by seconds; the times are off by days.
      const verifyAge = (ageMs: number, what: string): void => {
        const most = trial.clock.now() - began + trial.timing.patienceMs;
        trial.verify(
          ageMs >= 0 && ageMs <= most,
          () => `${what} is ${Math.round(ageMs)} ms, ${Math.round(trial.clock.now() - began)} ms after the first push`,
        );
      };
      const deliveries: Delivery[] = [];
      while (deliveries.length < events.length) {
        if (needs.size.holds(trial.capabilities)) verifyAge((await queue.size()).oldestAgeMs, 'oldestAgeMs');
        const delivery = await trial.take(queue);
        deliveries.push(delivery);
        const { waitedMs } = delivery;
        if (waitedMs !== undefined) verifyAge(waitedMs, `waitedMs of ${trial.show(delivery)}`);
        await delivery.ack();
      }
      trial.verifySame(deliveries, events, needs.orderByKey.holds(trial.capabilities));
    },
  },
  {
    id: '1.15',
    slug: 'ids-are-opaque',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'An id is a name and nothing else: whatever characters are in it, it comes out as it was given, and two events in flight are settled each on its own.',
    why: "Ids come from other systems: 'urn:order:7' in a receipt that is taken apart at its colons acknowledges another delivery, and '007' that becomes a number is another id.",
    checkFirst: 'Is an id ever parsed, or written into a text that is taken apart again?',
    mutants: ['id-becomes-a-number', 'receipt-is-split'],
    async run(trial) {
      const queue = await trial.open({ capacity: 4, leaseMs: longLeaseMs(trial) });
      for (const [one, other] of [
        ['urn:order:1', 'urn:order:2'],
        ['shop/7/orders', 'shop/7/order s'],
        ['007', '1e3'],
        ['__proto__', 'constructor'],
        ['a|b,c;d', 'a|b,c;d\n'],
        ['*', '%00"\\'],
      ] as const) {
        const events = [trial.event({ id: one }), trial.event({ id: other })];
        const held: Delivery[] = [];
        for (const event of events) {
          await queue.push(event);
          held.push(await trial.take(queue, `the event ${JSON.stringify(event.id)}`));
        }
        trial.verifySame(held, events);
        const [first, second] = held as [Delivery, Delivery];
        await first.ack();
        const failed = await second.nack().then(() => undefined, describeError);
        trial.verify(
          failed === undefined,
          () => `${JSON.stringify(one)} was acknowledged, and the nack of ${JSON.stringify(other)} rejected ${failed}`,
        );
        const again = await trial.take(queue, `the event ${JSON.stringify(second.event.id)}, which was given back,`);
        trial.verifySame([again], [second.event]);
        await again.ack();
      }
      await trial.nothing(queue, 'every event is settled');
    },
  },
  {
    id: '1.16',
    slug: 'ids-are-made',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'An event without an id gets one that no other has, whoever pushes at the same moment, and what was given to push or pushMany stays as it was.',
    why: 'Two events of one id are one event to whoever looks for repetitions: one of two orders is never shipped. And a producer that pushes the same object again and again gives all of them the id of the first.',
    checkFirst: 'Is an id made of more than a clock or a counter, and written into a copy?',
    mutants: ['ids-by-date', 'ids-by-counter', 'id-written-into-input'],
    async run(trial) {
      const queue = await trial.open({ capacity: 16, leaseMs: longLeaseMs(trial) });
      const other = await secondOf(trial, queue);
      trial.expectStrangers();
      // At the same time, for there may be room for a few only.
      const [pushed, deliveries] = await Promise.all([
        pushNameless(trial, queue, other),
        trial.collect(queue, nameless),
      ]);
      const ids = deliveries.map(({ event }) => event.id);
      trial.verify(ids.length === pushed, () => `${pushed} events without an id were pushed, and ${ids.length} came`);
      trial.verify(
        ids.every((id) => typeof id === 'string' && id !== ''),
        'an event that was pushed without an id came without one',
      );
      const different = new Set(ids).size;
      trial.verify(different === pushed, () => `${pushed} events that were pushed without an id have ${different} ids`);
    },
  },
];

/** How many events without an id are pushed. */
const nameless = 7;

/** Pushes events without an id on both connections at one moment, and looks at what was given. @returns how many. */
async function pushNameless(
  trial: Trial,
  queue: ObservedQueue<unknown>,
  other: MessageQueue<unknown>,
): Promise<number> {
  const make = (): EventInput => ({ type: trialType, data: trial.event().data, headers: { shade: 'blue' } });
  const inputs = [make(), make(), make(), make(), make()];
  const copies = inputs.map((input) => ({ ...input, headers: { ...input.headers } }));
  const [one, two, three, ...rest] = inputs as [EventInput, EventInput, EventInput, ...EventInput[]];
  await Promise.all([queue.push(one), other.push(two), queue.push(three), other.pushMany(rest)]);
  for (const [place, input] of inputs.entries()) {
    trial.verify(
      isDeepStrictEqual(Object.keys(input), Object.keys(copies[place] as EventInput)) &&
        isDeepStrictEqual({ ...input.headers }, copies[place]?.headers),
      () => `push has changed what it was given: its members are ${Object.keys(input).join(', ')} now`,
    );
  }
  // Nobody can write into these, and nobody has to.
  const frozen = [make(), make()].map((input) => Object.freeze({ ...input, headers: Object.freeze(input.headers) }));
  await queue.push(frozen[0] as EventInput);
  await queue.pushMany(Object.freeze(frozen.slice(1)));
  return inputs.length + frozen.length;
}
