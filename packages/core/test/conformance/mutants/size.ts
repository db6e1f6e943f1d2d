import { type MessageQueue, NqError, type QueueSize } from '../../../src/index.ts';
import type { ConformanceHarness, SimulatedBroker } from '../../../src/conformance.ts';
import { changed, type Mutant, withLeases } from '../mutant.ts';
import { wait, whereEntered } from './around.ts';

/** Wrong about how much there is, and how much there may be. */
export const sizeMutants: readonly Mutant[] = [
  {
    name: 'capacity-counts-in-flight',
    wrong: 'What is in flight takes room.',
    driver: (driver, alive) =>
      changed(driver, {
        async push(events) {
          const { ready, inFlight, delayed } = await driver.size();
          const room = Math.max(0, driver.capacity - ready - delayed - inFlight);
          if (inFlight > 0 && room < events.length) alive();
          return room === 0 ? 0 : driver.push(events.slice(0, room));
        },
      }),
  },
  {
    name: 'capacity-forgets-returned',
    wrong: 'Each hand-out makes room for a push, and giving the event back takes none.',
    harness: (harness, alive) =>
      withOwnBound(harness, () => {
        let handedOut = 0;
        let stored = 0;
        return {
          handedOut(attempt) {
            if (attempt > 1) alive();
            handedOut++;
          },
          stored: () => void stored++,
          used: () => stored - handedOut,
        };
      }),
  },
  {
    name: 'capacity-ignores-delayed',
    wrong: 'What is delayed takes no room.',
    harness: (harness, alive) =>
      withOwnBound(harness, () => ({
        used({ ready, delayed }) {
          if (delayed > 0) alive();
          return ready;
        },
      })),
  },
  {
    name: 'capacity-shrinks',
    wrong: 'The capacity that is told is the room that was left after the latest push.',
    queue(queue, alive) {
      let room = queue.capacity;
      const look = async (): Promise<void> => {
        const { ready, delayed } = await queue.size();
        room = Math.max(0, queue.capacity - ready - delayed);
        if (room < queue.capacity) alive();
      };
      return changed(queue, {
        get capacity() {
          return room;
        },
        async push(event, options) {
          await queue.push(event, options);
          await look();
        },
        async pushMany(events, options) {
          await queue.pushMany(events, options);
          await look();
        },
      });
    },
  },
  {
    name: 'nack-refused-when-full',
    wrong: 'An event cannot be given back to a queue that is full.',
    driver: (driver, alive) =>
      changed(driver, {
        async nack(returns) {
          const { ready, delayed } = await driver.size();
          if (ready + delayed < driver.capacity) return driver.nack(returns);
          alive();
          throw new NqError('NQ_FULL', 'Cannot nack: no room now');
        },
      }),
  },
  {
    name: 'none-but-bounded',
    wrong: 'No limit is declared, and after 1000 events there is no room.',
    capabilities: { capacity: 'none' },
    driver: (driver, alive) =>
      changed(driver, {
        async push(events) {
          const { ready, delayed } = await driver.size();
          const room = Math.max(0, 1000 - ready - delayed);
          if (room < events.length) alive();
          return room === 0 ? 0 : driver.push(events.slice(0, room));
        },
      }),
  },
  counting('size-counts-in-flight', 'What is in flight counts as ready, too.', (size) => ({
    ready: size.ready + size.inFlight,
  })),
  counting('size-negative', 'What is in flight is subtracted from what is ready a second time.', (size) => ({
    ready: size.ready - size.inFlight,
  })),
  counting('size-forgets-delayed', 'What is delayed is not counted.', () => ({ delayed: 0 })),
  counting('size-age-is-no-number', 'Where nothing is ready, the age of the oldest event is NaN.', (size) =>
    size.ready === 0 ? { oldestAgeMs: Number.NaN } : {},
  ),
  {
    name: 'size-stuck',
    wrong: 'size() is counted once, and answered for ever.',
    queue(queue, alive) {
      let counted: Promise<QueueSize> | undefined;
      return changed(queue, {
        size() {
          if (counted !== undefined) alive();
          counted ??= queue.size();
          return counted;
        },
      });
    },
  },
  {
    name: 'size-counts-ended-lease',
    wrong: 'What was handed out counts as in flight until it is settled or handed out again, leased or not.',
    driver(driver, alive, broker) {
      const held = heldOf(broker);
      const settled = (receipts: readonly unknown[]): void => {
        for (const [id, receipt] of held) if (receipts.includes(receipt)) held.delete(id);
      };
      const remembering = withLeases(driver, (lease) => {
        held.set(lease.event.id, lease.receipt);
        return lease;
      });
      return changed(remembering, {
        ack(receipts) {
          settled(receipts);
          return driver.ack(receipts);
        },
        nack(returns) {
          settled(returns.map(({ receipt }) => receipt));
          return driver.nack(returns);
        },
        async size() {
          const size = await driver.size();
          const over = Math.max(0, held.size - size.inFlight);
          if (over > 0) alive();
          return { ...size, ready: size.ready - over, inFlight: size.inFlight + over };
        },
      });
    },
  },
  {
    name: 'size-counts-ended-delay',
    wrong: 'What was given back with a delay counts as delayed until a pop has looked for delays that have ended.',
    driver(driver, alive, broker) {
      const { clock } = broker;
      /** When the delays end that no pop has seen the end of. */
      let ends: number[] = [];
      return changed(driver, {
        nack(returns) {
          for (const { delayMs } of returns) if (delayMs > 0) ends.push(clock.now() + delayMs);
          return driver.nack(returns);
        },
        pop(max, waitMs, signal) {
          ends = ends.filter((end) => end > clock.now());
          return driver.pop(max, waitMs, signal);
        },
        async size() {
          const size = await driver.size();
          const over = Math.min(size.ready, ends.filter((end) => end <= clock.now()).length);
          if (over > 0) alive();
          return { ...size, ready: size.ready - over, delayed: size.delayed + over };
        },
      });
    },
  },
  {
    name: 'destructive-size',
    wrong: 'size() takes everything out to count it, and gives it back.',
    driver: (driver, alive) =>
      changed(driver, {
        async size() {
          const size = await driver.size();
          const leases = await driver.pop(1_000_000, 0, new AbortController().signal);
          if (leases.length > 0) alive();
          await driver.nack(leases.map(({ receipt }) => ({ receipt, delayMs: 0, reason: '', deadLetter: false })));
          return size;
        },
      }),
  },
];

/** The latest receipt of each event that is not settled, over all connections of a broker. */
const heldBy = new WeakMap<SimulatedBroker, Map<string, unknown>>();

function heldOf(broker: SimulatedBroker): Map<string, unknown> {
  const held = heldBy.get(broker) ?? new Map<string, unknown>();
  heldBy.set(broker, held);
  return held;
}

/** A queue that counts otherwise. */
function counting(name: string, wrong: string, change: (size: QueueSize) => Partial<QueueSize>): Mutant {
  return {
    name,
    wrong,
    queue: (queue, alive) =>
      changed(queue, {
        async size() {
          const size = await queue.size();
          const other = { ...size, ...change(size) };
          const names = ['ready', 'inFlight', 'delayed', 'oldestAgeMs'] as const;
          if (names.some((member) => !Object.is(size[member], other[member]))) alive();
          return other;
        },
      }),
  };
}

/** How many places of a queue are taken, as a mutant counts them. */
interface OwnBound {
  readonly used: (size: QueueSize) => number;
  readonly stored?: () => void;
  readonly handedOut?: (attempt: number) => void;
}

/** `harness`, with queues whose bound is kept in another way. One push after the other, so that it is kept exactly. */
function withOwnBound(harness: ConformanceHarness, boundOf: () => OwnBound): ConformanceHarness {
  return whereEntered(harness, (place) => {
    const bound = boundOf();
    let last: Promise<void> = Promise.resolve();
    const oneByOne = (work: () => Promise<void>): Promise<void> => {
      const done = last.then(work);
      last = done.catch(() => {});
      return done;
    };
    return {
      ...place,
      async open(options) {
        const { capacity = 1000 } = options;
        // Room for whatever the mutant lets pass.
        const queue = await place.open({ ...options, capacity: 10 * capacity });
        const push: MessageQueue['push'] = (event, { timeoutMs = Infinity } = {}) =>
          oneByOne(async () => {
            const { clock } = harness;
            if (clock === undefined) throw new Error('a simulated harness has a clock');
            const deadline = clock.now() + timeoutMs;
            while (bound.used(await queue.size()) >= capacity) {
              if (timeoutMs === 0) throw new NqError('NQ_FULL', 'Cannot push: no room now');
              if (clock.now() >= deadline) throw new NqError('NQ_TIMEOUT', 'Cannot push: no room in time');
              await wait(clock, 5);
            }
            await queue.push(event);
            bound.stored?.();
          });
        return changed<MessageQueue>(queue, {
          capacity,
          push,
          async pushMany(events, limits) {
            for (const event of events) await push(event, limits);
          },
          async pop(limits) {
            const delivery = await queue.pop(limits);
            if (delivery !== undefined) bound.handedOut?.(delivery.attempt);
            return delivery;
          },
          async popMany(max, limits) {
            const deliveries = await queue.popMany(max, limits);
            for (const { attempt } of deliveries) bound.handedOut?.(attempt);
            return deliveries;
          },
        });
      },
    };
  });
}
