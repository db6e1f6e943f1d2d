import type { Capabilities, QueueDriver } from '../../src/index.ts';
import { type SimulatedBroker, type SimulatedHarnessOptions, type Timing } from '../../src/conformance.ts';
import { randomFrom } from '../../src/random.ts';
import { changed } from './mutant.ts';
import { withRewind } from './rewinding.ts';

/** A queue that uses a freedom which the contract grants: every rule must let it pass. */
export interface Oddity extends SimulatedHarnessOptions {
  readonly name: string;
  /** What its harness says of its pace. */
  readonly timing?: Partial<Timing>;
}

const nothingDeclared: Partial<Capabilities> = {
  order: 'none',
  strictRetry: false,
  nackDelay: false,
  deadLetter: false,
  lease: false,
  size: 'none',
  fairness: false,
};

/** Queues that are unlike what most people expect, and right. */
export const oddities: readonly Oddity[] = [
  { name: 'a link of 2 ms', delayMs: 2 },
  { name: 'a link of 10 ms', delayMs: 10 },
  { name: 'a link of 25 ms', delayMs: 25 },
  { name: 'a link of 120 ms, of which the harness says how long a call takes', delayMs: 120, timing: { quietMs: 300 } },
  { name: 'a link of 120 ms, of which the harness says that all is slow', delayMs: 120, timing: { scale: 5 } },
  {
    name: 'events that arrive in no order',
    capabilities: { order: 'none', strictRetry: false, capacity: 'none', size: 'approximate', fairness: false },
    driver: arrivesLater,
  },
  {
    name: 'a log that is acknowledged up to a position',
    capabilities: { ack: 'cumulative', strictRetry: false },
    driver: acknowledgesUpTo,
  },
  {
    name: 'a log in which one can go back',
    capabilities: { replay: true },
    driver: (driver, broker) => withRewind(driver, broker),
  },
  {
    name: 'an order of the events of each key only',
    capabilities: { order: 'key', strictRetry: false },
  },
  {
    name: 'a size that is always old',
    capabilities: { size: 'approximate' },
    driver: countsLate,
  },
  {
    name: 'a close that takes its time',
    driver: (driver, { clock }) =>
      changed(driver, {
        close: () =>
          new Promise((resolve) => {
            clock.schedule(() => resolve(driver.close()), 900);
          }),
      }),
  },
  { name: 'groups that begin with the first event', capabilities: { groups: 'earliest' } },
  { name: 'groups that begin with the next event', capabilities: { groups: 'latest' } },
  {
    name: 'a queue of one process that keeps nothing',
    capabilities: { durable: 'none', multiInstance: false },
  },
  {
    name: 'a queue that several processes share and that keeps nothing',
    capabilities: { durable: 'none' },
  },
  {
    name: 'a queue that declares as little as it can',
    capabilities: nothingDeclared,
    driver: (driver) =>
      changed(driver, {
        size: async () => ({ ready: 0, inFlight: 0, delayed: 0, oldestAgeMs: 0, exact: false }),
      }),
  },
];

/** The broker shows each event a little later than it has accepted it, some earlier than those before it. */
function arrivesLater(driver: QueueDriver<string>, broker: SimulatedBroker): QueueDriver<string> {
  const random = randomFrom(7);
  return changed(driver, {
    capacity: Infinity,
    async push(events) {
      // The round trip in which they are accepted; what has been accepted needs no connection any more.
      await driver.size();
      for (const event of events) {
        broker.clock.schedule(() => void broker.inject(new TextEncoder().encode(event)), random() * 20);
      }
      return events.length;
    },
  });
}

/** Acknowledging an event acknowledges those that were handed out before it on the same connection. */
function acknowledgesUpTo(driver: QueueDriver<string>): QueueDriver<string> {
  let held: unknown[] = [];
  return changed(driver, {
    async pop(max, waitMs, signal) {
      const leases = await driver.pop(max, waitMs, signal);
      held.push(...leases.map(({ receipt }) => receipt));
      return leases;
    },
    async ack(receipts) {
      const last = Math.max(...receipts.map((receipt) => held.indexOf(receipt)));
      const upTo = held.slice(0, last + 1);
      const answers = await driver.ack([...new Set([...upTo, ...receipts])]);
      held = held.slice(last + 1);
      return receipts.map((receipt) => answers[[...new Set([...upTo, ...receipts])].indexOf(receipt)] === true);
    },
  });
}

/** What is counted is what there was 40 ms ago. */
function countsLate(driver: QueueDriver<string>, { clock }: SimulatedBroker): QueueDriver<string> {
  return changed(driver, {
    async size() {
      const size = await driver.size();
      await new Promise<void>((resolve) => {
        clock.schedule(resolve, 40);
      });
      return { ...size, exact: false };
    },
  });
}
