import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

/**
 * A port of the loopback interface that nobody listens on, and that no other process that asks here gets while this one
 * lives: also not while the server on it is down. It lies below those that systems hand out to outgoing connections, which
 * might take it then.
 *
 * @param alsoFree how far from it another port must be free, as the bus of a Redis Cluster needs
 * @throws {Error} if a hundred were taken.
 */
export async function freePort(alsoFree?: number): Promise<number> {
  for (let i = 0; i < 100; i++) {
    const port = randomInt(10_000, 20_000);
    const free = (await take(port)) && (alsoFree === undefined || (await take(port + alsoFree)));
    if (free) return port;
  }
  throw new Error('Cannot find a free port: a hundred between 10000 and 20000 were taken');
}

/**
 * Servers listen with TCP. The same port of UDP is free for us to hold, as a sign that other processes see at once, and
 * that the system takes away when this one ends.
 */
async function take(port: number): Promise<boolean> {
  return (await canListen(port)) && (await hold(port));
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function hold(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const sign = createSocket('udp4').unref();
    sign.once('error', () => {
      sign.close();
      resolve(false);
    });
    sign.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve(true));
  });
}
