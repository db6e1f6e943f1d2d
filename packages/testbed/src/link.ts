import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Flow } from './flow.ts';

/** Where a server listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What went through a link since it was opened. */
export interface LinkCounts {
  /** Connections that are open now. */
  readonly open: number;
  /** Connections that clients have made, those that were cut at once included. */
  readonly accepted: number;
  readonly bytesToServer: number;
  readonly bytesToClient: number;
  /** Bytes of answers that were dropped. */
  readonly droppedBytes: number;
}

/** One client's connection, and ours to the server for it. */
interface Connection {
  readonly client: Socket;
  server: Socket | undefined;
  toServer: Flow | undefined;
  toClient: Flow | undefined;
  /** Whether a request went to the server since `cutBeforeAnswer()`. */
  asked: boolean;
  /** Whether answers go on; those of a connection that will be cut do not. */
  answers: boolean;
  /** Whether nothing travels on it any more, though it is open. */
  isSilent: boolean;
  /** Whether one side was reset, which the other side is told when the link is no longer frozen. */
  isBroken: boolean;
}

/** How long the server may take to close a connection whose last answer is dropped, in milliseconds. */
const finishMs = 1000;

/**
 * A way from clients to a server, as a port of this machine, on which connections can be hurt. Each fault holds
 * for open and new connections until `heal()`; several hold at once.
 */
export class Link implements Address, AsyncDisposable {
  readonly host: string;
  readonly #target: Address;
  readonly #listener: Server;
  readonly #connections = new Set<Connection>();
  #isCut = false;
  #isFrozen = false;
  #isArmed = false;
  /** The connection whose answer was dropped, while the server still works through what it was sent. */
  #finishing: Connection | undefined;
  #dropsReplies = false;
  #delayMs = 0;
  #accepted = 0;
  #bytesToServer = 0;
  #bytesToClient = 0;
  #droppedBytes = 0;

  private constructor(target: Address, host: string) {
    this.#target = target;
    this.host = host;
    // Paused until the way to the server is there; half-open, because an end is passed on, not answered.
    this.#listener = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) =>
      this.#accept(client),
    );
  }

  /**
   * Opens a link to `target`, which need not be there yet, on a port of its own.
   *
   * @param host the address of this machine to listen on: by default only this machine reaches it.
   */
  static async open(target: Address, host = '127.0.0.1'): Promise<Link> {
    const link = new Link(target, host);
    link.#listener.listen(0, host);
    await once(link.#listener, 'listening');
    // A link that nobody closed keeps no process alive.
    link.#listener.unref();
    return link;
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  get counts(): LinkCounts {
    return {
      open: this.#connections.size,
      accepted: this.#accepted,
      bytesToServer: this.#bytesToServer,
      bytesToClient: this.#bytesToClient,
      droppedBytes: this.#droppedBytes,
    };
  }

  /** Whether connections are cut: by `cut()`, or by `cutBeforeAnswer()` once it has happened. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** Resets every connection, and new ones as soon as they are made: requests and answers under way are lost. */
  cut(): void {
    this.#isCut = true;
    this.#isArmed = false;
    this.#finishing = undefined;
    for (const connection of this.#connections) this.#reset(connection);
  }

  /**
   * Cuts after the server has acted on the next request, and before its answer arrives: `isCut` tells when. The next
   * request is whatever goes to the server after this call, so a connection that waits since before is left alone. On one
   * that has more requests under way, the first answer counts; the server still gets, and acts on, all that was sent.
   */
  cutBeforeAnswer(): void {
    this.#isArmed = true;
    for (const connection of this.#connections) connection.asked = false;
  }

  /** Delays every request, and every answer, by `ms` milliseconds; 0 for no longer. @throws {RangeError} below 0. */
  delay(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`Cannot delay: ms must be >= 0, got ${ms}`);
    this.#delayMs = ms;
    this.#update();
  }

  /** Answers vanish, though the server acts on requests; connections stay open. */
  dropReplies(): void {
    this.#dropsReplies = true;
  }

  /**
   * Nothing travels in either direction, not even the end of a connection; all stay open, and new ones are made but lead
   * nowhere yet. What is under way travels on after `heal()`, as it does when a network comes back.
   */
  freeze(): void {
    this.#isFrozen = true;
    this.#update();
  }

  /** Ends the server's half of every open connection: the client reads the end, and may still write to the server. */
  halfClose(): void {
    for (const connection of this.#connections) {
      connection.answers = false;
      connection.client.end();
    }
  }

  /**
   * Nothing travels any more on the connections that are open, and neither side is told; new ones are as ever. So it is when
   * what is in between has forgotten them, as a firewall does: `heal()` resets them.
   */
  silence(): void {
    for (const connection of this.#connections) connection.isSilent = true;
    this.#update();
  }

  /**
   * Takes every fault back. Connections that lost an answer or an end are reset: a stream that goes on after a hole is
   * nothing that a network does.
   */
  heal(): void {
    this.#isCut = false;
    this.#isArmed = false;
    this.#finishing = undefined;
    this.#isFrozen = false;
    this.#dropsReplies = false;
    this.#delayMs = 0;
    for (const connection of this.#connections) {
      if (!connection.answers || connection.isSilent || connection.isBroken) this.#reset(connection);
    }
    this.#update();
  }

  /** Resets every connection and stops listening. */
  async close(): Promise<void> {
    this.cut();
    if (!this.#listener.listening) return;
    this.#listener.close();
    await once(this.#listener, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(client: Socket): void {
    this.#accepted += 1;
    const connection: Connection = {
      client,
      server: undefined,
      toServer: undefined,
      toClient: undefined,
      asked: false,
      answers: true,
      isSilent: false,
      isBroken: false,
    };
    this.#connections.add(connection);
    this.#watch(connection, client);
    if (this.#isCut) this.#reset(connection);
    else if (!this.#isFrozen) this.#connect(connection);
  }

  #connect(connection: Connection): void {
    const { client } = connection;
    const { host, port } = this.#target;
    const server = connect({ host, port, allowHalfOpen: true, noDelay: true });
    connection.server = server;
    this.#watch(connection, server);
    const rules = { delayMs: () => this.#delayMs, isFrozen: () => this.#isFrozen || connection.isSilent };
    connection.toServer = new Flow(client, server, {
      ...rules,
      passes: (chunk) => this.#passesToServer(connection, chunk),
    });
    connection.toClient = new Flow(server, client, {
      ...rules,
      passes: (chunk) => this.#passesToClient(connection, chunk),
    });
  }

  #passesToServer(connection: Connection, chunk: Buffer | undefined): boolean {
    if (chunk === undefined) return true;
    if (this.#isArmed) connection.asked = true;
    this.#bytesToServer += chunk.length;
    return true;
  }

  #passesToClient(connection: Connection, chunk: Buffer | undefined): boolean {
    if (chunk === undefined) return connection.answers;
    if (this.#isArmed && connection.asked) this.#finish(connection);
    if (this.#dropsReplies) connection.answers = false;
    if (connection.answers) this.#bytesToClient += chunk.length;
    else this.#droppedBytes += chunk.length;
    return connection.answers;
  }

  /**
   * Cuts once the server has acted on all that it was sent. It closes its side when it has read up to our end of the
   * stream, and before that it goes through the requests that it was sent.
   */
  #finish(connection: Connection): void {
    this.#isArmed = false;
    this.#finishing = connection;
    connection.answers = false;
    connection.toServer?.finish();
    const cut = (): void => {
      clearTimeout(late);
      if (this.#finishing === connection) this.cut();
    };
    const late = setTimeout(cut, finishMs);
    connection.server?.once('end', cut).once('close', cut);
  }

  /** An error on one side is one on the other; that both have ended in peace is the work of the flows. */
  #watch(connection: Connection, socket: Socket): void {
    socket.on('error', () => {
      if (this.#isFrozen || connection.isSilent) connection.isBroken = true;
      else this.#reset(connection);
    });
    socket.on('close', () => {
      const { client, server } = connection;
      if (client.destroyed && (server?.destroyed ?? true)) this.#connections.delete(connection);
    });
  }

  #reset(connection: Connection): void {
    this.#connections.delete(connection);
    for (const socket of [connection.client, connection.server]) {
      // One that is still being made cannot be reset.
      if (socket?.connecting === true) socket.destroy();
      else socket?.resetAndDestroy();
    }
  }

  #update(): void {
    for (const connection of this.#connections) {
      if (connection.server === undefined && !this.#isFrozen && !connection.isSilent) this.#connect(connection);
      connection.toServer?.update();
      connection.toClient?.update();
    }
  }
}
