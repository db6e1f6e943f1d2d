import type { Delivery, MessageQueue } from '../../../src/index.ts';
import { isNqError } from '../../../src/index.ts';
import { changed, type Mutant } from '../mutant.ts';

/** Wrong about loops over a queue. */
export const iterateMutants: readonly Mutant[] = [
  {
    name: 'break-acknowledges',
    wrong: 'A loop that is left acknowledges what it had.',
    queue: (queue, alive) =>
      withLeaving(queue, async (delivery) => {
        alive();
        await delivery.ack();
      }),
  },
  {
    name: 'break-gives-back',
    wrong: 'A loop that is left gives back what it had.',
    queue: (queue, alive) =>
      withLeaving(queue, async (delivery) => {
        alive();
        await delivery.nack();
      }),
  },
  {
    name: 'break-closes',
    wrong: 'A loop that is left closes the queue.',
    queue: (queue, alive) =>
      withLeaving(queue, async () => {
        alive();
        await queue.close();
      }),
  },
  {
    name: 'iterator-fetches-ahead',
    wrong: 'A loop pops the next event while it hands out one.',
    queue: (queue, alive) =>
      changed(queue, {
        async *[Symbol.asyncIterator]() {
          let next = popped(queue, () => {});
          for (;;) {
            const delivery = await next;
            if (delivery === undefined) return;
            next = popped(queue, alive);
            yield delivery;
          }
        },
      }),
  },
  {
    name: 'sticky-empty',
    wrong: 'Who finds nothing does not ask again for a while, unless told to wait.',
    driver(driver, alive, { clock }) {
      let emptyUntil = -Infinity;
      return changed(driver, {
        async pop(max, waitMs, signal) {
          if (waitMs === 0 && clock.now() < emptyUntil) {
            alive();
            return [];
          }
          const leases = await driver.pop(max, waitMs, signal);
          if (leases.length === 0) emptyUntil = clock.now() + 100;
          return leases;
        },
      });
    },
  },
];

/** `queue`, with loops that do something when they are left at a delivery. */
function withLeaving(queue: MessageQueue, leave: (delivery: Delivery) => Promise<void>): MessageQueue {
  return changed(queue, {
    async *[Symbol.asyncIterator]() {
      for await (const delivery of queue) {
        let goesOn = false;
        try {
          yield delivery;
          goesOn = true;
        } finally {
          if (!goesOn) await leave(delivery);
        }
      }
    },
  });
}

/** What a pop brings; `undefined` once the queue is closed. */
async function popped(queue: MessageQueue, came: () => void): Promise<Delivery | undefined> {
  try {
    const delivery = await queue.pop();
    came();
    return delivery;
  } catch (error) {
    if (isNqError(error, 'NQ_CLOSED')) return undefined;
    throw error;
  }
}
