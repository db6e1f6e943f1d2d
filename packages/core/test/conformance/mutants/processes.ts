import type { DeadLetters, LeasedEvent, QueueDriver } from '../../../src/index.ts';
import type { Timer } from '../../../src/clock.ts';
import type { SimulatedBroker } from '../../../src/conformance.ts';
import { memoryDriver } from '../../../src/testing.ts';
import { changed, type Mutant } from '../mutant.ts';
import { lookingFirst } from './bulk.ts';
import { withLetters } from './retry.ts';

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
  /** How many events are stored, as whoever wrote it last has counted. */
  counter: number;
  /** What each process does with the counter, one after the other. */
  readonly counting: Map<number, Promise<unknown>>;
  /** Which consumers wait in each process, and when delays end that it knows of. */
  readonly waiting: Map<number, { readonly wakes: Set<() => void>; readonly ends: number[] }>;
  /** What each process does with the dead letters, one after the other. */
  readonly replaying: Map<number, Promise<unknown>>;
}

const shared = new WeakMap<SimulatedBroker, Shared>();

function sharedOf(broker: SimulatedBroker): Shared {
  const known = shared.get(broker);
  if (known !== undefined) return known;
  const fresh: Shared = {
    look: undefined,
    names: new Map(),
    used: new Map(),
    known: new Map(),
    counter: 0,
    counting: new Map(),
    waiting: new Map(),
    replaying: new Map(),
  };
  shared.set(broker, fresh);
  return fresh;
}

/** What is held of a broker, and over which connection. */
const allHeld = new WeakMap<SimulatedBroker, Map<unknown, QueueDriver<string>>>();

function heldOf(broker: SimulatedBroker): Map<unknown, QueueDriver<string>> {
  const held = allHeld.get(broker) ?? new Map<unknown, QueueDriver<string>>();
  allHeld.set(broker, held);
  return held;
}

/** `driver`, of which is known what is held. */
function remembering(driver: QueueDriver<string>, broker: SimulatedBroker): QueueDriver<string> {
  const held = heldOf(broker);
  return changed(driver, {
    async pop(max, waitMs, signal) {
      const leases = await driver.pop(max, waitMs, signal);
      for (const { receipt } of leases) held.set(receipt, driver);
      return leases;
    },
    ack(receipts) {
      for (const receipt of receipts) held.delete(receipt);
      return driver.ack(receipts);
    },
    nack(returns) {
      for (const { receipt } of returns) held.delete(receipt);
      return driver.nack(returns);
    },
  });
}

/** Gives back everything that is held, whoever holds it. */
async function giveAllBack(broker: SimulatedBroker): Promise<void> {
  const held = [...heldOf(broker)];
  heldOf(broker).clear();
  const back = held.map(([receipt, driver]) => driver.nack([{ receipt, delayMs: 0, reason: '', deadLetter: false }]));
  await Promise.allSettled(back);
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
  {
    name: 'counts-by-process',
    wrong: 'Each process reads a counter, does its work and writes the counter, whoever has written it meanwhile.',
    delayMs: 2,
    driver(driver, alive, broker, { number: process }) {
      const state = sharedOf(broker);
      /** Does `work`, which changes how many are stored by what `change` makes of its answer. */
      const counting = <Answer>(work: () => Promise<Answer>, change: (answer: Answer) => number): Promise<Answer> => {
        const counted = async (): Promise<Answer> => {
          const seen = state.counter;
          const answer = await work();
          if (state.counter !== seen) alive();
          state.counter = seen + change(answer);
          return answer;
        };
        return inTurn(state.counting, process, counted);
      };
      const letters = driver.deadLetters as DeadLetters;
      const found = (answers: readonly (boolean | Error)[]): number => answers.filter(Boolean).length;
      return changed(driver, {
        push: (events) =>
          counting(
            () => driver.push(events),
            (stored) => stored,
          ),
        ack: (receipts) =>
          counting(
            () => driver.ack(receipts),
            (answers) => -found(answers),
          ),
        nack: (returns) =>
          counting(
            () => driver.nack(returns),
            (answers) => -found(answers.filter((_answer, index) => returns[index]?.deadLetter)),
          ),
        deadLetters: changed(letters, {
          replay: (ids) =>
            counting(
              () => letters.replay(ids),
              (replayed) => replayed,
            ),
        }),
        async size() {
          const size = await driver.size();
          return { ...size, ready: Math.max(0, state.counter - size.inFlight - size.delayed) };
        },
      });
    },
  },
  {
    name: 'wakes-own-process',
    wrong: 'A pop that waits hears what its own process does, and does not look by itself.',
    driver(driver, alive, broker, { number: process }) {
      const { waiting } = sharedOf(broker);
      const { wakes, ends } = waiting.get(process) ?? { wakes: new Set(), ends: [] };
      waiting.set(process, { wakes, ends });
      const timers = new Set<Timer>();
      const wakeAfter = (ms: number): void => {
        const timer = broker.clock.schedule(() => {
          timers.delete(timer);
          for (const wake of wakes) wake();
        }, ms);
        timers.add(timer);
      };
      for (const end of ends) if (end > broker.clock.now()) wakeAfter(end - broker.clock.now());
      return changed(driver, {
        async push(events) {
          const stored = await driver.push(events);
          wakeAfter(0);
          return stored;
        },
        async nack(returns) {
          const answers = await driver.nack(returns);
          for (const { delayMs } of returns) {
            ends.push(broker.clock.now() + delayMs);
            wakeAfter(delayMs);
          }
          return answers;
        },
        async extend(receipts, ms) {
          wakeAfter(ms);
          return (await driver.extend?.(receipts, ms)) ?? [];
        },
        async close() {
          for (const timer of timers) timer.cancel();
          await driver.close();
        },
        async pop(max, waitMs, signal) {
          const { lease } = driver.capabilities;
          for (;;) {
            const leases = await driver.pop(max, 0, signal);
            if (leases.length > 0 && lease !== false) wakeAfter(lease.ms);
            if (leases.length > 0 || waitMs === 0 || signal.aborted) return leases;
            alive();
            await new Promise<void>((resolve) => {
              const end = (): void => {
                wakes.delete(end);
                signal.removeEventListener('abort', end);
                resolve();
              };
              wakes.add(end);
              signal.addEventListener('abort', end);
            });
          }
        },
      });
    },
  },
  {
    name: 'replay-locked-by-process',
    wrong: 'A replay looks first and moves then, under a lock that other processes know nothing of.',
    delayMs: 2,
    driver(driver, alive, broker, { number: process }) {
      const { replaying } = sharedOf(broker);
      const looking = lookingFirst(driver, alive, 'replay');
      return withLetters(looking, (letters) => ({
        replay: (ids) => inTurn(replaying, process, () => letters.replay(ids)),
      }));
    },
  },
  {
    name: 'start-ends-all-leases',
    wrong: 'A process that starts gives back what is in flight, which it takes for the leftovers of the last run.',
    driver(driver, alive, broker, process) {
      if (process.number > 0 && heldOf(broker).size > 0) {
        alive();
        void giveAllBack(broker);
      }
      return remembering(driver, broker);
    },
  },
  {
    name: 'close-returns-of-namesakes',
    wrong: 'A process that closes gives back what is held under its name, and all processes have the same.',
    driver(driver, alive, broker, process) {
      const remembered = remembering(driver, broker);
      return changed(remembered, {
        async close() {
          if (process.number > 0 && heldOf(broker).size > 0) {
            alive();
            await giveAllBack(broker);
          }
          await driver.close();
        },
      });
    },
  },
];

/** Does `work` when what `process` did before is done. */
function inTurn<Result>(
  turns: Map<number, Promise<unknown>>,
  process: number,
  work: () => Promise<Result>,
): Promise<Result> {
  const done = (turns.get(process) ?? Promise.resolve()).then(work);
  turns.set(
    process,
    done.catch(() => {}),
  );
  return done;
}
