import { decodeEvent } from '../../../src/cloudevents.ts';
import type { SimulatedBroker, SimulatedProcess } from '../../../src/conformance.ts';
import { changed, type Mutant } from '../mutant.ts';
import { sortedBy } from './identity.ts';

/** What the processes of a broker have pushed. */
interface Pushed {
  /** When, by the clock of the process that pushed it. */
  readonly times: Map<string, number>;
  /** Whether two clocks differ: otherwise that is the order in which they were pushed. */
  clocksDiffer: boolean;
}

const pushedAt = new WeakMap<SimulatedBroker, Pushed>();

/** Wrong as soon as the clocks of two processes differ. */
export const processClockMutants: readonly Mutant[] = [
  {
    name: 'orders-by-process-clock',
    wrong: 'Events are sorted by the time of their push, which each process takes from its own clock.',
    driver(driver, alive, broker, process) {
      const pushed = pushedAt.get(broker) ?? { times: new Map<string, number>(), clocksDiffer: false };
      pushedAt.set(broker, pushed);
      const sorting = sortedBy(driver, alive, broker, ({ id }) => pushed.times.get(id) ?? 0);
      return changed(driver, {
        async push(events) {
          const stored = await driver.push(events);
          for (const event of events.slice(0, stored)) pushed.times.set(decodeEvent(event).id, process.clock.date());
          pushed.clocksDiffer ||= aheadMs(broker, process) !== 0;
          return stored;
        },
        pop: (max, waitMs, signal) => (pushed.clocksDiffer ? sorting : driver).pop(max, waitMs, signal),
      });
    },
  },
  {
    name: 'leases-by-process-clock',
    wrong: 'The process that takes an event writes down when its lease ends, by its own clock.',
    driver: (driver, alive, broker, process) =>
      changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          const { lease } = driver.capabilities;
          const ahead = aheadMs(broker, process);
          if (leases.length === 0 || lease === false || ahead === 0) return leases;
          alive();
          const receipts = leases.map(({ receipt }) => receipt);
          await driver.extend?.(receipts, Math.max(0, lease.ms + ahead));
          return leases;
        },
      }),
  },
  {
    name: 'delays-by-process-clock',
    wrong: 'The process that gives an event back writes down when its delay ends, by its own clock.',
    driver: (driver, alive, broker, process) =>
      changed(driver, {
        nack(returns) {
          const ahead = aheadMs(broker, process);
          if (ahead !== 0 && returns.some(({ delayMs }) => delayMs > 0)) alive();
          return driver.nack(
            returns.map((back) => (back.delayMs > 0 ? { ...back, delayMs: Math.max(0, back.delayMs + ahead) } : back)),
          );
        },
      }),
  },
  {
    name: 'extends-by-process-clock',
    wrong: 'The process that extends a lease writes down when it ends, by its own clock.',
    driver: (driver, alive, broker, process) =>
      changed(driver, {
        async extend(receipts, ms) {
          const ahead = aheadMs(broker, process);
          if (ahead !== 0) alive();
          return (await driver.extend?.(receipts, Math.max(0, ms + ahead))) ?? [];
        },
      }),
  },
];

/** How far the clock of `process` is ahead of that of the broker, in milliseconds. */
function aheadMs(broker: SimulatedBroker, process: SimulatedProcess): number {
  return process.clock.date() - broker.clock.date();
}
