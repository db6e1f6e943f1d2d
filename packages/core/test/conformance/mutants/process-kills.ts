import type { ReturnedLease } from '../../../src/driver.ts';
import type { SimulatedBroker } from '../../../src/conformance.ts';
import type { QueueDriver } from '../../../src/index.ts';
import { changed, type Mutant } from '../mutant.ts';
import { wait } from './around.ts';

/** Who has the backend to itself, over all connections of a broker; nobody at first. */
const locks = new WeakMap<SimulatedBroker, { holder: object | undefined }>();

/** What the processes of a broker wait for before they give it back. */
const allWaiting = new WeakMap<SimulatedBroker, Set<ReturnedLease>>();

/** Wrong when a process is killed. */
export const processKillMutants: readonly Mutant[] = [
  {
    name: 'delays-in-memory',
    wrong: 'The process that gives an event back with a delay waits itself, and gives it back then; or at its close.',
    driver(driver, alive, broker) {
      const { clock } = broker;
      const waiting = new Map<ReturnedLease, number>();
      const all = allWaiting.get(broker) ?? new Set();
      allWaiting.set(broker, all);
      const giveBack = async (back: ReturnedLease): Promise<void> => {
        const due = waiting.get(back);
        if (due === undefined) return;
        waiting.delete(back);
        all.delete(back);
        await driver.nack([{ ...back, delayMs: Math.max(0, due - clock.now()) }]);
      };
      return changed(driver, {
        async push(events) {
          const { ready, delayed } = await driver.size();
          return driver.push(events.slice(0, Math.max(0, driver.capacity - ready - delayed - all.size)));
        },
        async size() {
          const size = await driver.size();
          return { ...size, inFlight: size.inFlight - all.size, delayed: size.delayed + all.size };
        },
        async nack(returns) {
          const delayed = returns.filter(({ delayMs, deadLetter }) => delayMs > 0 && !deadLetter);
          for (const back of delayed) {
            alive();
            waiting.set(back, clock.now() + back.delayMs);
            all.add(back);
            clock.schedule(() => void giveBack(back).catch(() => {}), back.delayMs);
          }
          const others = returns.filter((back) => !delayed.includes(back));
          const answers = await driver.nack(others);
          return returns.map((back) => delayed.includes(back) || answers[others.indexOf(back)] === true);
        },
        async close() {
          await Promise.allSettled([...waiting.keys()].map((back) => giveBack(back)));
          await driver.close();
        },
      });
    },
  },
  {
    name: 'lock-outlives-its-process',
    wrong: 'Every call locks the backend, and nobody else opens the lock of a process that was killed meanwhile.',
    delayMs: 2,
    driver(driver, alive, broker, process) {
      const lock = locks.get(broker) ?? { holder: undefined };
      locks.set(broker, lock);
      /** Does `request` alone. */
      const alone = async <Answer>(request: () => Promise<Answer>): Promise<Answer> => {
        while (lock.holder !== undefined) await wait(broker.clock, 1);
        lock.holder = request;
        let isKilled = false;
        try {
          return await request();
        } catch (error) {
          // Connections of this process can be lost otherwise, too.
          isKilled = process.number > 0;
          if (isKilled) alive();
          throw error;
        } finally {
          if (!isKilled) lock.holder = undefined;
        }
      };
      return changed<QueueDriver<string>>(driver, {
        push: (events) => alone(() => driver.push(events)),
        pop: (max, _waitMs, signal) => alone(() => driver.pop(max, 0, signal)),
        ack: (receipts) => alone(() => driver.ack(receipts)),
        nack: (returns) => alone(() => driver.nack(returns)),
      });
    },
  },
];
