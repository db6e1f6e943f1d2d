import type { QueueDriver } from '../../src/index.ts';
import type { SimulatedBroker } from '../../src/conformance.ts';
import { changed } from './mutant.ts';

/** An event that was pushed, and when. */
interface LoggedEvent {
  readonly record: string;
  readonly at: number;
}

/** How a driver goes back. */
interface Rewinding {
  readonly driver: QueueDriver<string>;
  /** Everything that was ever pushed, over all connections. */
  readonly log: readonly LoggedEvent[];
  /** Takes out what is ready. */
  dropReady(): Promise<void>;
  /** Makes events ready again. */
  again(events: readonly LoggedEvent[]): Promise<void>;
}

/** What goes back to `time`. */
export type Rewind = (time: number, rewinding: Rewinding) => Promise<void>;

const logs = new WeakMap<SimulatedBroker, LoggedEvent[]>();

/** What a correct queue does: whatever is later than `time` is ready again, and ready once. */
export const rewindTo: Rewind = async (time, { log, dropReady, again }) => {
  await dropReady();
  await again(log.filter(({ at }) => at >= time));
};

/** `driver`, with a log from which it hands out again. Its capabilities have to declare `replay`. */
export function withRewind(
  driver: QueueDriver<string>,
  broker: SimulatedBroker,
  rewind: Rewind = rewindTo,
): QueueDriver<string> {
  const log = logs.get(broker) ?? [];
  logs.set(broker, log);
  return changed(driver, {
    async push(events) {
      const at = broker.clock.date();
      const stored = await driver.push(events);
      log.push(...events.slice(0, stored).map((record) => ({ record, at })));
      return stored;
    },
    rewind: (position) =>
      rewind('time' in position ? position.time : Number(position.position), {
        driver,
        log,
        async dropReady() {
          const leases = await driver.pop(1_000_000, 0, new AbortController().signal);
          await driver.ack(leases.map(({ receipt }) => receipt));
        },
        async again(events) {
          await driver.push(events.map(({ record }) => record));
        },
      }),
  });
}
