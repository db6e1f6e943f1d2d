import { isNqError, type LeasedEvent, NqError, type QueueDriver } from '../../../src/index.ts';
import type { SimulatedBroker } from '../../../src/conformance.ts';
import { changed, type Mutant, withDeliveries } from '../mutant.ts';
import { poisonMutants } from './poison.ts';

/** Queues that do not survive a fault. */
export const faultMutants: readonly Mutant[] = [
  {
    name: 'hang-on-cut',
    wrong: 'A call that is made without a connection waits for one, without end.',
    driver: (driver, alive, broker) =>
      aroundRequests(driver, (request) => {
        if (broker.up) return request();
        alive();
        return never();
      }),
  },
  {
    name: 'hang-under-way',
    wrong: 'A call that was under way when the connection was lost waits for its answer, without end.',
    driver: (driver, alive) =>
      aroundRequests(driver, async (request) => {
        try {
          return await request();
        } catch (error) {
          if (!wasSent(driver, error)) throw error;
          alive();
          return never();
        }
      }),
  },
  {
    name: 'hang-of-settlements',
    wrong: 'A settlement that fails is kept to be sent again, and its caller learns nothing.',
    driver(driver, alive) {
      const or = async <Answer>(answer: Promise<Answer>): Promise<Answer> => {
        try {
          return await answer;
        } catch {
          alive();
          return never();
        }
      };
      return changed(driver, {
        ack: (receipts) => or(driver.ack(receipts)),
        nack: (returns) => or(driver.nack(returns)),
      });
    },
  },
  {
    name: 'dead-after-reconnect',
    wrong: 'A connection that was lost once is never used again.',
    driver(driver, alive) {
      let failure: unknown;
      return aroundRequests(driver, async (request) => {
        if (failure !== undefined) {
          alive();
          throw failure;
        }
        try {
          return await request();
        } catch (error) {
          failure = error;
          throw error;
        }
      });
    },
  },
  {
    name: 'deaf-after-reconnect',
    wrong: 'A pop that waits is not asked for again after a reconnect.',
    driver: (driver, alive) =>
      changed(driver, {
        async pop(max, waitMs, signal) {
          try {
            return await driver.pop(max, waitMs, signal);
          } catch (error) {
            if (!wasSent(driver, error)) throw error;
            alive();
            return never();
          }
        },
      }),
  },
  {
    name: 'push-dead-after-reconnect',
    wrong: 'Producers are not connected again.',
    driver(driver, alive, broker) {
      let isLost = false;
      onCut(broker, () => {
        isLost = true;
      });
      return changed(driver, {
        async push(events) {
          if (!isLost) return driver.push(events);
          alive();
          throw new NqError('NQ_UNAVAILABLE', 'Cannot push: there is no connection');
        },
      });
    },
  },
  {
    name: 'forgets-deliveries-on-cut',
    wrong: 'Leases that run are forgotten when the connection is lost.',
    driver(driver, alive, broker) {
      const held = holding(driver);
      const forgotten = new Set<unknown>();
      onCut(broker, () => {
        for (const { receipt } of held.leases) forgotten.add(receipt);
      });
      return changed(held.driver, {
        async ack(receipts) {
          const answers = await held.driver.ack(receipts);
          return receipts.map((receipt, index) => {
            if (forgotten.has(receipt)) alive();
            return answers[index] === true && !forgotten.has(receipt);
          });
        },
      });
    },
  },
  {
    name: 'swallow-cut',
    wrong: 'A push without a connection resolves.',
    driver: (driver, alive, broker) =>
      changed(driver, {
        async push(events) {
          if (broker.up) return driver.push(events);
          alive();
          return events.length;
        },
      }),
  },
  {
    name: 'optimistic-push',
    wrong: 'A push resolves as soon as it was sent, whether an answer comes or not.',
    driver: (driver, alive) =>
      changed(driver, {
        async push(events) {
          try {
            return await driver.push(events);
          } catch (error) {
            if (!wasSent(driver, error)) throw error;
            alive();
            return events.length;
          }
        },
      }),
  },
  {
    name: 'flushes-later',
    wrong: 'A push resolves before its event is sent; what cannot be sent then is dropped.',
    driver: (driver, alive, { clock }) =>
      changed(driver, {
        async push(events) {
          clock.schedule(() => void driver.push(events).catch(alive), 1);
          return events.length;
        },
      }),
  },
  {
    name: 'crash-takes-events-along',
    wrong: 'What a consumer held when it crashed counts as done.',
    harness: (harness, alive) => ({
      ...harness,
      async namespace(id) {
        const namespace = await harness.namespace(id);
        const acknowledge = new Map<unknown, () => Promise<void>>();
        return {
          ...namespace,
          async open(options) {
            const queue = await namespace.open(options);
            const changedQueue = withDeliveries(queue, (delivery) => {
              acknowledge.set(changedQueue, () => delivery.ack());
              return delivery;
            });
            acknowledge.set(changedQueue, async () => {});
            inner.set(changedQueue, queue);
            return changedQueue;
          },
          async crash(queue) {
            await acknowledge
              .get(queue)?.()
              .then(alive, () => {});
            await namespace.crash?.((inner.get(queue) as typeof queue | undefined) ?? queue);
          },
        };
      },
    }),
  },
  {
    name: 'reorders-after-reconnect',
    wrong: 'The first push after a reconnect is stored a little later than those behind it.',
    driver(driver, alive, broker) {
      let isFirst = false;
      onCut(broker, () => {
        isFirst = true;
      });
      return changed(driver, {
        async push(events) {
          if (!isFirst || !broker.up) return driver.push(events);
          isFirst = false;
          for (const event of events) {
            broker.clock.schedule(() => void broker.inject(new TextEncoder().encode(event)).then(alive), 9);
          }
          return events.length;
        },
      });
    },
  },
  {
    name: 'resend-on-reconnect',
    wrong: 'The last events before a cut are sent again after it, whether they were answered or not.',
    driver(driver, alive, broker) {
      let sent: string[] = [];
      let again: string[] = [];
      onCut(broker, () => {
        again = sent;
        sent = [];
      });
      return changed(driver, {
        async push(events) {
          if (again.length > 0 && broker.up) {
            alive();
            await driver.push(again.splice(0));
          }
          const stored = await driver.push(events);
          sent = [...sent, ...events.slice(0, stored)].slice(-3);
          return stored;
        },
      });
    },
  },
  {
    name: 'duplicate-after-reconnect',
    wrong: 'What a consumer held before a cut is handed to it once more.',
    driver(driver, alive, broker) {
      const held = holding(driver);
      let again: LeasedEvent[] = [];
      onCut(broker, () => {
        again = [...held.leases];
      });
      return changed(held.driver, {
        async pop(max, waitMs, signal) {
          if (again.length === 0 || !broker.up) return held.driver.pop(max, waitMs, signal);
          alive();
          return again.splice(0, max);
        },
      });
    },
  },
  {
    name: 'swallow-ack',
    wrong: 'An acknowledgement that cannot be sent resolves.',
    driver: (driver, alive) =>
      changed(driver, {
        async ack(receipts) {
          try {
            return await driver.ack(receipts);
          } catch {
            alive();
            return receipts.map(() => true);
          }
        },
      }),
  },
  {
    name: 'returns-held-on-cut',
    wrong: 'What is held when the connection is lost goes back after the reconnect, although its lease runs.',
    driver(driver, alive, broker) {
      const held = holding(driver);
      let back: unknown[] = [];
      onCut(broker, () => {
        back = held.leases.map(({ receipt }) => receipt);
      });
      return aroundRequests(held.driver, async (request) => {
        if (back.length > 0 && broker.up) {
          alive();
          const returns = back.splice(0).map((receipt) => ({ receipt, delayMs: 0, reason: '', deadLetter: false }));
          await driver.nack(returns);
        }
        return request();
      });
    },
  },
  {
    name: 'claims-definite',
    wrong: 'A push whose answer was lost is said not to be stored.',
    driver: (driver, alive) =>
      changed(driver, {
        classify(error) {
          const code = driver.classify(error);
          if (code !== 'NQ_OUTCOME_UNKNOWN') return code;
          alive();
          return 'NQ_UNAVAILABLE';
        },
      }),
  },
  {
    name: 'offline-queue',
    wrong: 'A push without a connection rejects, and is sent all the same once there is one.',
    driver(driver, alive, broker) {
      let waiting: string[] = [];
      return changed(driver, {
        async push(events) {
          if (!broker.up) waiting.push(...events);
          else if (waiting.length > 0) {
            alive();
            await driver.push(waiting);
            waiting = [];
          }
          return driver.push(events);
        },
      });
    },
  },
  {
    name: 'times-out-for-certain',
    wrong: 'A push without an answer rejects as if there had been no room.',
    queue: (queue, alive) =>
      changed(queue, {
        async push(event, options) {
          try {
            await queue.push(event, options);
          } catch (error) {
            if (!isNqError(error, 'NQ_OUTCOME_UNKNOWN')) throw error;
            alive();
            throw new NqError('NQ_TIMEOUT', 'Cannot push: no room in time');
          }
        },
      }),
  },
  ...poisonMutants,
];

/** The queues of which queues were made. */
const inner = new WeakMap<object, unknown>();

function never(): Promise<never> {
  return new Promise(() => {});
}

/** Whether a request had left before its connection was lost. */
function wasSent(driver: QueueDriver<string>, error: unknown): boolean {
  return driver.classify(error) === 'NQ_OUTCOME_UNKNOWN';
}

/** `driver`, with something done around each of its requests. */
function aroundRequests(
  driver: QueueDriver<string>,
  around: <Answer>(request: () => Promise<Answer>) => Promise<Answer>,
): QueueDriver<string> {
  return changed(driver, {
    push: (events) => around(() => driver.push(events)),
    pop: (max, waitMs, signal) => around(() => driver.pop(max, waitMs, signal)),
    ack: (receipts) => around(() => driver.ack(receipts)),
    nack: (returns) => around(() => driver.nack(returns)),
    size: () => around(() => driver.size()),
  });
}

/** Calls `listener` whenever connections are cut. */
function onCut(broker: SimulatedBroker, listener: () => void): void {
  const cut = broker.cut.bind(broker);
  broker.cut = () => {
    listener();
    cut();
  };
}

/** `driver`, and the leases that it has given and that are not settled. */
function holding(driver: QueueDriver<string>): {
  readonly driver: QueueDriver<string>;
  readonly leases: readonly LeasedEvent[];
} {
  const held = new Map<unknown, LeasedEvent>();
  return {
    driver: changed(driver, {
      async pop(max, waitMs, signal) {
        const leases = await driver.pop(max, waitMs, signal);
        for (const lease of leases) held.set(lease.receipt, lease);
        return leases;
      },
      async ack(receipts) {
        const answers = await driver.ack(receipts);
        for (const receipt of receipts) held.delete(receipt);
        return answers;
      },
      async nack(returns) {
        const answers = await driver.nack(returns);
        for (const { receipt } of returns) held.delete(receipt);
        return answers;
      },
    }),
    get leases() {
      return [...held.values()];
    },
  };
}
