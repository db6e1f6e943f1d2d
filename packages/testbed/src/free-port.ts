import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * A port of the loopback interface that nobody listens on. It lies below those that systems hand out to outgoing
 * connections, so that none of these takes it while its server is down.
 *
 * @param alsoFree how far from it another port must be free, as the bus of a Redis Cluster needs
 * @throws {Error} if a hundred were taken.
 */
export async function freePort(alsoFree?: number): Promise<number> {
  for (let i = 0; i < 100; i++) {
    const port = randomInt(10_000, 20_000);
    const free = (await canListen(port)) && (alsoFree === undefined || (await canListen(port + alsoFree)));
    if (free) return port;
  }
  throw new Error('Cannot find a free port: a hundred between 10000 and 20000 were taken');
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
