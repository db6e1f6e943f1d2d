import type { Delivery } from '../../queue.ts';
import { describeError } from '../journal.ts';
import { needs, type Requirement, type Rule } from '../rule.ts';
import type { Trial } from '../trial.ts';
import { longLeaseMs } from './full-queue.ts';
import { secondOf } from './pop.ts';

const exactSize: Requirement = {
  text: 'size: exact',
  capabilities: ['size'],
  holds: ({ size }) => size === 'exact',
};

/** §2: taking events out with a loop, and without waiting. */
export const iterateRules: readonly Rule[] = [
  {
    id: '2.9',
    slug: 'loops-take-one-by-one',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    text: 'A `for await` over the queue takes one event for each round and settles none: after a `break` the queue is open, the last delivery is still its holder’s, and the next event is there for the next pop.',
    why: 'A loop that acknowledges what it leaves loses the event whose handling failed; one that fetches ahead takes an event for nobody, who keeps it until its lease ends.',
    checkFirst:
      'Does the iterator call pop only when it is asked for the next one, and has it nothing to do in return()?',
    mutants: ['break-acknowledges', 'break-gives-back', 'break-closes', 'iterator-fetches-ahead'],
    async run(trial) {
      const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
      const [one, two] = await trial.push(queue, 2);
      const ids = new Set([one?.id, two?.id]);
      let held: Delivery | undefined;
      const loop = async (): Promise<void> => {
        // Not the observed queue, whose iterator is the kit's own.
        for await (const delivery of queue.raw) {
          held = delivery;
          break;
        }
      };
      await trial.within(loop(), 'a loop that takes one event and breaks');
      trial.verify(held !== undefined, 'a loop over a queue with two events ended without any');
      const mine = held as unknown as Delivery;
      const { event } = mine;
      trial.verify(ids.delete(event.id), 'another event came than those that were pushed');
      trial.verify(!mine.signal.aborted, 'the delivery was lost when its loop was left');
      // What the loop has given back would be the older one, or come after it.
      const next = await trial.take(queue, 'the event behind the one that a loop took before it was left');
      trial.verify(ids.has(next.event.id), 'the event of the loop came again although nobody gave it back');
      await trial.nothing(queue, 'it was handed out by a loop, and was not given back');
      const sentinel = trial.event();
      await queue.push(sentinel);
      if (needs.individualAck.holds(trial.capabilities)) {
        await settled(trial, mine.nack(), 'nack');
        const came = [
          await trial.take(queue, 'an event'),
          await trial.take(queue, 'the event of the loop, given back,'),
        ];
        const expected = [event.id, sentinel.id].toSorted();
        trial.verify(
          came
            .map((delivery) => delivery.event.id)
            .toSorted()
            .join() === expected.join(),
          'the event of the loop was not there when its holder gave it back',
        );
        for (const delivery of [next, ...came]) await delivery.ack();
      } else {
        await settled(trial, mine.ack(), 'ack');
        await next.ack();
        await (await trial.take(queue, 'the event that was pushed after the loop was left')).ack();
      }
      await trial.nothing(queue, 'every event is settled');
    },
  },
  {
    id: '2.10',
    slug: 'ready-is-there',
    level: 'MUST',
    claim: 'core',
    tier: 'standard',
    requires: exactSize,
    text: 'What an exact size counts as ready is there for a pop that does not wait, on every connection, also if that has found nothing just before.',
    why: 'A script that works until the queue is empty, or a scaler that starts workers by the count, finds nothing where there is something, and goes.',
    checkFirst: 'Is an empty answer remembered, or taken from a buffer that is filled later, instead of asked for?',
    mutants: ['sticky-empty'],
    async run(trial) {
      const queue = await trial.open({ leaseMs: longLeaseMs(trial) });
      // Where events are divided among connections, what is ready may be there for one of them only.
      const other = needs.order.holds(trial.capabilities) ? await secondOf(trial, queue) : queue;
      for (const pop of [
        () => other.pop({ timeoutMs: 0 }),
        async () => (await other.popMany(3, { timeoutMs: 0 }))[0],
      ]) {
        await trial.nothing(other, 'nothing was pushed', 0);
        const [event] = await trial.push(queue, 1);
        await trial.until(async () => (await other.size()).ready > 0, 'that an event is counted which is there');
        const delivery = await pop();
        trial.verify(
          delivery !== undefined && delivery.event.id === event?.id,
          'one event was counted as ready, and a pop with timeoutMs 0 found nothing',
        );
        await delivery?.ack();
      }
    },
  },
];

/** A delivery that a loop handed out is settled by its holder: it is not an observed one. */
async function settled(trial: Trial, settling: Promise<void>, verb: string): Promise<void> {
  const failed = await trial.within(
    settling.then(() => undefined, describeError),
    `${verb} of the delivery of a loop`,
  );
  trial.verify(failed === undefined, `${verb} of the delivery of a loop that was left rejected ${failed}`);
}
