import { setTimeout as sleep } from 'node:timers/promises';
import type {
  DeadLetters,
  LeasedEvent,
  NqErrorCode,
  QueueDriver,
  QueueEvent,
  QueueSize,
  ReturnedLease,
} from '@nq/core';

/** What lies between all connections of a namespace and their file, as a network file system would: it can be cut. */
export class Link {
  up = true;
  /** How long a request travels, and an answer, in milliseconds. */
  delayMs = 0;
  /** Whether it is cut after the next request was acted on, and before its answer arrives. */
  cutsBeforeAnswer = false;
  readonly connections = new Set<Connection>();

  cut(): void {
    this.up = false;
    this.cutsBeforeAnswer = false;
    for (const connection of this.connections) connection.drop();
  }

  heal(): void {
    this.up = true;
    this.cutsBeforeAnswer = false;
  }
}

class LinkCut extends Error {
  /** Whether the request had left before. */
  readonly sent: boolean;

  constructor(sent: boolean) {
    super(sent ? 'the file vanished before it answered' : 'the file is not there');
    this.sent = sent;
  }
}

/** A driver whose requests and answers travel over a {@link Link}. */
export class Connection implements QueueDriver<string> {
  readonly deadLetters: DeadLetters;
  readonly #link: Link;
  readonly #open: () => QueueDriver<string>;
  readonly #drops = new Set<() => void>();
  #driver: QueueDriver<string>;
  #abandoned = false;

  /** @param open opens the file. */
  constructor(link: Link, open: () => QueueDriver<string>) {
    this.#link = link;
    this.#open = open;
    this.#driver = open();
    link.connections.add(this);
    const letters = (): DeadLetters => this.#driver.deadLetters as DeadLetters;
    this.deadLetters = {
      count: () => this.#request(() => letters().count()),
      list: (options) => this.#request(() => letters().list(options)),
      replay: (ids) => this.#request(() => letters().replay(ids)),
      remove: (ids) => this.#request(() => letters().remove(ids)),
    };
  }

  get capabilities() {
    return this.#driver.capabilities;
  }

  get capacity() {
    return this.#driver.capacity;
  }

  encode(event: QueueEvent): string {
    return this.#driver.encode(event);
  }

  push(events: readonly string[]): Promise<number> {
    return this.#request(() => this.#driver.push(events));
  }

  pop(max: number, waitMs: number, signal: AbortSignal): Promise<readonly LeasedEvent[]> {
    return this.#request(() => this.#driver.pop(max, waitMs, signal));
  }

  ack(receipts: readonly unknown[]): Promise<readonly (boolean | Error)[]> {
    return this.#request(() => this.#driver.ack(receipts));
  }

  nack(returns: readonly ReturnedLease[]): Promise<readonly (boolean | Error)[]> {
    return this.#request(() => this.#driver.nack(returns));
  }

  extend(receipts: readonly unknown[], ms: number): Promise<readonly boolean[]> {
    return this.#request(async () => (await this.#driver.extend?.(receipts, ms)) ?? []);
  }

  size(): Promise<QueueSize> {
    return this.#request(() => this.#driver.size());
  }

  classify(error: unknown): NqErrorCode {
    if (error instanceof LinkCut) return error.sent ? 'NQ_OUTCOME_UNKNOWN' : 'NQ_UNAVAILABLE';
    return this.#driver.classify(error);
  }

  async close(): Promise<void> {
    this.drop();
    if (!this.#abandoned) await this.#driver.close();
  }

  /** Closes the file and opens it again, as after a restart of the machine; what travels meanwhile is lost. */
  async restart(): Promise<void> {
    this.drop();
    await this.#driver.close();
    if (!this.#abandoned) this.#driver = this.#open();
  }

  /** Never asks for anything again, and closes nothing: as a process that was killed. */
  abandon(): void {
    this.#abandoned = true;
    this.drop();
  }

  /** Closes the file of a connection that was abandoned, once nobody looks any more. */
  async release(): Promise<void> {
    await this.#driver.close();
  }

  /** Loses what travels on this connection. */
  drop(): void {
    for (const drop of this.#drops) drop();
  }

  /** Sends a request, has the file `act`, and brings the answer. */
  async #request<Answer>(act: () => Promise<Answer>): Promise<Answer> {
    if (this.#abandoned || !this.#link.up) throw new LinkCut(false);
    const lost = Promise.withResolvers<never>();
    let alive = true;
    const drop = (): void => {
      alive = false;
      lost.reject(new LinkCut(true));
    };
    this.#drops.add(drop);
    const exchange = async (): Promise<Answer> => {
      await this.#travel();
      // A request that was lost on its way is never acted on.
      if (!alive) throw new LinkCut(true);
      const answer = await act();
      if (this.#link.cutsBeforeAnswer) this.#link.cut();
      await this.#travel();
      return answer;
    };
    try {
      return await Promise.race([exchange(), lost.promise]);
    } finally {
      this.#drops.delete(drop);
    }
  }

  async #travel(): Promise<void> {
    if (this.#link.delayMs > 0) await sleep(this.#link.delayMs);
  }
}
