import { type Delivery, type MessageQueue, NqError } from '../../../src/index.ts';
import type { SimulatedBroker } from '../../../src/conformance.ts';
import { changed, type Mutant, withDeliveries, withLeases } from '../mutant.ts';

/** Wrong about acknowledging and giving back. */
export const settleMutants: readonly Mutant[] = [
  {
    name: 'ack-noop',
    wrong: 'ack() resolves, and the backend is not told.',
    driver: (driver, alive) =>
      changed(driver, {
        async ack(receipts) {
          alive();
          return receipts.map(() => true);
        },
      }),
  },
  {
    name: 'ack-of-batch-is-first',
    wrong: 'Of several acknowledgements in one request, only the first one is carried out.',
    driver: (driver, alive) =>
      changed(driver, {
        async ack(receipts) {
          if (receipts.length > 1) alive();
          const [first = false] = await driver.ack(receipts.slice(0, 1));
          return receipts.map((_receipt, index) => index > 0 || first);
        },
      }),
  },
  {
    name: 'nack-reads-names',
    wrong: 'nack() looks which options there are, and not what they say.',
    queue: (queue, alive) =>
      withDeliveries(queue, (delivery) =>
        changed(delivery, {
          nack(options = {}) {
            if (!('deadLetter' in options) || options.deadLetter === true) return delivery.nack(options);
            alive();
            return delivery.nack({ deadLetter: true });
          },
        }),
      ),
  },
  {
    name: 'ack-remembered-here',
    wrong: 'A connection remembers what it has acknowledged, and tells the backend when the event comes again.',
    driver(driver, alive) {
      const ids = new Map<unknown, string>();
      const done = new Set<string>();
      return changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          for (const { receipt, event } of leases) ids.set(receipt, event.id);
          const isDone = ({ event }: (typeof leases)[number]): boolean => done.has(event.id);
          await driver.ack(leases.filter(isDone).map(({ receipt }) => receipt));
          return leases.filter((lease) => !isDone(lease));
        },
        async ack(receipts) {
          alive();
          for (const receipt of receipts) done.add(ids.get(receipt) ?? '');
          return receipts.map(() => true);
        },
      });
    },
  },
  {
    name: 'drop-on-nack',
    wrong: 'What is given back is forgotten.',
    driver: (driver, alive) =>
      changed(driver, {
        async nack(returns) {
          alive();
          return driver.ack(returns.map(({ receipt }) => receipt));
        },
      }),
  },
  {
    name: 'ack-on-receive',
    wrong: 'An event is acknowledged as soon as it arrives; settling it does nothing any more.',
    driver: (driver, alive) =>
      changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          if (leases.length > 0) alive();
          await driver.ack(leases.map(({ receipt }) => receipt));
          return leases;
        },
        ack: async (receipts) => receipts.map(() => true),
        nack: async (returns) => returns.map(() => true),
        extend: async (receipts) => receipts.map(() => true),
      }),
  },
  {
    name: 'nack-of-batch-is-first',
    wrong: 'Of several events that are given back in one request, only the first one is.',
    driver: (driver, alive) =>
      changed(driver, {
        async nack(returns) {
          if (returns.length > 1) alive();
          const [first = false] = await driver.nack(returns.slice(0, 1));
          return returns.map((_back, index) => index > 0 || first);
        },
      }),
  },
  {
    name: 'nack-renames',
    wrong: 'What is given back is pushed as a new event with an id of its own.',
    driver: (driver, alive) =>
      withLeases(driver, ({ event, attempt, ...lease }) => {
        if (attempt > 1) alive();
        return { ...lease, attempt, event: attempt > 1 ? { ...event, id: `${event.id}, again` } : event };
      }),
  },
  {
    name: 'nack-drops-headers',
    wrong: 'What is given back is written again without its headers.',
    driver: (driver, alive) =>
      withLeases(driver, (lease) => {
        const { headers, ...event } = lease.event;
        if (lease.attempt === 1 || headers === undefined) return lease;
        alive();
        return { ...lease, event };
      }),
  },
  {
    name: 'dispose-acks',
    wrong: 'The end of `await using` acknowledges what is not settled.',
    queue: (queue, alive) =>
      withDeliveries(queue, (delivery) =>
        changed(delivery, {
          async [Symbol.asyncDispose]() {
            alive();
            // One that was given back stays given back.
            await delivery.ack().catch(() => {});
          },
        }),
      ),
  },
  {
    name: 'attempt-stuck',
    wrong: 'Every hand-out is the first one.',
    driver: (driver, alive) =>
      withLeases(driver, (lease) => {
        if (lease.attempt > 1) alive();
        return { ...lease, attempt: 1 };
      }),
  },
  {
    name: 'attempt-from-zero',
    wrong: 'Attempts are counted from 0.',
    queue: (queue, alive) =>
      withDeliveries(queue, (delivery) => {
        alive();
        return changed(delivery, { attempt: delivery.attempt - 1 });
      }),
  },
  {
    name: 'attempt-uncounted-lease',
    wrong: 'Attempts are counted when an event is given back: a lease that ends does not count.',
    driver(driver, alive, broker) {
      const uncounted = uncountedOf(broker);
      const held = heldOf(broker);
      const counting = withLeases(driver, (lease) => {
        const { id } = lease.event;
        if (held.has(id)) {
          alive();
          uncounted.set(id, (uncounted.get(id) ?? 0) + 1);
        }
        held.set(id, lease.receipt);
        return { ...lease, attempt: lease.attempt - (uncounted.get(id) ?? 0) };
      });
      return changed(counting, {
        async nack(returns) {
          const answers = await driver.nack(returns);
          const returned = new Set(returns.filter((_back, index) => answers[index]).map(({ receipt }) => receipt));
          for (const [id, receipt] of held) if (returned.has(receipt)) held.delete(id);
          return answers;
        },
      });
    },
  },
  {
    name: 'attempt-uncounted-close',
    wrong: 'What close() gives back is put back as if it had not been handed out.',
    queue(queue, alive, broker) {
      const uncounted = uncountedOf(broker);
      const open = new Set<string>();
      const closing = changed(queue, {
        close(options) {
          for (const id of open) {
            alive();
            uncounted.set(id, (uncounted.get(id) ?? 0) + 1);
          }
          return queue.close(options);
        },
      });
      return withDeliveries(closing, (delivery) => {
        const { id } = delivery.event;
        open.add(id);
        return changed(delivery, {
          attempt: delivery.attempt - (uncounted.get(id) ?? 0),
          async ack() {
            await delivery.ack();
            open.delete(id);
          },
          async nack(options) {
            await delivery.nack(options);
            open.delete(id);
          },
        });
      });
    },
  },
  {
    name: 'double-ack-throws',
    wrong: 'A second ack() rejects.',
    queue: (queue, alive) =>
      withSettlements(queue, (delivery, asked) => ({
        async ack() {
          if (asked.includes('ack')) {
            alive();
            throw new NqError('NQ_ALREADY_SETTLED', 'Cannot ack: it was done before');
          }
          return delivery.ack();
        },
      })),
  },
  {
    name: 'nack-after-ack-resurrects',
    wrong: 'nack() after ack() is refused, and puts the event back all the same.',
    queue: (queue, alive) =>
      withSettlements(queue, (delivery, asked) => ({
        async nack(options) {
          if (asked[0] === 'ack') {
            alive();
            await queue.push(delivery.event);
          }
          return delivery.nack(options);
        },
      })),
  },
  {
    name: 'contradiction-silent',
    wrong: 'A settlement that contradicts the first one resolves as if it had been carried out.',
    queue: (queue, alive) =>
      withSettlements(queue, (delivery, asked) => ({
        async ack() {
          if (asked[0] !== 'nack') return delivery.ack();
          alive();
        },
        async nack(options) {
          if (asked[0] !== 'ack') return delivery.nack(options);
          alive();
        },
      })),
  },
  {
    name: 'ack-after-nack-removes',
    wrong: 'ack() after nack() is refused, and removes the event from whoever has it by now.',
    queue(queue, alive) {
      const latest = new Map<string, Delivery>();
      return withSettlements(queue, (delivery, asked) => {
        latest.set(delivery.event.id, delivery);
        return {
          async ack() {
            const holder = latest.get(delivery.event.id);
            if (asked[0] === 'nack' && holder !== delivery) {
              alive();
              await holder?.ack();
            }
            return delivery.ack();
          },
        };
      });
    },
  },
  {
    name: 'double-nack-duplicates',
    wrong: 'A second nack() puts the event back a second time.',
    queue: (queue, alive) =>
      withSettlements(queue, (delivery, asked) => ({
        async nack(options) {
          if (asked[0] === 'nack') {
            alive();
            await queue.push(delivery.event);
          }
          return delivery.nack(options);
        },
      })),
  },
  {
    name: 'double-nack-steals',
    wrong: 'A second nack() gives the event back on behalf of whoever has it by now.',
    queue(queue, alive) {
      const latest = new Map<string, Delivery>();
      return withSettlements(queue, (delivery, asked) => {
        latest.set(delivery.event.id, delivery);
        return {
          async nack(options) {
            const holder = latest.get(delivery.event.id);
            if (asked[0] === 'nack' && holder !== delivery) {
              alive();
              await holder?.nack(options);
            }
            return delivery.nack(options);
          },
        };
      });
    },
  },
  {
    name: 'dispose-returns-acked',
    wrong: 'The end of `await using` puts an event back that was acknowledged.',
    queue: (queue, alive) =>
      withSettlements(queue, (delivery, asked) => ({
        async [Symbol.asyncDispose]() {
          if (asked[0] !== 'ack') return delivery[Symbol.asyncDispose]();
          alive();
          await queue.push(delivery.event);
        },
      })),
  },
  {
    name: 'cumulative-ack',
    wrong: 'An acknowledgement counts for everything that was handed out before on the same connection.',
    driver(driver, alive) {
      const held: unknown[] = [];
      return changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          held.push(...leases.map(({ receipt }) => receipt));
          return leases;
        },
        async ack(receipts) {
          const upTo = Math.max(...receipts.map((receipt) => held.indexOf(receipt)));
          const before = held.splice(0, upTo + 1).filter((receipt) => !receipts.includes(receipt));
          if ((await driver.ack(before)).includes(true)) alive();
          return driver.ack(receipts);
        },
        async nack(returns) {
          for (const { receipt } of returns) held.splice(held.indexOf(receipt), 1);
          return driver.nack(returns);
        },
      });
    },
  },
  {
    name: 'nack-returns-all',
    wrong: 'Giving one event back gives everything back that the connection has.',
    driver(driver, alive) {
      const held = new Set<unknown>();
      return changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          for (const { receipt } of leases) held.add(receipt);
          return leases;
        },
        async ack(receipts) {
          for (const receipt of receipts) held.delete(receipt);
          return driver.ack(receipts);
        },
        async nack(returns) {
          for (const { receipt } of returns) held.delete(receipt);
          if (held.size > 0) alive();
          const others = [...held].map((receipt) => ({ receipt, delayMs: 0, reason: '', deadLetter: false }));
          held.clear();
          const answers = await driver.nack([...returns, ...others]);
          return answers.slice(0, returns.length);
        },
      });
    },
  },
];

/** What a delivery was asked for before. */
type Asked = ('ack' | 'nack')[];

/** `queue`, with deliveries that settle otherwise. @param change is given the delivery and what it was asked for. */
function withSettlements(
  queue: MessageQueue,
  change: (delivery: Delivery, asked: Asked) => Partial<Delivery>,
): MessageQueue {
  return withDeliveries(queue, (delivery) => {
    const asked: Asked = [];
    const wrong = changed(delivery, change(delivery, asked));
    const noting = (what: 'ack' | 'nack', call: () => Promise<void>): Promise<void> => {
      // Only what came before decides: it is noted afterwards.
      const answer = call();
      asked.push(what);
      return answer;
    };
    return changed(wrong, {
      ack: () => noting('ack', () => wrong.ack()),
      nack: (options) => noting('nack', () => wrong.nack(options)),
    });
  });
}

/** By how much the attempts of each event are told too low, over all connections of a broker. */
const uncountedEvents = new WeakMap<SimulatedBroker, Map<string, number>>();

export function uncountedOf(broker: SimulatedBroker): Map<string, number> {
  if (!uncountedEvents.has(broker)) uncountedEvents.set(broker, new Map());
  return uncountedEvents.get(broker) as Map<string, number>;
}

/** The receipt with which each event was handed out last, over all connections of a broker, until it is given back. */
const heldEvents = new WeakMap<SimulatedBroker, Map<string, unknown>>();

function heldOf(broker: SimulatedBroker): Map<string, unknown> {
  const known = heldEvents.get(broker) ?? new Map<string, unknown>();
  heldEvents.set(broker, known);
  return known;
}
