import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { decodeReply, encodeRequest, type RedisReply } from './resp.ts';

/** How to reach a Redis server. */
export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  /** @default the user `default` */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** The number of the database. @default 0 */
  readonly db?: number | undefined;
  /** Speak TLS, and trust this certificate in PEM; `true` for those that Node trusts. */
  readonly tls?: string | true | undefined;
}

/** How long a command may take, in milliseconds. */
const defaultTimeoutMs = 5000;

/**
 * Sends one command over a connection of its own, and resolves its reply. So it never depends on what the tests did to
 * other connections, nor on what a server was before it was restarted.
 *
 * @throws {Error} what the server answers, if it is an error; what the connection fails with; or that `timeoutMs` are
 * over.
 */
export function redisCommand(
  address: RedisAddress,
  args: readonly (string | number | Uint8Array)[],
  timeoutMs = defaultTimeoutMs,
): Promise<RedisReply> {
  const { username, password, db = 0 } = address;
  const auth = password === undefined ? [] : [['AUTH', ...(username === undefined ? [] : [username]), password]];
  const select = db === 0 ? [] : [['SELECT', db]];
  const requests = [...auth, ...select, args];

  return new Promise((resolve, reject) => {
    const socket = connect(address);
    const fail = (message: string, cause?: unknown): void => {
      socket.destroy();
      reject(new Error(`Cannot ${args[0]} at ${address.host}:${address.port}: ${message}`, { cause }));
    };
    const late = setTimeout(() => fail(`no answer within ${timeoutMs} ms`), timeoutMs);
    let bytes = Buffer.alloc(0);
    let missing = requests.length;
    const read = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      for (let next = decodeReply(bytes); next !== undefined; next = decodeReply(bytes)) {
        bytes = bytes.subarray(next.end);
        missing -= 1;
        if (next.reply instanceof Error) return fail(next.reply.message, next.reply);
        if (missing > 0) continue;
        socket.destroy();
        return resolve(next.reply);
      }
    };
    socket.on('data', (chunk) => {
      try {
        read(chunk);
      } catch (error) {
        fail((error as Error).message, error);
      }
    });
    socket.once('error', (error) => fail(error.message, error));
    socket.once('close', () => {
      clearTimeout(late);
      fail('the connection was closed');
    });
    socket.write(Buffer.concat(requests.map(encodeRequest)));
  });
}

function connect({ host, port, tls }: RedisAddress): Socket {
  if (tls === undefined) return connectTcp({ host, port });
  // The certificates that we make are good for this name, whatever else they are good for.
  return connectTls({ host, port, ...(tls === true ? {} : { ca: tls, servername: 'localhost' }) });
}
