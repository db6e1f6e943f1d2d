import type { EventInput, LeasedEvent, MessageQueue, QueueDriver, QueueEvent } from '../../../src/index.ts';
import { decodeEvent } from '../../../src/cloudevents.ts';
import type { SimulatedBroker } from '../../../src/conformance.ts';
import { type Alive, changed, type Mutant, withLeases } from '../mutant.ts';
import { withEncoding } from './calls.ts';

/** Wrong about what the id and the time of an event are. */
export const identityMutants: readonly Mutant[] = [
  {
    name: 'orders-by-time',
    wrong: 'Events are kept in a set that is sorted by their time.',
    driver: (driver, alive, broker) => sortedBy(driver, alive, broker, ({ time }) => time),
  },
  {
    name: 'waits-since-time',
    wrong: 'How long an event has waited is counted from its time.',
    driver: (driver, alive, { clock }) =>
      withLeases(driver, (lease) => {
        alive();
        return { ...lease, waitedMs: clock.date() - lease.event.time };
      }),
  },
  {
    name: 'waits-since-time-clamped',
    wrong: 'How long an event has waited is counted from its time, and never negative.',
    driver: (driver, alive, { clock }) =>
      withLeases(driver, (lease) => {
        alive();
        return { ...lease, waitedMs: Math.max(0, clock.date() - lease.event.time) };
      }),
  },
  {
    name: 'ages-since-time',
    wrong: 'The age of the oldest event is counted from its time.',
    driver(driver, alive, { clock }) {
      let oldest = Infinity;
      return changed(driver, {
        async push(events) {
          for (const event of events) oldest = Math.min(oldest, decodeEvent(event).time);
          return driver.push(events);
        },
        async size() {
          const size = await driver.size();
          if (size.ready === 0 || oldest === Infinity) return size;
          alive();
          return { ...size, oldestAgeMs: Math.max(0, clock.date() - oldest) };
        },
      });
    },
  },
  {
    name: 'id-becomes-a-number',
    wrong: 'An id that looks like a number is kept as one.',
    driver: (driver, alive) =>
      withEncoding(driver, alive, (event) =>
        /^0\d+$/.test(event.id) ? { ...event, id: String(Number(event.id)) } : undefined,
      ),
  },
  {
    name: 'receipt-is-split',
    wrong: 'A receipt is the id and a number with a colon between, and is taken apart at the first colon.',
    driver: (driver, alive) => withTextReceipts(driver, alive),
  },
  {
    name: 'ids-by-date',
    wrong: 'The id of an event that has none is the millisecond of its push.',
    queue: (queue, alive, { clock }) =>
      withInputs(queue, (event) => {
        if (event.id !== undefined) return event;
        alive();
        return { ...event, id: `event-${clock.date()}` };
      }),
  },
  {
    name: 'ids-by-counter',
    wrong: 'The id of an event that has none is a number which each connection counts for itself.',
    queue(queue, alive) {
      let count = 0;
      return withInputs(queue, (event) => {
        if (event.id !== undefined) return event;
        alive();
        return { ...event, id: `event-${count++}` };
      });
    },
  },
  {
    name: 'id-written-into-input',
    wrong: 'The id that is made is written into the object of the producer.',
    queue: (queue, alive) =>
      withInputs(queue, (event) => {
        if (event.id !== undefined || !Object.isExtensible(event)) return event;
        alive();
        return Object.assign(event, { id: crypto.randomUUID() });
      }),
  },
];

/** `queue`, with other events than were given. What is no event stays as it is. */
function withInputs(queue: MessageQueue, change: (event: EventInput) => EventInput): MessageQueue {
  const isEvent = (event: unknown): boolean => typeof event === 'object' && event !== null;
  const changeIf = (event: EventInput): EventInput => (isEvent(event) ? change(event) : event);
  return changed(queue, {
    push: (event, options) => queue.push(changeIf(event), options),
    pushMany: (events, options) =>
      queue.pushMany(Array.isArray(events) ? (events as EventInput[]).map(changeIf) : events, options),
  });
}

/** What is behind the others although it is older, over all connections of a broker. */
const heaps = new WeakMap<SimulatedBroker, LeasedEvent[]>();

/** `driver`, which hands out what is ready by the time that it has for `timeOf`. */
export function sortedBy(
  driver: QueueDriver<string>,
  alive: Alive,
  broker: SimulatedBroker,
  timeOf: (event: QueueEvent) => number,
): QueueDriver<string> {
  const sorted = heaps.get(broker) ?? [];
  heaps.set(broker, sorted);
  return changed(driver, {
    async pop(max, waitMs, signal) {
      const came = await driver.pop(1_000_000, sorted.length > 0 ? 0 : waitMs, signal);
      const before = [...sorted, ...came];
      const after = before.toSorted((a, b) => timeOf(a.event) - timeOf(b.event));
      if (after.some((lease, place) => lease !== before[place])) alive();
      sorted.splice(0, Infinity, ...after);
      return sorted.splice(0, max);
    },
  });
}

/** `driver`, whose receipts are texts. */
function withTextReceipts(driver: QueueDriver<string>, alive: Alive): QueueDriver<string> {
  let count = 0;
  const receipts = new Map<string, unknown>();
  const partsOf = (text: string): string => text.split(':')[1] as string;
  const find = (text: unknown): unknown => receipts.get(partsOf(text as string)) ?? text;
  return changed(
    withLeases(driver, (lease) => {
      const text = `${lease.event.id}:${count++}`;
      if (lease.event.id.includes(':')) alive();
      receipts.set(partsOf(text), lease.receipt);
      return { ...lease, receipt: text };
    }),
    {
      ack: (texts) => driver.ack(texts.map(find)),
      nack: (returns) => driver.nack(returns.map((one) => ({ ...one, receipt: find(one.receipt) }))),
      extend: async (texts, ms) => (await driver.extend?.(texts.map(find), ms)) ?? [],
    },
  );
}
