import { type AddressInfo, connect, createServer } from 'node:net';
import { virtualClock } from '@nq/core/testing';
import { until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { Connection } from '../src/connection.ts';
import { clientMaker } from '../src/open-client.ts';
import { codeOf, drain, openQueue } from './support/queue.ts';
import { newKey, notOurs, offer, useServer } from './support/server.ts';

describe.skipIf(notOurs !== undefined)(`a connection to ${notOurs ?? offer.name}`, () => {
  const server = useServer('databases 4');

  test('is given up for a new one if the server has accepted it and says nothing', async () => {
    let accepted = 0;
    const way = createServer((client) => {
      if (accepted++ > 0) client.pipe(connect(server().port, server().host)).pipe(client);
    });
    await new Promise<void>((resolve) => way.listen(0, '127.0.0.1', resolve));
    const { port } = way.address() as AddressInfo;
    const clock = virtualClock();
    const connection = new Connection(clientMaker({ queueKey: 'q', addr: `127.0.0.1:${port}` }), 'test', clock);
    try {
      await until('it to wait for the greeting', () => accepted === 1 && clock.timers === 1);
      await clock.advance(9_999);
      expect(accepted).toBe(1);
      await clock.advance(1);
      await until('another one', () => connection.isReady);
      expect(accepted).toBe(2);
    } finally {
      connection.close();
      way.close();
    }
  });

  test('that comes back and may not select its database any more sends nothing to another one', async () => {
    const queueKey = newKey();
    const acl = (...rules: readonly string[]) => server().command('ACL', 'SETUSER', 'guest', 'on', '>pw', ...rules);
    await acl('~*', '&*', '+@all');
    const link = await server().link();
    const own = { queueKey, username: 'guest', password: 'pw', db: 2 };
    await using queue = await openQueue(link, own);
    await queue.push({ type: 'a' });
    await acl('-select');
    link.cut();
    link.heal();
    await until('it to be refused', async () => (await codeOf(queue.push({ type: 'b' }))) === 'NQ_CONFIG');
    expect(await server().command('LLEN', queueKey)).toBe(0);
    await acl('+select');
    link.cut();
    link.heal();
    await until('it to be accepted', async () => (await codeOf(queue.push({ type: 'c' }))) === 'done');
    expect((await drain(queue)).filter((type) => type !== 'b')).toEqual(['a', 'c']);
  });
});
