import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Kafka, logLevel } from 'kafkajs';
import { type ConnectionPool, createCluster } from '../../src/kafkajs/internals.ts';

/** Something that listens where a broker should, and is none. */
export interface Speaker extends AsyncDisposable {
  readonly port: number;
}

/**
 * Listens, and says what a test likes.
 *
 * @param say is called with what has come on a connection, and the number of that connection, from 0.
 */
export async function speaker(
  say: (client: Socket, asked: Buffer, number: number) => void,
  host = '127.0.0.1',
): Promise<Speaker> {
  const clients: Socket[] = [];
  const server = createServer((client) => {
    const number = clients.length;
    clients.push(client);
    client.on('error', () => {});
    client.on('data', (asked) => say(client, asked, number));
  }).listen(0, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** An answer to the request of that number. */
export function answerTo(number: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(4 + body.length, 0);
  head.writeInt32BE(number, 4);
  return Buffer.concat([head, body]);
}

/** Connections to that port, as every queue has them. */
export async function connectionsTo(port: number): Promise<ConnectionPool> {
  const place = { host: '127.0.0.1', port };
  const kafka = new Kafka({ brokers: [`${place.host}:${port}`], logLevel: logLevel.NOTHING });
  return createCluster(kafka, {}).connectionPoolBuilder.build(place);
}
