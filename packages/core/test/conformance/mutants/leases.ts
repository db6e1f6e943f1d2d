import { isNqError, type Delivery, type LeasedEvent, type MessageQueue, NqError } from '../../../src/index.ts';
import type { SimulatedBroker } from '../../../src/conformance.ts';
import { changed, type Mutant, withDeliveries, withLeases } from '../mutant.ts';
import { uncountedOf } from './settle.ts';

/** How long never is, in milliseconds: longer than any rule lives. */
const neverMs = 1_000_000_000;

/** Wrong about leases, and about from when on an acknowledgement counts. */
export const leaseMutants: readonly Mutant[] = [
  {
    name: 'lease-early',
    wrong: 'The lease ends after half its time.',
    driver: (driver, alive) =>
      changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          const { lease } = driver.capabilities;
          if (leases.length === 0 || lease === false) return leases;
          alive();
          const receipts = leases.map(({ receipt }) => receipt);
          await driver.extend?.(receipts, lease.ms / 2);
          return leases;
        },
      }),
  },
  {
    name: 'lease-never',
    wrong: 'As long as their connection lives, leases do not end.',
    driver: (driver, alive) =>
      changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          if (leases.length === 0) return leases;
          alive();
          const receipts = leases.map(({ receipt }) => receipt);
          await driver.extend?.(receipts, neverMs);
          return leases;
        },
      }),
  },
  {
    name: 'lease-end-untold',
    wrong: 'The signal of a delivery never aborts.',
    queue: (queue, alive) =>
      withDeliveries(queue, (delivery) => {
        delivery.signal.addEventListener('abort', alive, { once: true });
        return changed(delivery, { signal: new AbortController().signal });
      }),
  },
  {
    name: 'late-ack-accepted',
    wrong: 'An acknowledgement after the end of the lease counts, if nobody else has the event yet.',
    queue: (queue, alive) =>
      withLateSettlements(queue, async (delivery, verb, refuse) => {
        const again = verb === 'ack' ? await queue.pop({ timeoutMs: 0 }) : undefined;
        if (again?.event.id !== delivery.event.id) {
          await again?.nack();
          return refuse();
        }
        alive();
        return again.ack();
      }),
  },
  {
    name: 'stale-ack-silent',
    wrong: 'A settlement after the end of the lease does nothing, and resolves.',
    queue: (queue, alive) => withLateSettlements(queue, async () => alive()),
  },
  {
    name: 'stale-ack-by-id',
    wrong:
      'A late acknowledgement is refused, and removes the event all the same: it names the event, not the hand-out.',
    driver(driver, alive, broker) {
      const { ids, latest } = handOutsOf(broker);
      return changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          for (const { receipt, event } of leases) {
            ids.set(receipt, event.id);
            latest.set(event.id, receipt);
          }
          return leases;
        },
        async ack(receipts) {
          const answers = await driver.ack(receipts);
          const stale = receipts.filter((_receipt, index) => answers[index] === false);
          const others = stale.map((receipt) => latest.get(ids.get(receipt) ?? ''));
          if ((await driver.ack(others)).includes(true)) alive();
          return answers;
        },
      });
    },
  },
  {
    name: 'stale-nack-by-id',
    wrong: 'A late nack is refused, and gives the event back all the same: it names the event, not the hand-out.',
    driver(driver, alive, broker) {
      const { ids, latest } = handOutsOf(broker);
      return changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          for (const { receipt, event } of leases) {
            ids.set(receipt, event.id);
            latest.set(event.id, receipt);
          }
          return leases;
        },
        async nack(returns) {
          const answers = await driver.nack(returns);
          const stale = returns.filter((_back, index) => answers[index] === false);
          const others = stale.map((back) => ({ ...back, receipt: latest.get(ids.get(back.receipt) ?? '') }));
          if ((await driver.nack(others)).includes(true)) alive();
          return answers;
        },
      });
    },
  },
  {
    name: 'extend-noop',
    wrong: 'extend() resolves, and the lease is never renewed.',
    driver: (driver, alive) =>
      changed(driver, {
        async extend(receipts) {
          alive();
          return receipts.map(() => true);
        },
      }),
  },
  {
    name: 'extend-works-once',
    wrong: 'A lease is renewed once; a second extend() does nothing.',
    driver(driver, alive) {
      const renewed = new Set<unknown>();
      return changed(driver, {
        async extend(receipts, ms) {
          const fresh = receipts.filter((receipt) => !renewed.has(receipt));
          if (fresh.length < receipts.length) alive();
          for (const receipt of fresh) renewed.add(receipt);
          const answers = (await driver.extend?.(fresh, ms)) ?? [];
          return receipts.map((receipt) => !fresh.includes(receipt) || answers[fresh.indexOf(receipt)] === true);
        },
      });
    },
  },
  {
    name: 'extend-for-ever',
    wrong: 'A lease that was renewed never ends.',
    driver: (driver, alive) =>
      changed(driver, {
        async extend(receipts) {
          alive();
          return (await driver.extend?.(receipts, neverMs)) ?? [];
        },
      }),
  },
  {
    name: 'extend-after-settling',
    wrong: 'extend() of a delivery that is settled resolves.',
    queue: (queue, alive) =>
      withDeliveries(queue, (delivery) =>
        changed(delivery, {
          async extend(ms) {
            try {
              await delivery.extend(ms);
            } catch (error) {
              if (!isNqError(error, 'NQ_ALREADY_SETTLED')) throw error;
              alive();
            }
          },
        }),
      ),
  },
  {
    name: 'attempt-reset-by-extend',
    wrong: 'A lease is extended by writing the record anew, as if it had never been handed out.',
    driver(driver, alive, broker) {
      const uncounted = uncountedOf(broker);
      const taken = new Map<unknown, LeasedEvent>();
      const counting = withLeases(driver, (lease) => {
        taken.set(lease.receipt, lease);
        return { ...lease, attempt: lease.attempt - (uncounted.get(lease.event.id) ?? 0) };
      });
      return changed(counting, {
        async extend(receipts, ms) {
          for (const receipt of receipts) {
            const lease = taken.get(receipt);
            if (lease === undefined) continue;
            alive();
            uncounted.set(lease.event.id, lease.attempt);
          }
          return (await driver.extend?.(receipts, ms)) ?? [];
        },
      });
    },
  },
  {
    name: 'ack-unconfirmed',
    wrong: 'ack() resolves at once, and is sent 5 ms later.',
    driver: (driver, alive, { clock }) =>
      changed(driver, {
        async ack(receipts) {
          alive();
          clock.schedule(() => void driver.ack(receipts).catch(() => {}), 5);
          return receipts.map(() => true);
        },
      }),
  },
  {
    name: 'ack-with-next-pop',
    wrong: 'ack() resolves at once, and is sent together with the next pop, or at the close.',
    driver(driver, alive) {
      let waiting: unknown[] = [];
      const send = async (): Promise<void> => {
        const receipts = waiting;
        waiting = [];
        await driver.ack(receipts);
      };
      return changed(driver, {
        async pop(max, waitMs, signal) {
          await send();
          return driver.pop(max, waitMs, signal);
        },
        async ack(receipts) {
          alive();
          waiting.push(...receipts);
          return receipts.map(() => true);
        },
        async close() {
          await send().catch(() => {});
          await driver.close();
        },
      });
    },
  },
];

/** `queue`, with something done instead of refusing a settlement after the end of the lease. */
function withLateSettlements(
  queue: MessageQueue,
  instead: (delivery: Delivery, verb: 'ack' | 'nack', refuse: () => never) => Promise<void>,
): MessageQueue {
  return withDeliveries(queue, (delivery) => {
    const settle = async (verb: 'ack' | 'nack', call: () => Promise<void>): Promise<void> => {
      try {
        await call();
      } catch (error) {
        if (!isNqError(error, 'NQ_LEASE_LOST')) throw error;
        await instead(delivery, verb, () => {
          throw new NqError('NQ_LEASE_LOST', `Cannot ${verb}: the lease ended before`);
        });
      }
    };
    return changed(delivery, {
      ack: () => settle('ack', () => delivery.ack()),
      nack: (options) => settle('nack', () => delivery.nack(options)),
    });
  });
}

/** Which event each receipt is of, and the latest receipt of each event, over all connections of a broker. */
interface HandOuts {
  readonly ids: Map<unknown, string>;
  readonly latest: Map<string, unknown>;
}

const handOuts = new WeakMap<SimulatedBroker, HandOuts>();

function handOutsOf(broker: SimulatedBroker): HandOuts {
  const known = handOuts.get(broker) ?? { ids: new Map(), latest: new Map() };
  handOuts.set(broker, known);
  return known;
}
