import {
  type Capabilities,
  createDispatcher,
  type Delivery,
  type MessageQueue,
  type QueueDriver,
} from '../../src/index.ts';
import {
  type ConformanceHarness,
  type SimulatedBroker,
  simulatedHarness,
  type SimulatedProcess,
} from '../../src/conformance.ts';
import { instead as changed } from '../../src/conformance/watched-queue.ts';

export { changed };

/** What a mutant calls whenever it does what is wrong: one that never does would prove nothing by being caught or not. */
export type Alive = () => void;

/** A queue that is wrong in exactly one way, and right in every other. */
export interface Mutant {
  /** As rules name it. */
  readonly name: string;
  /** What is wrong, as a sentence about it. */
  readonly wrong: string;
  /** What it declares otherwise than a correct queue on the simulated broker. */
  readonly capabilities?: Partial<Capabilities>;
  /** How long requests travel, in milliseconds, where the fault shows only on a slow link. */
  readonly delayMs?: number;
  /** Wrong on its way to the backend. Made once per connection. @param process is the one that makes the connection. */
  readonly driver?: (
    driver: QueueDriver<string>,
    alive: Alive,
    broker: SimulatedBroker,
    process: SimulatedProcess,
  ) => QueueDriver<string>;
  /** Wrong on its way to the user. Made once per connection. */
  readonly queue?: (queue: MessageQueue, alive: Alive, broker: SimulatedBroker) => MessageQueue;
  /** Wrong around the queue. */
  readonly harness?: (harness: ConformanceHarness, alive: Alive) => ConformanceHarness;
  /** A dispatcher that is wrong, on a queue that is right. */
  readonly dispatchers?: (correct: typeof createDispatcher, alive: Alive) => typeof createDispatcher;
}

/** A harness of `mutant`. Each call makes a new world. */
export function harnessOf(mutant: Mutant, alive: Alive): ConformanceHarness {
  const { name, capabilities, delayMs, driver, queue, harness } = mutant;
  const simulated = simulatedHarness({
    name,
    capabilities,
    delayMs,
    driver: driver && ((correct, broker, process) => driver(correct, alive, broker, process)),
    queue: queue && ((correct, broker) => queue(correct, alive, broker)),
  });
  return harness?.(simulated, alive) ?? simulated;
}

/** What makes the dispatchers of `mutant`. */
export function dispatchersOf({ dispatchers }: Mutant, alive: Alive): typeof createDispatcher {
  return dispatchers?.(createDispatcher, alive) ?? createDispatcher;
}

/** `queue`, with every delivery of `pop` and `popMany` changed. */
export function withDeliveries(queue: MessageQueue, change: (delivery: Delivery) => Delivery): MessageQueue {
  return changed(queue, {
    async pop(options) {
      const delivery = await queue.pop(options);
      return delivery === undefined ? undefined : change(delivery);
    },
    async popMany(max, options) {
      return (await queue.popMany(max, options)).map((delivery) => change(delivery));
    },
  });
}

type Leases = Awaited<ReturnType<QueueDriver['pop']>>;

/** `driver`, with every lease changed. */
export function withLeases(
  driver: QueueDriver<string>,
  change: (lease: Leases[number]) => Leases[number],
): QueueDriver<string> {
  return changed(driver, {
    pop: async (max, waitMs, signal) => (await driver.pop(max, waitMs, signal)).map((lease) => change(lease)),
  });
}
