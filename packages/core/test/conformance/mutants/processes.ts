import type { LeasedEvent } from '../../../src/index.ts';
import type { SimulatedBroker } from '../../../src/conformance.ts';
import { memoryDriver } from '../../../src/testing.ts';
import { changed, type Mutant } from '../mutant.ts';

/** What the processes of a broker do to each other. */
interface Shared {
  /** What a process looks at now, and has not claimed yet. */
  look: { readonly by: number; readonly leases: Promise<readonly LeasedEvent[]> } | undefined;
  /** Which process has used a name last. */
  readonly names: Map<number, number>;
  /** How many names each process has used. */
  readonly used: Map<number, number>;
  /** How many events are stored that each process knows of. */
  readonly known: Map<number, number>;
}

const shared = new WeakMap<SimulatedBroker, Shared>();

function sharedOf(broker: SimulatedBroker): Shared {
  const known = shared.get(broker);
  if (known !== undefined) return known;
  const fresh: Shared = { look: undefined, names: new Map(), used: new Map(), known: new Map() };
  shared.set(broker, fresh);
  return fresh;
}

/** Wrong as soon as there is a second process, and right in one. */
export const processMutants: readonly Mutant[] = [
  {
    name: 'events-by-process',
    wrong: 'Events are in the memory of the process that has pushed them.',
    driver(driver, alive, broker, process) {
      if (process.number === 0) return driver;
      alive();
      const { clock } = broker;
      return changed(memoryDriver({ clock, capacity: driver.capacity }), { capabilities: driver.capabilities });
    },
  },
  {
    name: 'claims-by-process',
    wrong: 'What a process finds is its own as soon as it says so, whoever else has looked in the meantime.',
    delayMs: 2,
    driver(driver, alive, broker, { number: process }) {
      const state = sharedOf(broker);
      return changed(driver, {
        async pop(max, waitMs, signal) {
          const { look } = state;
          if (look !== undefined && look.by !== process) {
            const seen = (await look.leases).slice(0, max);
            if (seen.length > 0) alive();
            return seen;
          }
          const own = { by: process, leases: driver.pop(max, waitMs, signal) };
          state.look = own;
          try {
            return await own.leases;
          } finally {
            if (state.look === own) state.look = undefined;
          }
        },
        async ack(receipts) {
          await driver.ack(receipts);
          return receipts.map(() => true);
        },
      });
    },
  },
  {
    name: 'names-by-process',
    wrong: 'Each process numbers its events by itself, and what another one has written under that number is gone.',
    driver(driver, alive, broker, { number: process }) {
      const { names, used } = sharedOf(broker);
      return changed(driver, {
        async push(events) {
          const kept = events.filter(() => {
            const number = used.get(process) ?? 0;
            used.set(process, number + 1);
            const taken = names.get(number) ?? process;
            names.set(number, process);
            if (taken !== process) alive();
            return taken === process;
          });
          const stored = await driver.push(kept);
          return stored === kept.length ? events.length : stored;
        },
      });
    },
  },
  {
    name: 'room-by-process',
    wrong: 'Each process counts what it has pushed itself, and stores as long as that fits.',
    driver(driver, alive, broker, { number: process }) {
      const { known } = sharedOf(broker);
      const count = (one: number): number => known.get(one) ?? 0;
      // The backend itself has room for what three processes store.
      const capacity = Math.ceil(driver.capacity / 3);
      return changed(driver, {
        capacity,
        async push(events) {
          const stored = await driver.push(events.slice(0, Math.max(0, capacity - count(process))));
          known.set(process, count(process) + stored);
          if ([...known.values()].reduce((sum, one) => sum + one, 0) > capacity) alive();
          return stored;
        },
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          known.set(process, Math.max(0, count(process) - leases.length));
          return leases;
        },
      });
    },
  },
];
