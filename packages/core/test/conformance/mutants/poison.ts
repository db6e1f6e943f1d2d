import type { LeasedEvent, QueueDriver } from '../../../src/index.ts';
import type { SimulatedBroker } from '../../../src/conformance.ts';
import { changed, type Mutant } from '../mutant.ts';

/** Queues that do not survive a record that is no event. */
export const poisonMutants: readonly Mutant[] = [
  {
    name: 'poison-kills-loop',
    wrong: 'A record that cannot be read makes every pop fail from then on.',
    driver: (driver, alive, broker) =>
      afterPoison(driver, broker, () => {
        alive();
        throw new Error('not JSON');
      }),
  },
  {
    name: 'poison-hangs',
    wrong: 'The loop that reads ends at a record that cannot be read, and nobody hears of it.',
    driver: (driver, alive, broker) =>
      afterPoison(driver, broker, () => {
        alive();
        return never();
      }),
  },
  {
    name: 'poison-comes-again',
    wrong: 'A record that cannot be read stays in the queue, and every other pop meets it.',
    driver(driver, alive, broker) {
      let pops = 0;
      return afterPoison(driver, broker, async (request) => {
        if (pops++ % 2 === 1) return request();
        alive();
        throw new Error('not JSON');
      });
    },
  },
  {
    name: 'poison-vanishes',
    wrong: 'A record that cannot be read is dropped.',
    driver: (driver, alive) =>
      changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          if (((await driver.deadLetters?.remove()) ?? 0) > 0) alive();
          return leases;
        },
      }),
  },
  {
    name: 'poison-spoils-its-batch',
    wrong: 'What is read together with a record that cannot be read is gone with it.',
    driver(driver, alive, broker) {
      let met = 0;
      return changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          const { deadLetters } = await broker.inspect();
          if (deadLetters === met || leases.length === 0) return leases;
          met = deadLetters;
          alive();
          await driver.ack(leases.map(({ receipt }) => receipt));
          return [];
        },
      });
    },
  },
];

/** `driver`, with `pop` done by `instead` once a record was met that is no event. */
function afterPoison(
  driver: QueueDriver<string>,
  broker: SimulatedBroker,
  instead: (request: () => Promise<readonly LeasedEvent[]>) => Promise<readonly LeasedEvent[]>,
): QueueDriver<string> {
  return changed(driver, {
    async pop(max, waitMs, signal) {
      const { deadLetters } = await broker.inspect();
      const request = (): Promise<readonly LeasedEvent[]> => driver.pop(max, waitMs, signal);
      return deadLetters > 0 ? instead(request) : request();
    },
  });
}

function never(): Promise<never> {
  return new Promise(() => {});
}
