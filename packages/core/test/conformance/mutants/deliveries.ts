import { type Clock, type Delivery, type MessageQueue, NqError, type QueueDriver } from '../../../src/index.ts';
import { changed, type Mutant, withDeliveries, withLeases } from '../mutant.ts';
import { withLetters } from './retry.ts';

/** Wrong about what a delivery says of itself, and about which one it is. */
export const deliveryMutants: readonly Mutant[] = [
  {
    name: 'extend-adds',
    wrong: 'extend(ms) adds ms to what is left of the lease.',
    driver: (driver, alive, { clock }) =>
      withEnds(driver, clock, async (receipts, ms, leftOf) => {
        alive();
        const answers = await Promise.all(receipts.map((receipt) => driver.extend?.([receipt], leftOf(receipt) + ms)));
        return answers.map((answer) => answer?.[0] ?? false);
      }),
  },
  {
    name: 'extend-never-shortens',
    wrong: 'extend(ms) does nothing where the lease ends later than that.',
    driver: (driver, alive, { clock }) =>
      withEnds(driver, clock, async (receipts, ms, leftOf) => {
        if (receipts.some((receipt) => leftOf(receipt) > ms)) alive();
        const answers = await Promise.all(
          receipts.map((receipt) => driver.extend?.([receipt], Math.max(ms, leftOf(receipt)))),
        );
        return answers.map((answer) => answer?.[0] ?? false);
      }),
  },
  {
    name: 'extend-extends-all',
    wrong: 'Extending one lease extends all that its connection holds.',
    driver: (driver, alive, { clock }) =>
      withEnds(driver, clock, async (receipts, ms, leftOf, all) => {
        const shorter = all.filter((receipt) => !receipts.includes(receipt) && leftOf(receipt) < ms);
        if (shorter.length > 0) alive();
        await driver.extend?.(shorter, ms);
        return (await driver.extend?.(receipts, ms)) ?? [];
      }),
  },
  {
    name: 'push-deduplicates',
    wrong: 'An event is not stored if one with the same id is ready already.',
    driver(driver, alive) {
      const ready = new Set<string>();
      const taking = withLeases(driver, (lease) => {
        ready.delete(driver.encode(lease.event));
        return lease;
      });
      return changed(taking, {
        async push(events) {
          const fresh = [...new Set(events)].filter((event) => !ready.has(event));
          if (fresh.length < events.length) alive();
          const stored = await driver.push(fresh);
          for (const event of fresh.slice(0, stored)) ready.add(event);
          return stored < fresh.length ? stored : events.length;
        },
      });
    },
  },
  {
    name: 'receipt-by-id',
    wrong: 'A hand-out is known by the id of its event and the number of its attempt.',
    driver(driver, alive) {
      const receipts = new Map<unknown, unknown>();
      const take = (name: unknown): unknown => {
        const receipt = receipts.get(name);
        receipts.delete(name);
        return receipt;
      };
      const naming = withLeases(driver, (lease) => {
        const name = `${lease.event.id}/${lease.attempt}`;
        if (receipts.has(name)) alive();
        receipts.set(name, lease.receipt);
        return { ...lease, receipt: name };
      });
      return changed(naming, {
        ack: (names) => driver.ack(names.map(take)),
        nack: (returns) => driver.nack(returns.map((back) => ({ ...back, receipt: take(back.receipt) }))),
        extend: async (names, ms) =>
          (await driver.extend?.(
            names.map((name) => receipts.get(name)),
            ms,
          )) ?? [],
      });
    },
  },
  {
    name: 'dead-letters-by-id',
    wrong: 'Dead letters are kept by the id of their event: a second one replaces the first.',
    driver: (driver, alive) =>
      withLetters(driver, (letters) => {
        const byId = async (): Promise<Awaited<ReturnType<typeof letters.list>>> => {
          const all = await letters.list({ limit: Infinity });
          const last = [...new Map(all.map((letter) => [letter.event.id, letter])).values()];
          if (last.length < all.length) alive();
          return last;
        };
        return {
          count: async () => (await byId()).length,
          list: async ({ limit = 100 } = {}) => (await byId()).slice(0, limit),
        };
      }),
  },
  {
    name: 'waited-once',
    wrong: 'waitedMs is what it was when the event was handed out, whenever it is read.',
    queue: (queue, alive) =>
      withDeliveries(queue, (delivery) => {
        alive();
        return changed(delivery, { waitedMs: delivery.waitedMs });
      }),
  },
  {
    name: 'waited-from-time',
    wrong: 'waitedMs counts from the time of the event.',
    driver: (driver, alive, { clock }) =>
      withLeases(driver, (lease) => {
        const waitedMs = Math.max(0, clock.date() - lease.event.time);
        if (waitedMs !== lease.waitedMs) alive();
        return { ...lease, waitedMs };
      }),
  },
  {
    name: 'waited-anew-after-nack',
    wrong: 'waitedMs counts from the last time that the event was given back.',
    driver: (driver, alive) =>
      withLeases(driver, (lease) => {
        if (lease.attempt === 1) return lease;
        alive();
        return { ...lease, waitedMs: 0 };
      }),
  },
  {
    name: 'replay-keeps-age',
    wrong: 'waitedMs of an event that was replayed as if new counts from its first push.',
    driver(driver, alive, { clock }) {
      const pushedAt = new Map<string, number>();
      const noting = withLeases(driver, (lease) => {
        const waitedMs = clock.now() - (pushedAt.get(lease.event.id) ?? clock.now());
        if (lease.attempt > 1) return lease;
        alive();
        return { ...lease, waitedMs };
      });
      return changed(noting, {
        encode(event) {
          pushedAt.set(event.id, clock.now());
          return driver.encode(event);
        },
      });
    },
  },
  {
    name: 'age-from-time',
    wrong: 'oldestAgeMs counts from the time of the event.',
    driver(driver, alive, { clock }) {
      let time = clock.date();
      return changed(driver, {
        encode(event) {
          ({ time } = event);
          return driver.encode(event);
        },
        async size() {
          const size = await driver.size();
          if (size.ready === 0) return size;
          alive();
          return { ...size, oldestAgeMs: Math.max(0, clock.date() - time) };
        },
      });
    },
  },
  {
    name: 'signal-aborts-on-ack',
    wrong: 'The signal of a delivery aborts when it is acknowledged.',
    queue: (queue, alive) =>
      withDeliveries(queue, (delivery) => {
        const controller = new AbortController();
        return changed(delivery, {
          signal: AbortSignal.any([delivery.signal, controller.signal]),
          async ack() {
            await delivery.ack();
            alive();
            controller.abort();
          },
        });
      }),
  },
  {
    name: 'one-lost-tells-all',
    wrong: 'When one lease has ended, the signals of all deliveries abort.',
    queue(queue, alive) {
      const open = new Map<Delivery, AbortController>();
      return withDeliveries(queue, (delivery) => {
        const controller = new AbortController();
        open.set(delivery, controller);
        const settled = <Result>(settlement: Promise<Result>): Promise<Result> => {
          open.delete(delivery);
          return settlement;
        };
        delivery.signal.addEventListener('abort', () => {
          if (!open.has(delivery)) return;
          if (open.size > 1) alive();
          for (const one of open.values()) one.abort(delivery.signal.reason);
          open.clear();
        });
        return changed(delivery, {
          signal: controller.signal,
          ack: () => settled(delivery.ack()),
          nack: (options) => settled(delivery.nack(options)),
        });
      });
    },
  },
  {
    name: 'dispose-of-lost-throws',
    wrong: 'Disposing of a delivery whose lease has ended rejects, as giving it back does.',
    queue: (queue, alive) =>
      withDeliveries(queue, (delivery) =>
        changed(delivery, {
          [Symbol.asyncDispose]() {
            if (!delivery.signal.aborted) return delivery[Symbol.asyncDispose]();
            alive();
            return delivery.nack();
          },
        }),
      ),
  },
  ...(['ack', 'nack'] as const).map((verb): Mutant => {
    return {
      name: `lost-${verb}-is-done`,
      wrong: `${verb === 'ack' ? 'An ack' : 'A nack'} whose answer was lost counts as carried out.`,
      driver: (driver, alive) => {
        const unless = async (
          settlement: Promise<readonly (boolean | Error)[]>,
          { length }: readonly unknown[],
        ): Promise<readonly (boolean | Error)[]> => {
          try {
            return await settlement;
          } catch (error) {
            if (driver.classify(error) !== 'NQ_OUTCOME_UNKNOWN') throw error;
            alive();
            return Array.from({ length }, () => true);
          }
        };
        return verb === 'ack'
          ? changed(driver, { ack: (receipts) => unless(driver.ack(receipts), receipts) })
          : changed(driver, { nack: (returns) => unless(driver.nack(returns), returns) });
      },
    };
  }),
  {
    name: 'no-extend-while-draining',
    wrong: 'While the queue drains, no lease can be extended.',
    queue: (queue, alive) =>
      whileDraining(queue, (delivery) => ({
        async extend() {
          alive();
          throw new NqError('NQ_CLOSED', `Cannot extend ${delivery.event.id}: the queue is closing`);
        },
      })),
  },
  {
    name: 'no-delay-while-draining',
    wrong: 'What is given back while the queue drains has no delay.',
    queue: (queue, alive) =>
      whileDraining(queue, (delivery) => ({
        nack({ delayMs, ...options } = {}) {
          if (delayMs !== undefined) alive();
          return delivery.nack(options);
        },
      })),
  },
];

/** `driver`, with another `extend`, which is told what is left of each lease, and of which ones. */
function withEnds(
  driver: QueueDriver<string>,
  clock: Clock,
  extend: (
    receipts: readonly unknown[],
    ms: number,
    leftOf: (receipt: unknown) => number,
    all: readonly unknown[],
  ) => Promise<readonly boolean[]>,
): QueueDriver<string> {
  const { lease } = driver.capabilities;
  const ends = new Map<unknown, number>();
  const noting = withLeases(driver, (one) => {
    ends.set(one.receipt, clock.now() + (lease === false ? 0 : lease.ms));
    return one;
  });
  const leftOf = (receipt: unknown): number => Math.max(0, (ends.get(receipt) ?? 0) - clock.now());
  return changed(noting, {
    async extend(receipts, ms) {
      const answers = await extend(receipts, ms, leftOf, [...ends.keys()]);
      for (const receipt of receipts) ends.set(receipt, clock.now() + ms);
      return answers;
    },
  });
}

/** `queue`, whose deliveries change while it drains. */
function whileDraining(queue: MessageQueue, change: (delivery: Delivery) => Partial<Delivery>): MessageQueue {
  let draining = false;
  const closing = changed(queue, {
    close(options) {
      draining = true;
      return queue.close(options);
    },
  });
  return changed(
    withDeliveries(queue, (delivery) => {
      const other = change(delivery);
      return changed(delivery, {
        extend: (ms) => (draining && other.extend !== undefined ? other.extend(ms) : delivery.extend(ms)),
        nack: (options) => (draining && other.nack !== undefined ? other.nack(options) : delivery.nack(options)),
      });
    }),
    { close: closing.close },
  );
}
