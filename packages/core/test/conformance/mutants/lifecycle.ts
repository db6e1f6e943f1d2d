import type { MessageQueue } from '../../../src/index.ts';
import type { ConformanceHarness, SimulatedBroker } from '../../../src/conformance.ts';
import { changed, type Mutant } from '../mutant.ts';
import { never, wait, whereOpened } from './around.ts';

/** The receipts that the connections to a broker hold. */
const receiptsOf = new WeakMap<SimulatedBroker, Set<unknown>>();

/** Wrong about the beginning of a queue, its end, and what is left. */
export const lifecycleMutants: readonly Mutant[] = [
  {
    name: 'close-kills-sibling',
    wrong: 'All queue objects share one connection, and the first close() ends it.',
    harness: (harness, alive) =>
      whereOpened(harness, () => {
        const opened = new Set<MessageQueue>();
        return (queue, place) => {
          opened.add(queue);
          return changed(queue, {
            async close(options) {
              const report = await queue.close(options);
              opened.delete(queue);
              for (const other of opened) {
                alive();
                await place.crash?.(other);
              }
              return report;
            },
          });
        };
      }),
  },
  {
    name: 'close-returns-sibling-work',
    wrong: 'close() returns whatever is in flight in the backend, whoever works on it.',
    driver(driver, alive, broker) {
      const receipts = receiptsOf.get(broker) ?? new Set();
      receiptsOf.set(broker, receipts);
      return changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          for (const { receipt } of leases) receipts.add(receipt);
          return leases;
        },
        async close() {
          const returns = [...receipts].map((receipt) => ({ receipt, delayMs: 0, reason: '', deadLetter: false }));
          const ours = await driver.nack(returns);
          if (ours.includes(true)) alive();
          await driver.close();
        },
      });
    },
  },
  {
    name: 'drop-before-ready',
    wrong: 'What is sent before the connection is ready is thrown away.',
    driver(driver, alive, { clock }) {
      const readyAt = clock.now() + 5;
      return changed(driver, {
        async push(events) {
          if (clock.now() >= readyAt) return driver.push(events);
          alive();
          return events.length;
        },
      });
    },
  },
  {
    name: 'reopen-stays-closed',
    wrong: 'That it is closed is remembered by name, and so for a queue that is opened again.',
    harness: (harness, alive) =>
      whereOpened(harness, () => {
        let closed = false;
        return async (queue) => {
          if (closed) {
            alive();
            await queue.close();
          }
          return changed(queue, {
            close(options) {
              closed = true;
              return queue.close(options);
            },
          });
        };
      }),
  },
  {
    name: 'pop-before-push-hangs',
    wrong: 'The first push makes the connection, and a pop that comes before it is never sent.',
    queue(queue, alive) {
      let connected = false;
      return changed(queue, {
        async push(event, options) {
          connected = true;
          await queue.push(event, options);
        },
        async pop(options) {
          if (connected) return queue.pop(options);
          alive();
          return never();
        },
      });
    },
  },
  {
    name: 'leak-interval',
    wrong: 'The timer of the heartbeat is not ended.',
    driver(driver, alive, { clock }) {
      const beat = (): void => void clock.schedule(beat, 1000);
      beat();
      return changed(driver, {
        async close() {
          alive();
          await driver.close();
        },
      });
    },
  },
  {
    name: 'leak-pop-timer',
    wrong: 'The timer of a pop that close() releases runs on.',
    queue: (queue, alive, { clock }) =>
      changed(queue, {
        async pop(options) {
          const { timeoutMs = 0 } = options ?? {};
          const timer = timeoutMs > 0 ? clock.schedule(() => {}, timeoutMs) : undefined;
          try {
            const delivery = await queue.pop(options);
            timer?.cancel();
            return delivery;
          } catch (error) {
            if (timer !== undefined) alive();
            throw error;
          }
        },
      }),
  },
  {
    name: 'leak-connection',
    wrong: 'The connection that the queue made is not ended.',
    harness(harness, alive) {
      const connections: { readonly port1: { close(): void } }[] = [];
      return untilStop(harness, {
        open() {
          const connection = new MessageChannel();
          // A port that somebody listens to keeps a process alive, as a socket does.
          connection.port1.addEventListener('message', () => {});
          connection.port1.start();
          connections.push(connection);
          alive();
        },
        stop() {
          for (const { port1 } of connections) port1.close();
        },
      });
    },
  },
  {
    name: 'leak-process-listener',
    wrong: 'Every queue listens to the end of the process, and never stops it.',
    harness(harness, alive) {
      const listeners: (() => void)[] = [];
      return untilStop(harness, {
        open() {
          const listener = (): void => {};
          process.on('beforeExit', listener);
          listeners.push(listener);
          alive();
        },
        stop() {
          for (const listener of listeners) process.removeListener('beforeExit', listener);
        },
      });
    },
  },
  {
    name: 'leak-signal-listener',
    wrong: 'The listener on the signal of a pop that close() releases stays.',
    queue: (queue, alive) =>
      changed(queue, {
        async pop(options) {
          const listener = (): void => {};
          options?.signal?.addEventListener('abort', listener);
          try {
            const delivery = await queue.pop(options);
            options?.signal?.removeEventListener('abort', listener);
            return delivery;
          } catch (error) {
            if (options?.signal !== undefined) alive();
            throw error;
          }
        },
      }),
  },
  {
    name: 'floating-rejection',
    wrong: 'A request that close() cuts off rejects, and nobody looks at it.',
    queue(queue, alive) {
      let requests = 0;
      return changed(queue, {
        async pop(options) {
          requests++;
          try {
            return await queue.pop(options);
          } finally {
            requests--;
          }
        },
        async close(options) {
          if (requests > 0) {
            alive();
            void Promise.reject(new Error('the connection was ended'));
          }
          return queue.close(options);
        },
      });
    },
  },
  {
    name: 'close-waits-net',
    wrong: 'close() waits until the backend is there again, to say goodbye.',
    queue: (queue, alive, broker) =>
      changed(queue, {
        async close(options) {
          while (!broker.up) {
            alive();
            await wait(broker.clock, 50);
          }
          return queue.close(options);
        },
      }),
  },
  {
    name: 'close-throws-in-outage',
    wrong: 'The failure of its last request is the failure of close().',
    queue: (queue, alive, broker) =>
      changed(queue, {
        async close(options) {
          const report = await queue.close(options);
          if (broker.up) return report;
          alive();
          throw new Error('read ECONNRESET');
        },
      }),
  },
  {
    name: 'close-hangs-pops-in-outage',
    wrong: 'A pop that lost its connection waits for the next one, also after close().',
    queue: (queue, alive, broker) =>
      changed(queue, {
        async pop(options) {
          try {
            return await queue.pop(options);
          } catch (error) {
            if (broker.up) throw error;
            alive();
            return never();
          }
        },
      }),
  },
  {
    name: 'close-counts-unreturned',
    wrong: 'The report counts as returned what could not be given back.',
    queue: (queue, alive) =>
      changed(queue, {
        async close(options) {
          const { returned, abandoned, deadLetters } = await queue.close(options);
          if (abandoned > 0) alive();
          return { returned: returned + abandoned, abandoned: 0, deadLetters };
        },
      }),
  },
];

/** `harness`, with something made by each opening, and ended only with the harness, so that no test after it finds it. */
function untilStop(harness: ConformanceHarness, { open, stop }: { open(): void; stop(): void }): ConformanceHarness {
  const opening = whereOpened(harness, () => (queue) => {
    open();
    return queue;
  });
  return { ...opening, stop: async () => stop() };
}
