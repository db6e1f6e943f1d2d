import { connect, type Socket } from 'node:net';
import { type Address, until } from '../src/index.ts';

/** A connection that keeps what it reads. */
export class Client implements Disposable {
  readonly socket: Socket;
  /** How it closed: the code of an error, or `closed`; `undefined` while it is open. */
  closed: string | undefined;
  /** Whether the other side has ended its half. */
  ended = false;
  readonly #chunks: Buffer[] = [];

  constructor({ host, port }: Address) {
    this.socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    this.socket.on('data', (chunk) => this.#chunks.push(chunk));
    this.socket.on('end', () => (this.ended = true));
    this.socket.on('error', (error: NodeJS.ErrnoException) => (this.closed ??= error.code ?? error.message));
    this.socket.on('close', () => (this.closed ??= 'closed'));
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get text(): string {
    return this.bytes.toString();
  }

  send(text: string | Buffer): this {
    this.socket.write(text);
    return this;
  }

  /** Resolves once what it has read ends in `text`. */
  async reads(text: string): Promise<void> {
    await until(`the client to read ${text}, not ${JSON.stringify(this.text)}`, () => this.text.endsWith(text));
  }

  /** Resolves once it is closed, with how. */
  closes(): Promise<string> {
    return until('the connection of the client to close', () => this.closed);
  }

  /** Resolves once the other side has ended its half, as the system does for a process that was killed. */
  async ends(): Promise<void> {
    await until('the end of what the client reads', () => this.ended);
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}
