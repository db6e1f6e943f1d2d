import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

/** A server that keeps what it gets, in order of arrival, and answers each chunk with `answer`. */
export interface EchoServer extends AsyncDisposable {
  readonly host: '127.0.0.1';
  readonly port: number;
  /** What it got on all connections. */
  received(): string;
  /** Its side of the connections that were made, in order. */
  readonly sockets: readonly Socket[];
  /** How many connections have ended on the side of the client. */
  readonly ended: () => number;
}

export interface EchoServerOptions {
  /** @default writes it back */
  readonly answer?: (chunk: Buffer, socket: Socket) => void;
  /** Keep a connection whose client has ended its half. @default false */
  readonly keepsHalfOpen?: boolean;
}

export async function echoServer({
  answer = (chunk, socket) => void socket.write(chunk),
  keepsHalfOpen = false,
}: EchoServerOptions = {}): Promise<EchoServer> {
  const sockets: Socket[] = [];
  const chunks: Buffer[] = [];
  let ended = 0;
  const server = createServer({ allowHalfOpen: keepsHalfOpen }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('end', () => (ended += 1));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      answer(chunk, socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    received: () => Buffer.concat(chunks).toString(),
    sockets,
    ended: () => ended,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
