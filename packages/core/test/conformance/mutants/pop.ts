import type { Delivery, LeasedEvent, MessageQueue, QueueDriver, WaitOptions } from '../../../src/index.ts';
import type { SimulatedBroker } from '../../../src/conformance.ts';
import { inTime } from '../../../src/bounded.ts';
import { type Alive, changed, type Mutant } from '../mutant.ts';
import { wait } from './around.ts';

/** Wrong about taking events out. */
export const popMutants: readonly Mutant[] = [
  {
    name: 'poll-at-deadline',
    wrong: 'A pop looks at once and again at the end of its time.',
    queue: (queue, alive, { clock }) =>
      changed(queue, {
        async pop(options = {}) {
          const first = await queue.pop({ ...options, timeoutMs: 0 });
          const { timeoutMs = 30_000, signal } = options;
          if (first !== undefined || timeoutMs === 0) return first;
          alive();
          await inTime(wait(clock, timeoutMs), { timeoutMs: Infinity, signal }, '', clock);
          return queue.pop({ ...options, timeoutMs: 0 });
        },
      }),
  },
  {
    name: 'no-limit-is-none',
    wrong: 'A time limit that is undefined counts as one of 0.',
    queue: (queue, alive) =>
      changed(queue, {
        pop(options = {}) {
          if (!('timeoutMs' in options) || options.timeoutMs !== undefined) return queue.pop(options);
          alive();
          return queue.pop({ ...options, timeoutMs: 0 });
        },
      }),
  },
  {
    name: 'infinity-is-a-moment',
    wrong: 'A time limit of Infinity is given to a timer, which takes it for 1 ms.',
    queue: (queue, alive) =>
      changed(queue, {
        pop(options = {}) {
          if (options.timeoutMs !== Infinity) return queue.pop(options);
          alive();
          return queue.pop({ ...options, timeoutMs: 1 });
        },
      }),
  },
  {
    name: 'wake-one',
    wrong: 'However many events are pushed in one turn, one pop is woken.',
    queue(queue, alive, broker) {
      const sleepers = sleepersOf(broker);
      let waking = false;
      const wake = (): void => {
        if (waking && sleepers.length > 0) alive();
        if (waking) return;
        waking = true;
        setImmediate(() => {
          waking = false;
          sleepers.shift()?.();
        });
      };
      return changed(queue, {
        async push(event, options) {
          await queue.push(event, options);
          wake();
        },
        async pop(options = {}) {
          for (;;) {
            const delivery = await queue.pop({ ...options, timeoutMs: 0 });
            if (delivery !== undefined || options.timeoutMs === 0) return delivery;
            const woken = new Promise<'woken'>((resolve) => void sleepers.push(() => resolve('woken')));
            if ((await ended(woken, options, broker)) !== 'woken') return undefined;
          }
        },
      });
    },
  },
  {
    name: 'check-then-wait',
    wrong: 'A pop looks, and begins to listen a moment later: what is pushed in between is not heard.',
    driver(driver, alive, broker) {
      const sleepers = sleepersOf(broker);
      return changed(driver, {
        async push(events) {
          const stored = await driver.push(events);
          for (const wake of sleepers.splice(0)) wake();
          return stored;
        },
        async pop(max, waitMs, signal) {
          const found = await driver.pop(max, 0, signal);
          if (found.length > 0 || waitMs === 0 || signal.aborted) return found;
          await wait(broker.clock, 2);
          if ((await driver.size()).ready > 0) alive();
          const pushed = new Promise<void>((resolve) => void sleepers.push(resolve));
          await Promise.race([pushed, abortOf(signal)]);
          return driver.pop(max, 0, signal);
        },
      });
    },
  },
  {
    name: 'ghost-waiter',
    wrong: 'The request of a pop that ran out of time goes on, and takes an event for nobody.',
    queue: (queue, alive, broker) =>
      changed(queue, {
        async pop(options = {}) {
          const { timeoutMs = Infinity, signal } = options;
          if (!(timeoutMs > 0) || timeoutMs === Infinity) return queue.pop(options);
          const asked = queue.pop({ signal });
          const delivery = await ended(asked, { timeoutMs }, broker);
          if (delivery === undefined) void noteLate(asked, alive);
          return delivery;
        },
      }),
  },
  {
    name: 'abort-loses-event',
    wrong: 'The request of a pop that was aborted goes on, and takes an event for nobody.',
    queue: (queue, alive, { clock }) =>
      changed(queue, {
        async pop(options = {}) {
          const { timeoutMs, signal } = options;
          if (signal === undefined || signal.aborted) return queue.pop(options);
          const asked = queue.pop({ timeoutMs });
          try {
            return await inTime(asked, { timeoutMs: Infinity, signal }, '', clock);
          } catch (error) {
            void noteLate(asked, alive);
            throw error;
          }
        },
      }),
  },
  {
    name: 'late-answer-dropped',
    wrong: 'Events that arrive when nobody waits for them any more are dropped.',
    delayMs: 10,
    driver: (driver, alive) =>
      changed(driver, {
        async pop(max, waitMs, signal) {
          const leases = await driver.pop(max, waitMs, signal);
          if (!signal.aborted || leases.length === 0) return leases;
          alive();
          return [];
        },
      }),
  },
  {
    name: 'false-empty',
    wrong: 'A pop that is woken for nothing comes back empty, whatever time it has left.',
    queue(queue, alive) {
      let pops = 0;
      return changed(queue, {
        async pop(options) {
          if (options?.timeoutMs === undefined || ++pops % 5 !== 0) return queue.pop(options);
          alive();
          return undefined;
        },
      });
    },
  },
  {
    name: 'contended-empty',
    wrong: 'Of two pops that reach for the same event, one comes back empty.',
    queue(queue, alive) {
      let reaching = false;
      return changed(queue, {
        async pop(options) {
          if (reaching && options?.timeoutMs !== undefined) {
            alive();
            return undefined;
          }
          reaching = true;
          try {
            return await queue.pop(options);
          } finally {
            reaching = false;
          }
        },
      });
    },
  },
  {
    name: 'double-deliver',
    wrong: 'Of two pops that reach for the same event, both get it.',
    queue(queue, alive) {
      let reaching: Promise<Delivery | undefined> | undefined;
      return changed(queue, {
        async pop(options) {
          if (reaching !== undefined) {
            const delivery = await reaching;
            if (delivery !== undefined) alive();
            return delivery;
          }
          reaching = queue.pop(options);
          try {
            return await reaching;
          } finally {
            reaching = undefined;
          }
        },
      });
    },
  },
  {
    name: 'broadcast',
    wrong: 'Each connection is a group of its own, and gets every event.',
    driver(_driver, alive, broker) {
      const number = connections.get(broker) ?? 0;
      connections.set(broker, number + 1);
      const own = broker.connect(`group ${number}`);
      return changed<QueueDriver<string>>(own, {
        async pop(max, waitMs, signal) {
          const leases = await own.pop(max, waitMs, signal);
          if (number > 0 && leases.length > 0) alive();
          return leases;
        },
      });
    },
  },
  {
    name: 'peek-not-lock',
    wrong: 'A pop only looks; the event is taken at the ack.',
    queue: (queue, alive) =>
      changed(queue, {
        async pop(options) {
          const delivery = await queue.pop(options);
          await delivery?.nack();
          if (delivery === undefined) return undefined;
          alive();
          return changed(delivery, {
            async ack() {
              await (await queue.pop({ timeoutMs: 0 }))?.ack();
            },
          });
        },
      }),
  },
  {
    name: 'latest-offset',
    wrong: 'A new consumer begins behind the events that are there.',
    driver(driver, alive) {
      let skipped = false;
      return changed(driver, {
        async pop(max, waitMs, signal) {
          if (!skipped) {
            skipped = true;
            const before = await driver.pop(1_000_000, 0, signal);
            if (before.length > 0) alive();
            await driver.ack(before.map(({ receipt }) => receipt));
          }
          return driver.pop(max, waitMs, signal);
        },
      });
    },
  },
  {
    name: 'pop-first-starves',
    wrong: 'A consumer that starts before there is anything to consume is assigned nothing, for good.',
    driver(driver, alive, { clock }) {
      let assigned: boolean | undefined;
      return changed(driver, {
        async pop(max, waitMs, signal): Promise<readonly LeasedEvent[]> {
          if (assigned === true) return driver.pop(max, waitMs, signal);
          const first = assigned === undefined ? await driver.pop(max, 0, signal) : [];
          assigned = first.length > 0;
          if (assigned) return first;
          alive();
          await Promise.race([wait(clock, waitMs), abortOf(signal)]);
          return [];
        },
      });
    },
  },
  {
    name: 'pop-many-exceeds-max',
    wrong: 'popMany brings a whole page of the backend, whatever max says.',
    queue: (queue, alive) =>
      changed(queue, {
        async popMany(max, options) {
          const page = await queue.popMany(Math.max(max, 10), options);
          if (page.length > max) alive();
          return page;
        },
      }),
  },
  {
    name: 'pop-many-drops-rest',
    wrong: 'Of a page of the backend, what is more than max is dropped.',
    queue: (queue, alive) =>
      changed(queue, {
        async popMany(max, options) {
          const page = await queue.popMany(Math.max(max, 10), options);
          if (page.length > max) alive();
          return page.slice(0, max);
        },
      }),
  },
  {
    name: 'pop-many-waits-for-all',
    wrong: 'popMany waits until it has as many as it may bring.',
    queue: (queue, alive, { clock }) =>
      changed(queue, {
        async popMany(max, options = {}) {
          const { timeoutMs = Infinity } = options;
          const deadline = clock.now() + timeoutMs;
          const deliveries: Delivery[] = [];
          while (deliveries.length < max) {
            const left = Math.max(0, deadline - clock.now());
            const page = await queue.popMany(max - deliveries.length, { ...options, timeoutMs: left });
            deliveries.push(...page);
            if (page.length === 0) break;
            if (deliveries.length < max) alive();
          }
          return deliveries;
        },
      }),
  },
  {
    name: 'pop-many-lingers',
    wrong: 'popMany of what is there waits for more until its time is over.',
    queue: (queue, alive, { clock }) =>
      changed(queue, {
        async popMany(max, options = {}) {
          const deadline = clock.now() + (options.timeoutMs ?? 30_000);
          const ready = await queue.popMany(max, { ...options, timeoutMs: 0 });
          if (ready.length === 0 || ready.length === max) return ready.length > 0 ? ready : queue.popMany(max, options);
          alive();
          const left = Math.max(0, deadline - clock.now());
          return [...ready, ...(await queue.popMany(max - ready.length, { ...options, timeoutMs: left }))];
        },
      }),
  },
  {
    name: 'pop-many-reversed',
    wrong: 'popMany brings its page from the end.',
    queue: (queue, alive) =>
      changed(queue, {
        async popMany(max, options) {
          const page = await queue.popMany(max, options);
          if (page.length > 1) alive();
          return page.toReversed();
        },
      }),
  },
  {
    name: 'lifo-waiters',
    wrong: 'Of the pops that wait, the latest is served first.',
    queue(queue, alive) {
      const waiting: ((delivery: Delivery | undefined) => void)[] = [];
      const serveLatest = async (asked: Promise<Delivery | undefined>): Promise<void> => {
        const delivery = await asked;
        if (waiting.length > 1) alive();
        waiting.pop()?.(delivery);
      };
      const pop = (options?: WaitOptions): Promise<Delivery | undefined> =>
        new Promise((resolve, reject) => {
          waiting.push(resolve);
          serveLatest(queue.pop(options)).catch(reject);
        });
      return changed<MessageQueue>(queue, { pop });
    },
  },
];

/** How many connections a broker has. */
const connections = new WeakMap<SimulatedBroker, number>();

/** Who sleeps on a broker until it is woken, over all its connections. */
const sleepers = new WeakMap<SimulatedBroker, (() => void)[]>();

function sleepersOf(broker: SimulatedBroker): (() => void)[] {
  const known = sleepers.get(broker) ?? [];
  sleepers.set(broker, known);
  return known;
}

/** `promise`, or `undefined` when the time of `options` is over. @throws the reason of the signal. */
async function ended<Result>(
  promise: Promise<Result>,
  { timeoutMs = Infinity, signal }: WaitOptions,
  { clock }: SimulatedBroker,
): Promise<Result | undefined> {
  const over = wait(clock, timeoutMs).then(() => undefined);
  return inTime(Promise.race([promise, over]), { timeoutMs: Infinity, signal }, '', clock);
}

function abortOf(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
  });
}

/** Notes that an event came for nobody. */
async function noteLate(asked: Promise<Delivery | undefined>, alive: Alive): Promise<void> {
  try {
    if ((await asked) !== undefined) alive();
  } catch {
    // The queue was closed, and nothing came.
  }
}
