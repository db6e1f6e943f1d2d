import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { redisQueue, type RedisQueueOptions } from '../src/index.ts';
import { clients, codeOf, drain, openQueue, pushWhenBack, take } from './support/queue.ts';
import { newKey, notOurs, offer, useServer } from './support/server.ts';

const event = (type: string) => ({ type, data: null });

/** How opening fails. */
const failureOf = (opening: Promise<unknown>): Promise<unknown> => opening.catch((error: unknown) => error);

describe.skipIf(notOurs !== undefined)(`TLS with ${notOurs ?? offer.name}`, () => {
  let server: Awaited<ReturnType<typeof offer.start>>;
  beforeAll(async () => {
    server = await offer.start({ tls: true });
  });
  afterAll(() => server?.stop());

  const open = (options: Partial<RedisQueueOptions>) =>
    redisQueue({ queueKey: newKey(), onWarning: () => {}, ...options });
  const addr = () => `${server.host}:${server.port}`;
  const ca = () => server.ca as string;

  test.each<[string, () => Partial<RedisQueueOptions>]>([
    ['an address and the certificate', () => ({ addr: addr(), tls: { ca: ca() } })],
    ['a rediss: URL and the certificate', () => ({ url: `rediss://${addr()}/1`, tls: { ca: ca() } })],
    [
      'a client of the user',
      () => ({ client: new Redis({ host: server.host, port: server.port, tls: { ca: ca() }, lazyConnect: true }) }),
    ],
  ])('works with %s', async (_what, options) => {
    await using queue = await open(options());
    const popped = take(queue);
    await queue.push(event('a'));
    expect(await codeOf((await popped).ack())).toBe('done');
  });

  test.each<[string, () => Partial<RedisQueueOptions>]>([
    ['tls: true', () => ({ addr: addr(), tls: true })],
    ['a rediss: URL', () => ({ url: `rediss://${addr()}` })],
  ])('%s alone does not trust a certificate that nobody has signed, and says so at once', async (_what, options) => {
    const startedAt = performance.now();
    const failure = await failureOf(open({ ...options(), openTimeoutMs: 10_000 }));
    expect(failure).toMatchObject({ code: 'NQ_CONFIG', message: expect.stringContaining('TLS') });
    expect(performance.now() - startedAt).toBeLessThan(3000);
  });

  test('a port that speaks it does not answer who does not, in time', async () => {
    expect(await failureOf(open({ addr: addr(), openTimeoutMs: 1500 }))).toMatchObject({ code: 'NQ_UNAVAILABLE' });
  });
});

describe.skipIf(offer.missing !== undefined)(`who connects to ${offer.name}`, () => {
  const server = useServer();

  test('speaks the second version of the protocol to a server that knows no HELLO', async () => {
    const refused: string[] = [];
    const proxy = createServer((client) => refuseHello(client, server(), refused)).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const { port } = proxy.address() as AddressInfo;
    const queue = await openQueue({ host: '127.0.0.1', port }, { db: 2 });
    const popped = take(queue);
    await queue.pushMany([event('a'), event('b')]);
    await (await popped).nack({ deadLetter: true });
    expect(await drain(queue)).toEqual(['b']);
    expect(await queue.deadLetters.list()).toMatchObject([{ event: { type: 'a' } }]);
    expect(await queue.deadLetters.remove()).toBe(1);
    expect(refused.length).toBeGreaterThan(0);
    await queue.close();
    proxy.close();
  });

  test.each(clients)('selects the database again after a reconnect, with $name', async ({ at }) => {
    const queueKey = newKey();
    const link = await server().link();
    const queue = await openQueue(link, { queueKey, ...at(link, { db: 3 }) });
    await queue.push(event('a'));
    link.cut();
    link.heal();
    await pushWhenBack(queue, 'b');
    expect(await server().command('EXISTS', queueKey)).toBe(0);
    expect(await drain(queue)).toEqual(['a', 'b']);
    await queue.close();
  });
});

/** Passes everything on but HELLO, which it answers as a server before Redis 6 does. */
function refuseHello(client: Socket, { host, port }: { host: string; port: number }, refused: string[]): void {
  const behind = connect({ host, port });
  client.on('data', (chunk) => {
    // ioredis sends HELLO first, and by itself or together with what follows.
    const text = chunk.toString('latin1');
    const hello = /^\*(\d+)\r\n\$5\r\nhello\r\n(?:\$\d+\r\n.*\r\n)*?(?=\*|$)/i.exec(text);
    if (hello === null) {
      behind.write(chunk);
      return;
    }
    refused.push(hello[0]);
    client.write("-ERR unknown command 'HELLO'\r\n");
    behind.write(Buffer.from(text.slice(hello[0].length), 'latin1'));
  });
  behind.on('data', (chunk) => client.write(chunk));
  for (const [one, other] of [
    [client, behind],
    [behind, client],
  ] as const) {
    one.on('close', () => other.destroy());
    one.on('error', () => other.destroy());
  }
}
