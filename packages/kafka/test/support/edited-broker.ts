import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

/** What a broker is to say of itself: for requests, by their numbers, the versions that it takes; none for `undefined`. */
export type Edit = Readonly<Record<number, { readonly min?: number; readonly max?: number } | undefined>>;

/** A way to a broker on which its answer to what every client asks first is changed, and nothing else. */
export interface EditedBroker extends AsyncDisposable {
  /** `host:port`. */
  readonly address: string;
}

/** Opens a way to the broker at `address`. */
export async function editedBroker(address: string, edit: Edit): Promise<EditedBroker> {
  const [host = '', port] = address.split(':');
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((client) => {
    const broker = connect(Number(port), host);
    let first: Buffer | undefined = Buffer.alloc(0);
    broker.on('data', (chunk) => {
      if (first === undefined) return void client.write(chunk);
      first = Buffer.concat([first, chunk]);
      if (first.length < 4 || first.length < 4 + first.readInt32BE(0)) return undefined;
      client.write(edited(first, edit));
      first = undefined;
      return undefined;
    });
    client.pipe(broker);
    for (const [one, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** An answer to ApiVersions, versions 0 to 2: its size, a number, an error, and three numbers for each request. */
function edited(answer: Buffer, edit: Edit): Buffer {
  const changed = Buffer.from(answer);
  for (let left = changed.readInt32BE(10), at = 14; left > 0; left--, at += 6) {
    const api = changed.readInt16BE(at);
    if (!Object.hasOwn(edit, api)) continue;
    const { min = changed.readInt16BE(at + 2), max = changed.readInt16BE(at + 4) } = edit[api] ?? {};
    // One that nobody has.
    if (edit[api] === undefined) changed.writeInt16BE(9999, at);
    changed.writeInt16BE(min, at + 2);
    changed.writeInt16BE(max, at + 4);
  }
  return changed;
}
