import { type Capabilities, defineCapabilities } from '../../capabilities.ts';
import { checkOptions } from '../../check.ts';
import type { Clock } from '../../clock.ts';
import type { LeasedEvent, QueueDriver, ReturnedLease } from '../../driver.ts';
import { isNqError, type NqErrorCode } from '../../errors.ts';
import type { QueueEvent } from '../../event.ts';
import type { DeadLetters, QueueSize } from '../../queue.ts';
import { memoryDriver } from '../../testing/memory-driver.ts';
import type { Inspection } from '../harness.ts';

/** How a broker is simulated. */
export interface SimulatedBrokerOptions {
  readonly clock: Clock;
  /** How many ready and delayed events it takes. @default 1000 */
  readonly capacity?: number | undefined;
  /** How long a lease is, in milliseconds. @default 30_000 */
  readonly leaseMs?: number | undefined;
  /** What its connections declare otherwise. */
  readonly capabilities?: Partial<Capabilities> | undefined;
}

/** The group of connections that ask for none. */
const defaultGroup = '';

/**
 * A broker in memory and the network before it: every connection is a driver whose requests and answers travel, can be
 * delayed, and can be lost. So faults can be tested without a broker, and with a virtual clock in no time.
 */
export class SimulatedBroker {
  readonly #options: SimulatedBrokerOptions;
  readonly #capabilities: Capabilities;
  /** Everything that was ever pushed, for groups that come later. */
  readonly #log: string[] = [];
  readonly #groups = new Map<string, QueueDriver<string>>();
  readonly #connections = new Set<SimulatedConnection>();
  /** Whether connections can be made. */
  up = true;
  /** How long a request travels, and an answer, in milliseconds. */
  delayMs = 0;
  /** Whether all connections are cut before the next answer leaves. */
  cutsBeforeAnswer = false;

  constructor(options: SimulatedBrokerOptions) {
    checkOptions('Cannot simulate a broker', options, ['clock', 'capacity', 'leaseMs', 'capabilities']);
    this.#options = options;
    const { capabilities } = this.#store(defaultGroup);
    this.#capabilities = defineCapabilities({
      ...capabilities,
      multiInstance: true,
      durable: 'broker',
      definiteTimeout: false,
      ...options.capabilities,
    });
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** Another connection, as of another process. */
  connect(group = defaultGroup): SimulatedConnection {
    const connection = new SimulatedConnection(this, this.#store(group), this.#capabilities);
    this.#connections.add(connection);
    return connection;
  }

  /** Stores `events` for every group. @returns how many. */
  async push(events: readonly string[], store: QueueDriver<string>): Promise<number> {
    const stored = await store.push(events);
    const accepted = events.slice(0, stored);
    this.#log.push(...accepted);
    for (const other of this.#groups.values()) if (other !== store) await other.push(accepted);
    return stored;
  }

  /** Loses what travels, in both directions, and makes no connections until {@link heal}. */
  cut(): void {
    this.up = false;
    this.cutsBeforeAnswer = false;
    for (const connection of this.#connections) connection.drop();
  }

  heal(): void {
    this.up = true;
    this.cutsBeforeAnswer = false;
  }

  /** Ends and begins again. It keeps what it has accepted, and its leases. */
  restart(): void {
    this.cut();
    this.heal();
  }

  async inspect(): Promise<Inspection> {
    const store = this.#store(defaultGroup);
    const { ready, inFlight, delayed } = await store.size();
    const deadLetters = (await store.deadLetters?.count()) ?? 0;
    return { ready, inFlight, delayed, deadLetters };
  }

  /** Stores a record that no connection has encoded. */
  async inject(record: Uint8Array): Promise<void> {
    await this.push([new TextDecoder().decode(record)], this.#store(defaultGroup));
  }

  /** Ends for good: no timer is left. */
  async close(): Promise<void> {
    this.cut();
    for (const store of this.#groups.values()) await store.close();
  }

  /** What a group has. A new one starts with everything that was ever pushed, or with nothing, as declared. */
  #store(group: string): QueueDriver<string> {
    const known = this.#groups.get(group);
    if (known !== undefined) return known;
    const { clock, capacity, leaseMs } = this.#options;
    const store = memoryDriver({ clock, capacity, leaseMs });
    this.#groups.set(group, store);
    const { capabilities: { groups } = {} } = this.#options;
    if (groups !== 'latest' && this.#log.length > 0) void store.push(this.#log);
    return store;
  }
}

/** What a connection says when it has lost its broker. */
class ConnectionLost extends Error {
  /** Whether the request had left before. */
  readonly sent: boolean;

  constructor(sent: boolean) {
    super(sent ? 'the connection was lost before the answer came' : 'there is no connection');
    this.sent = sent;
  }
}

/** One connection to a simulated broker. */
export class SimulatedConnection implements QueueDriver<string> {
  readonly capabilities: Capabilities;
  readonly capacity: number;
  readonly deadLetters: DeadLetters;
  readonly #broker: SimulatedBroker;
  readonly #store: QueueDriver<string>;
  /** What is done when the connection is cut. */
  readonly #onDrop = new Set<() => void>();
  #killed = false;

  constructor(broker: SimulatedBroker, store: QueueDriver<string>, capabilities: Capabilities) {
    this.#broker = broker;
    this.#store = store;
    this.capabilities = capabilities;
    this.capacity = store.capacity;
    const letters = store.deadLetters as DeadLetters;
    this.deadLetters = {
      count: () => this.#request(() => letters.count()),
      list: (options) => this.#request(() => letters.list(options)),
      replay: (ids) => this.#request(() => letters.replay(ids)),
      remove: (ids) => this.#request(() => letters.remove(ids)),
    };
  }

  encode(event: QueueEvent): string {
    return this.#store.encode(event);
  }

  push(events: readonly string[]): Promise<number> {
    return this.#request(() => this.#broker.push(events, this.#store));
  }

  pop(max: number, waitMs: number, signal: AbortSignal): Promise<readonly LeasedEvent[]> {
    return this.#request(async () => {
      // The broker ends a wait when it sees that nobody listens any more.
      const ending = new AbortController();
      const end = (): void => ending.abort();
      this.#onDrop.add(end);
      signal.addEventListener('abort', end);
      if (signal.aborted) end();
      try {
        return await this.#store.pop(max, waitMs, ending.signal);
      } finally {
        this.#onDrop.delete(end);
        signal.removeEventListener('abort', end);
      }
    });
  }

  ack(receipts: readonly unknown[]): Promise<readonly (boolean | Error)[]> {
    return this.#request(() => this.#store.ack(receipts));
  }

  nack(returns: readonly ReturnedLease[]): Promise<readonly (boolean | Error)[]> {
    return this.#request(() => this.#store.nack(returns));
  }

  extend(receipts: readonly unknown[], ms: number): Promise<readonly boolean[]> {
    return this.#request(async () => (await this.#store.extend?.(receipts, ms)) ?? []);
  }

  size(): Promise<QueueSize> {
    return this.#request(() => this.#store.size());
  }

  classify(error: unknown): NqErrorCode {
    if (error instanceof ConnectionLost) return error.sent ? 'NQ_OUTCOME_UNKNOWN' : 'NQ_UNAVAILABLE';
    return isNqError(error) ? error.code : 'NQ_BACKEND';
  }

  async close(): Promise<void> {
    this.kill();
  }

  /** Ends the connection as a killed process would: nothing is sent any more. */
  kill(): void {
    this.#killed = true;
    this.drop();
  }

  /** Loses what travels on this connection. */
  drop(): void {
    const waiting = [...this.#onDrop];
    this.#onDrop.clear();
    for (const end of waiting) end();
  }

  /** Sends a request, has the broker `act`, and brings the answer. */
  async #request<Answer>(act: () => Promise<Answer>): Promise<Answer> {
    if (this.#killed || !this.#broker.up) throw new ConnectionLost(false);
    let lose!: (error: ConnectionLost) => void;
    const lost = new Promise<never>((_resolve, reject) => {
      lose = reject;
    });
    lost.catch(() => {});
    let alive = true;
    const drop = (): void => {
      alive = false;
      lose(new ConnectionLost(true));
    };
    this.#onDrop.add(drop);
    const exchange = async (): Promise<Answer> => {
      await this.#travel();
      // A request that was lost on its way is never acted upon.
      if (!alive) throw new ConnectionLost(true);
      const answer = await act();
      if (this.#broker.cutsBeforeAnswer) this.#broker.cut();
      await this.#travel();
      return answer;
    };
    try {
      return await Promise.race([exchange(), lost]);
    } finally {
      this.#onDrop.delete(drop);
    }
  }

  #travel(): Promise<void> {
    const { delayMs, clock } = this.#broker;
    if (delayMs === 0) return Promise.resolve();
    return new Promise((resolve) => {
      clock.schedule(resolve, delayMs);
    });
  }
}
