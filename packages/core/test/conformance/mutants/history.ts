import { type Delivery, isNqError, type LeasedEvent, type MessageQueue, NqError } from '../../../src/index.ts';
import type { SimulatedBroker } from '../../../src/conformance.ts';
import { changed, type Mutant, withDeliveries } from '../mutant.ts';

/** Queues that go wrong under load, and queues that reject with the wrong things. */
export const historyMutants: readonly Mutant[] = [
  {
    name: 'loses-under-contention',
    wrong: 'Of two pushes that reach the backend at once, one overwrites the other.',
    delayMs: 1,
    driver(driver, alive, broker) {
      const world = worldOf(broker);
      return changed(driver, {
        async push(events) {
          const isAlone = world.pushing === 0;
          world.pushing++;
          try {
            if (isAlone) return await driver.push(events);
            const { ready, delayed } = await driver.size();
            const lost = Math.min(events.length, Math.max(0, driver.capacity - ready - delayed));
            if (lost > 0) alive();
            return lost;
          } finally {
            world.pushing--;
          }
        },
      });
    },
  },
  {
    name: 'loses-at-a-page-end',
    wrong: 'The last event of every page of 64 is lost.',
    driver(driver, alive, broker) {
      const world = worldOf(broker);
      return changed(driver, {
        async push(events) {
          const kept = events.filter((_event, index) => (world.stored + index) % 64 !== 63);
          const stored = await driver.push(kept);
          if (stored < kept.length) return Math.min(stored, events.length);
          if (kept.length < events.length) alive();
          world.stored += events.length;
          return events.length;
        },
      });
    },
  },
  {
    name: 'checks-room-then-stores',
    wrong: 'Whether there is room is looked at in one step, and the event is stored in another.',
    delayMs: 1,
    harness: (harness, alive) => ({
      ...harness,
      async namespace(id) {
        const namespace = await harness.namespace(id);
        return {
          ...namespace,
          async open(options) {
            const { capacity = 1000 } = options;
            const queue = await namespace.open({ ...options, capacity: 10 * capacity });
            const push: MessageQueue['push'] = async (event, { timeoutMs = Infinity } = {}) => {
              const { clock } = harness;
              const deadline = (clock?.now() ?? 0) + timeoutMs;
              for (;;) {
                const { ready, delayed } = await queue.size();
                if (ready + delayed < capacity) break;
                if (timeoutMs === 0) throw new NqError('NQ_FULL', 'Cannot push: no room now');
                if ((clock?.now() ?? 0) >= deadline) throw new NqError('NQ_TIMEOUT', 'Cannot push: no room in time');
                await new Promise<void>((resolve) => {
                  clock?.schedule(resolve, 5);
                });
              }
              await queue.push(event);
              const { ready, delayed } = await queue.size();
              if (ready + delayed > capacity) alive();
            };
            const smaller = changed(queue, { capacity, push });
            inner.set(smaller, queue);
            return smaller;
          },
          crash: (queue) => namespace.crash?.((inner.get(queue) as typeof queue | undefined) ?? queue),
        };
      },
    }),
  },
  {
    name: 'gives-up-a-lost-race',
    wrong: 'A pop that loses an event to another consumer answers that there is none.',
    delayMs: 1,
    queue(queue, alive, broker) {
      const world = worldOf(broker);
      return changed(queue, {
        async pop(options) {
          const given = options?.signal === undefined ? [] : [options.signal];
          const lost = new AbortController();
          const lose = (): void => lost.abort();
          world.losers.add(lose);
          try {
            const delivery = await queue.pop({ ...options, signal: AbortSignal.any([lost.signal, ...given]) });
            world.losers.delete(lose);
            if (delivery !== undefined) for (const other of world.losers) other();
            return delivery;
          } catch (error) {
            if (!lost.signal.aborted) throw error;
            alive();
            return undefined;
          } finally {
            world.losers.delete(lose);
          }
        },
      });
    },
  },
  {
    name: 'hands-out-twice',
    wrong: 'Two consumers that ask at once can be given the same event.',
    driver(driver, alive, broker) {
      const world = worldOf(broker);
      return changed(driver, {
        async pop(max, waitMs, signal) {
          const { shown } = world;
          if (shown !== undefined && shown.to !== driver) {
            world.shown = undefined;
            alive();
            return [shown.lease];
          }
          world.popping++;
          try {
            const leases = await driver.pop(max, waitMs, signal);
            const [lease] = leases;
            if (lease !== undefined && world.popping > 1) world.shown = { lease, to: driver };
            return leases;
          } finally {
            world.popping--;
          }
        },
      });
    },
  },
  {
    name: 'swaps-data-in-a-batch',
    wrong: 'Of events that travel together, the first has the data of the second, and the second that of the first.',
    driver: (driver, alive) =>
      changed(driver, {
        async push(events) {
          const [first, second, ...others] = events;
          if (first === undefined || second === undefined) return driver.push(events);
          alive();
          const [one, two] = [first, second].map((text) => JSON.parse(text) as { data: unknown });
          const swapped = [
            { ...one, data: two?.data },
            { ...two, data: one?.data },
          ].map((event) => JSON.stringify(event));
          return driver.push([...swapped, ...others]);
        },
      }),
  },
  {
    name: 'swaps-a-page-end',
    wrong: 'The last event of every page of 16 is stored after the first of the next one.',
    driver(driver, alive) {
      let stored = 0;
      let kept: string | undefined;
      return changed(driver, {
        async push(events) {
          const [first] = events;
          if (kept === undefined && events.length === 1 && first !== undefined && stored % 16 === 15) {
            kept = first;
            stored++;
            return 1;
          }
          const count = await driver.push(events);
          stored += count;
          if (kept !== undefined && count === events.length) {
            alive();
            if ((await driver.push([kept])) === 1) kept = undefined;
          }
          return count;
        },
      });
    },
  },
  {
    name: 'loses-dead-letters',
    wrong: 'An event that is given up is forgotten.',
    driver: (driver, alive) =>
      changed(driver, {
        async nack(returns) {
          const answers: boolean[] = [];
          for (const back of returns) {
            if (back.deadLetter) alive();
            const [answer] = back.deadLetter ? await driver.ack([back.receipt]) : await driver.nack([back]);
            answers.push(answer === true);
          }
          return answers;
        },
      }),
  },
  {
    name: 'buries-and-returns',
    wrong: 'An event that is given up is handed out again all the same.',
    driver(driver, alive) {
      const texts = new Map<unknown, string>();
      return changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          for (const { receipt, event } of leases) texts.set(receipt, driver.encode(event));
          return leases;
        },
        async nack(returns) {
          const answers = await driver.nack(returns);
          for (const { receipt, deadLetter } of returns) {
            const text = texts.get(receipt);
            if (deadLetter && text !== undefined && (await driver.push([text])) === 1) alive();
          }
          return answers;
        },
      });
    },
  },
  {
    name: 'drops-a-nack-when-full',
    wrong: 'An event that comes back while there is no room is dropped.',
    driver: (driver, alive) =>
      changed(driver, {
        async nack(returns) {
          const { ready, delayed } = await driver.size();
          if (ready + delayed < driver.capacity) return driver.nack(returns);
          alive();
          return driver.ack(returns.map(({ receipt }) => receipt));
        },
      }),
  },
  {
    name: 'acknowledges-what-it-closes-on',
    wrong: 'close() acknowledges what its consumer still holds.',
    queue(queue, alive) {
      const held = new Set<Delivery>();
      const observed = withDeliveries(queue, (delivery) => {
        held.add(delivery);
        const settle = async (settled: Promise<void>): Promise<void> => {
          await settled;
          held.delete(delivery);
        };
        return changed(delivery, {
          ack: () => settle(delivery.ack()),
          nack: (options) => settle(delivery.nack(options)),
        });
      });
      return changed(observed, {
        async close(options) {
          for (const delivery of held) await delivery.ack().then(alive, () => {});
          return queue.close(options);
        },
      });
    },
  },
  {
    name: 'raw-error',
    wrong: 'The error of the client library comes out as it is.',
    queue: (queue, alive) => withRejections(queue, (error) => rawOf(error, alive)),
  },
  {
    name: 'raw-error-of-a-settlement',
    wrong: 'The error of the client library comes out of a settlement as it is.',
    queue: (queue, alive) =>
      withDeliveries(queue, (delivery) =>
        changed(delivery, { ack: () => or(delivery.ack(), (error) => rawOf(error, alive)) }),
      ),
  },
  {
    name: 'unknown-code',
    wrong: 'An error has a code that is in no table.',
    queue: (queue, alive) =>
      withRejections(queue, (error) => {
        if (!isNqError(error, 'NQ_UNAVAILABLE')) return error;
        alive();
        return new NqError('NQ_DISCONNECTED' as 'NQ_UNAVAILABLE', error.message);
      }),
  },
  {
    name: 'throws-a-text',
    wrong: 'A call after close() rejects with a text.',
    queue: (queue, alive) =>
      withRejections(queue, (error) => {
        if (!isNqError(error, 'NQ_CLOSED')) return error;
        alive();
        return error.message;
      }),
  },
  {
    name: 'payload-in-message',
    wrong: 'The error about data that cannot be written shows the data.',
    queue: (queue, alive) =>
      changed(queue, {
        push: (event, options) =>
          or(queue.push(event, options), (error) => {
            if (!isNqError(error, 'NQ_PAYLOAD')) return error;
            alive();
            const members = typeof event.data === 'object' ? Object.entries(event.data as object) : [event.data];
            return new NqError('NQ_PAYLOAD', `Cannot encode ${members.join(' ')}`);
          }),
      }),
  },
  {
    name: 'payload-in-misuse',
    wrong: 'The error about an event that is none shows the event.',
    queue: (queue, alive) =>
      changed(queue, {
        push: (event, options) =>
          or(queue.push(event, options), (error) => {
            if (!(error instanceof TypeError)) return error;
            alive();
            return new TypeError(`Cannot push ${JSON.stringify(event)}`);
          }),
      }),
  },
  {
    name: 'headers-in-message',
    wrong: 'The error about a full queue shows the headers of the event.',
    queue: (queue, alive) =>
      changed(queue, {
        push: (event, options) =>
          or(queue.push(event, options), (error) => {
            if (!isNqError(error, 'NQ_FULL')) return error;
            alive();
            return new NqError('NQ_FULL', `no room for ${event.type} ${JSON.stringify(event.headers)}`);
          }),
      }),
  },
];

/** What the connections of a mutant have in common. */
interface World {
  pushing: number;
  popping: number;
  stored: number;
  readonly losers: Set<() => void>;
  /** A lease that somebody else is shown too, and who has it. */
  shown: { readonly lease: LeasedEvent; readonly to: unknown } | undefined;
}

const worlds = new WeakMap<SimulatedBroker, World>();

function worldOf(broker: SimulatedBroker): World {
  const world = worlds.get(broker) ?? { pushing: 0, popping: 0, stored: 0, losers: new Set(), shown: undefined };
  worlds.set(broker, world);
  return world;
}

/** The queues of which queues were made. */
const inner = new WeakMap<object, unknown>();

/** `call`, but what it rejects with is what `change` makes of it. */
async function or<Result>(call: Promise<Result>, change: (error: unknown) => unknown): Promise<Result> {
  try {
    return await call;
  } catch (error) {
    throw change(error);
  }
}

function withRejections(queue: MessageQueue, change: (error: unknown) => unknown): MessageQueue {
  return changed(queue, {
    push: (event, options) => or(queue.push(event, options), change),
    pop: (options) => or(queue.pop(options), change),
    size: () => or(queue.size(), change),
  });
}

function rawOf(error: unknown, alive: () => void): unknown {
  if (!isNqError(error) || error.cause === undefined) return error;
  alive();
  return error.cause;
}
