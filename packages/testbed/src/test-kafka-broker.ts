import { askMetadata } from './kafka-wire.ts';
import type { Address, Link } from './link.ts';
import type { Server } from './server.ts';
import { Hopeless, until } from './until.ts';

/** How long a broker may take to start, in milliseconds: one of three did not answer within 60 s on a small, busy machine. */
const startMs = 120_000;

/** A broker of a Kafka for tests. */
export class TestKafkaBroker implements Address {
  readonly id: number;
  /** The way for clients that connect to `linkedBrokers`. */
  readonly link: Link;
  /** Where it answers the testbed, whatever its configuration asks of clients. */
  readonly internal: Address;
  readonly #server: Server;

  /** Made by {@link TestKafka}. */
  constructor(id: number, parts: { readonly server: Server; readonly link: Link; readonly internal: Address }) {
    this.id = id;
    this.link = parts.link;
    this.#server = parts.server;
    this.internal = parts.internal;
  }

  get host(): string {
    return this.#server.host;
  }

  /** Where clients connect directly. */
  get port(): number {
    return this.#server.port;
  }

  /** The pid of a native broker that runs. */
  get pid(): number | undefined {
    return this.#server.pid;
  }

  /** Ends it in an orderly way, so that others take over its partitions, and starts it again. Resolves once it answers. */
  async restart(): Promise<void> {
    await this.end();
    await this.start();
  }

  /** Ends it in an orderly way. Resolves once it is gone. */
  async end(): Promise<void> {
    await this.#server.end();
  }

  /** Kills it with SIGKILL. Resolves once it is gone. */
  async kill(): Promise<void> {
    await this.#server.kill();
  }

  /** Starts it again after `end()` or `kill()`. Resolves once it answers, and is a broker of the cluster again. */
  async start(): Promise<void> {
    await this.#server.start();
    await this.untilReady([this.id]);
  }

  /** It keeps its connections and answers nothing, until `thaw()`. */
  async freeze(): Promise<void> {
    await this.#server.freeze();
  }

  async thaw(): Promise<void> {
    await this.#server.thaw();
  }

  /** Closes its link, kills it and removes its data. */
  async stop(): Promise<void> {
    await this.link.close();
    await this.#server.remove();
  }

  /** Resolves once it knows the brokers `ids`. @throws {Error} with its last lines, if it ends before, or does not in time. */
  async untilReady(ids: readonly number[]): Promise<void> {
    const knows = async (): Promise<boolean> => {
      if (!(await this.#server.isRunning())) {
        throw new Hopeless(`Kafka has ended instead of answering:\n${await this.#server.log()}`);
      }
      const { brokers } = await askMetadata(this.internal, undefined, 2000);
      return ids.every((id) => brokers.some((broker) => broker.id === id));
    };
    const what = `broker ${this.id} to know brokers ${ids.join(', ')}`;
    try {
      await until(what, knows, { deadlineMs: startMs, everyMs: 50 });
    } catch (error) {
      if (error instanceof Hopeless) throw error;
      throw new Error(`${(error as Error).message}; its last lines:\n${await this.#server.log()}`, { cause: error });
    }
  }
}
