import type { EventInput, MessageQueue } from '../../../src/index.ts';
import type { Namespace } from '../../../src/conformance.ts';
import { changed, type Mutant, withDeliveries } from '../mutant.ts';
import { whereEntered, whereOpened } from './around.ts';

/** Wrong about what outlives a process, a consumer or a broker, and about groups. */
export const durabilityMutants: readonly Mutant[] = [
  {
    name: 'write-behind',
    wrong: 'push() resolves at once, and the event is written 5 ms later.',
    queue: (queue, alive, { clock }) =>
      changed(queue, {
        async push(event) {
          alive();
          clock.schedule(() => void queue.push(event).catch(() => {}), 5);
        },
      }),
  },
  {
    name: 'write-behind-rest',
    wrong: 'pushMany() resolves when the first part is stored, and the rest is written 5 ms later.',
    queue: (queue, alive, { clock }) =>
      changed(queue, {
        async pushMany(events, options) {
          const half = Math.ceil(events.length / 2);
          await queue.pushMany(events.slice(0, half), options);
          const rest = events.slice(half);
          if (rest.length === 0) return;
          alive();
          clock.schedule(() => void queue.pushMany(rest).catch(() => {}), 5);
        },
      }),
  },
  {
    name: 'crash-never-reclaimed',
    wrong: 'Nobody looks for the leases of a consumer that is gone.',
    driver: (driver, alive) =>
      changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          if (leases.length === 0) return leases;
          alive();
          const receipts = leases.map(({ receipt }) => receipt);
          await driver.extend?.(receipts, 1_000_000_000);
          return leases;
        },
      }),
  },
  {
    name: 'pop-removes',
    wrong: 'A pop removes the event from the backend, and only its consumer has it from then on.',
    driver(driver, alive) {
      const held = new Map<unknown, string>();
      return changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          if (leases.length === 0) return leases;
          alive();
          for (const { receipt, event } of leases) held.set(receipt, driver.encode(event));
          await driver.ack(leases.map(({ receipt }) => receipt));
          return leases;
        },
        ack: async (receipts) => receipts.map((receipt) => held.delete(receipt)),
        async nack(returns) {
          const texts = returns.map(({ receipt }) => held.get(receipt));
          for (const { receipt } of returns) held.delete(receipt);
          await driver.push(texts.filter((text) => text !== undefined));
          return texts.map((text) => text !== undefined);
        },
      });
    },
  },
  {
    name: 'volatile-events',
    wrong: 'The broker keeps events in memory, and forgets them when it restarts.',
    harness: (harness, alive) =>
      whereEntered(harness, (place) =>
        atRestart(place, async (queue) => {
          if ((await acknowledgeAll(queue)) > 0) alive();
        }),
      ),
  },
  {
    name: 'volatile-ack',
    wrong: 'The broker keeps acknowledgements in memory, and forgets them when it restarts.',
    harness: (harness, alive) =>
      whereEntered(harness, (place) => {
        const acknowledged: EventInput[] = [];
        const remembering: Namespace = {
          ...place,
          async open(options) {
            return withDeliveries(await place.open(options), (delivery) =>
              changed(delivery, {
                async ack() {
                  await delivery.ack();
                  acknowledged.push(delivery.event);
                },
              }),
            );
          },
        };
        return atRestart(remembering, async (queue) => {
          if (acknowledged.length > 0) alive();
          await queue.pushMany(acknowledged);
        });
      }),
  },
  {
    name: 'group-shared-cursor',
    wrong: 'All groups are one.',
    capabilities: { groups: 'earliest' },
    harness: (harness, alive) =>
      whereEntered(harness, (place) => ({
        ...place,
        open({ group, ...options }) {
          if (group !== undefined) alive();
          return place.open(options);
        },
      })),
  },
  {
    name: 'group-broadcast',
    wrong: 'Each member of a group gets every event.',
    capabilities: { groups: 'earliest' },
    harness(harness, alive) {
      let members = 0;
      return whereEntered(harness, (place) => ({
        ...place,
        open(options) {
          alive();
          return place.open({ ...options, group: `${options.group}-${members++}` });
        },
      }));
    },
  },
  {
    name: 'group-shared-ack',
    wrong: 'An event is forgotten as soon as one group has acknowledged it.',
    capabilities: { groups: 'earliest' },
    harness: (harness, alive) =>
      whereOpened(harness, () => {
        /** Which group has acknowledged an event first. */
        const doneBy = new Map<string, string | undefined>();
        return (queue, _place, { group }) => {
          const present = changed(queue, {
            async pop(options) {
              for (;;) {
                const delivery = await queue.pop(options);
                const id = delivery?.event.id;
                if (id === undefined || !doneBy.has(id) || doneBy.get(id) === group) return delivery;
                alive();
                await delivery?.ack();
              }
            },
          });
          return withDeliveries(present, (delivery) =>
            changed(delivery, {
              async ack() {
                await delivery.ack();
                if (!doneBy.has(delivery.event.id)) doneBy.set(delivery.event.id, group);
              },
            }),
          );
        };
      }),
  },
  {
    name: 'group-wrong-start',
    wrong: 'A new group begins with the next event, although the first one is declared.',
    capabilities: { groups: 'earliest' },
    harness: (harness, alive) =>
      whereOpened(harness, () => {
        const known = new Set<string | undefined>();
        return async (queue, _place, { group }) => {
          if (!known.has(group) && (await acknowledgeAll(queue)) > 0) alive();
          known.add(group);
          return queue;
        };
      }),
  },
];

/** Takes out what is ready. @returns how many events. */
async function acknowledgeAll(queue: MessageQueue): Promise<number> {
  for (let count = 0; ; count++) {
    const delivery = await queue.pop({ timeoutMs: 0 });
    if (delivery === undefined) return count;
    await delivery.ack();
  }
}

/** `place`, whose broker does `work` on its queue just after it has restarted. */
function atRestart(place: Namespace, work: (queue: MessageQueue) => Promise<void>): Namespace {
  const { faults } = place;
  if (faults === undefined) return place;
  return {
    ...place,
    faults: {
      ...faults,
      async restart() {
        await faults.restart?.();
        const queue = await place.open({});
        await work(queue);
        await queue.close();
      },
    },
  };
}
