import type { Capabilities } from '../../capabilities.ts';
import type { Clock } from '../../clock.ts';
import { createQueue } from '../../create-queue.ts';
import type { QueueDriver } from '../../driver.ts';
import type { MessageQueue } from '../../queue.ts';
import { virtualClock } from '../../testing/virtual-clock.ts';
import type { ConformanceHarness, Namespace, OpenOptions } from '../harness.ts';
import { SimulatedBroker, type SimulatedConnection } from './simulated-broker.ts';
import { simulatedPeer } from './simulated-peer.ts';

/** A day that nobody takes for no time at all: 1 January 2026. */
const startDate = Date.UTC(2026, 0, 1);

/** One of the processes of a simulated harness. */
export interface SimulatedProcess {
  /** 0 for this process; the others are counted from 1. */
  readonly number: number;
  /** Its clock, of which `date()` may differ from that of the broker. */
  readonly clock: Clock;
}

/** How the queues of a simulated harness differ from the correct ones. */
export interface SimulatedHarnessOptions {
  /** @default simulated broker */
  readonly name?: string | undefined;
  /** What is declared otherwise. */
  readonly capabilities?: Partial<Capabilities> | undefined;
  /** How long requests and answers travel, in milliseconds. @default 0 */
  readonly delayMs?: number | undefined;
  /** Changes the driver of each connection. @param process is the one that makes the connection. */
  readonly driver?:
    | ((driver: QueueDriver<string>, broker: SimulatedBroker, process: SimulatedProcess) => QueueDriver<string>)
    | undefined;
  /** Changes the queue of each connection. */
  readonly queue?: ((queue: MessageQueue, broker: SimulatedBroker) => MessageQueue) | undefined;
}

/** A harness with every hook, on a simulated broker and a virtual clock: a run takes no longer than its computing. */
export function simulatedHarness(options: SimulatedHarnessOptions = {}): ConformanceHarness {
  const clock = virtualClock({ startDate });
  const { name = 'simulated broker', capabilities, delayMs = 0 } = options;
  return {
    name,
    clock,
    drive: (work) => clock.run(work),
    namespace(): Namespace {
      let broker: SimulatedBroker | undefined;
      const here: SimulatedProcess = { number: 0, clock };
      const connections = new Map<
        MessageQueue,
        { readonly connection: SimulatedConnection; readonly process: SimulatedProcess }
      >();
      const theBroker = (): SimulatedBroker => {
        if (broker === undefined) throw new Error('open the queue first');
        return broker;
      };
      const open = ({ capacity, leaseMs, group }: OpenOptions, process = here): MessageQueue => {
        if (broker === undefined) {
          // Who declares that there is no limit has none, whatever a rule asks for.
          const room = capabilities?.capacity === 'none' ? Infinity : capacity;
          broker = new SimulatedBroker({ clock, capacity: room, leaseMs, capabilities });
          broker.delayMs = delayMs;
        }
        const connection = broker.connect(group);
        const driver = options.driver?.(connection, broker, process) ?? connection;
        const correct = createQueue(driver, { clock: process.clock });
        const queue = options.queue?.(correct, broker) ?? correct;
        connections.set(queue, { connection, process });
        return queue;
      };
      let processes = 0;
      return {
        open: (wanted) => open(wanted),
        faults: {
          cut: () => theBroker().cut(),
          cutBeforeAnswer() {
            theBroker().cutsBeforeAnswer = true;
          },
          heal: () => theBroker().heal(),
          delay(ms) {
            theBroker().delayMs = ms;
          },
          restart: () => theBroker().restart(),
        },
        crash: (queue) => connections.get(queue)?.connection.kill(),
        fork() {
          let aheadMs = 0;
          const process = { number: ++processes, clock: { ...clock, date: () => clock.date() + aheadMs } };
          return simulatedPeer({
            open: (wanted) => open(wanted, process),
            setClockAhead: (ms) => void (aheadMs = ms),
            drop() {
              for (const one of connections.values()) if (one.process === process) one.connection.kill();
            },
          });
        },
        inspect: () => theBroker().inspect(),
        injectRaw: (record) => theBroker().inject(record),
        async dispose() {
          await broker?.close();
        },
      };
    },
  };
}
