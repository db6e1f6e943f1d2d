import { once } from 'node:events';
import { type AddressInfo, connect, createServer, isIPv6, type Socket } from 'node:net';

/** A way to a broker that leads through this process. */
export interface Relay extends AsyncDisposable {
  /** `host:port`. */
  readonly address: string;
}

/**
 * Opens a way to a broker.
 *
 * @param addressOf where that is, as `host:port`, asked for each connection.
 * @param pass passes on what both sides of a connection say; that one has closed it is passed on without it.
 * @param at where it begins, as an IP address.
 */
export async function relay(
  addressOf: () => string,
  pass: (client: Socket, broker: Socket) => void,
  at = '127.0.0.1',
): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const [host = '', port] = addressOf().split(':');
    const broker = connect(Number(port), host);
    pass(client, broker);
    for (const [one, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
  }).listen(0, at);
  await once(server, 'listening');
  return {
    address: `${isIPv6(at) ? `[${at}]` : at}:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
