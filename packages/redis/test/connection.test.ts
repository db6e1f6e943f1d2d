import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { systemClock } from '@nq/core';
import { virtualClock } from '@nq/core/testing';
import { Link, until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { Connection } from '../src/connection.ts';
import { clientMaker } from '../src/open-client.ts';
import { clients, codeOf, drain, openQueue, pushWhenBack, take, untilBlocked } from './support/queue.ts';
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

  test.each(clients)('is given up for a new one while it is made again, with $name', async ({ make }) => {
    const link = await server().link();
    const client = make({ host: link.host, port: link.port });
    const connection = new Connection(clientMaker({ queueKey: 'q', client }), 'test', systemClock);
    try {
      const stuck = await connection.ready(5000, 'test');
      const answer = codeOf(connection.answerOf(stuck, stuck.blpop(newKey(), 0)));
      await until('it to wait', async () => String(await server().command('CLIENT', 'LIST')).includes('cmd=blpop'));
      link.cut();
      await until('it to be made again', () => stuck.status === 'reconnecting');
      connection.replace();
      expect(await answer).toBe('Error: Connection is closed.');
      link.heal();
      expect(await connection.ready(5000, 'test')).not.toBe(stuck);
      expect(await codeOf(connection.answerOf(stuck, new Promise(() => {})))).toBe('Error: Connection is closed.');
    } finally {
      connection.close();
    }
  });

  test.each(clients)('is waited for when it is lost again at once, with $name', async ({ make }) => {
    const ways: Socket[] = [];
    const way = createServer((toClient) => {
      toClient.on('error', () => {});
      const toServer = connect(server().port, server().host).on('error', () => {});
      toClient.pipe(toServer);
      const isSecond = ways.push(toClient) === 2;
      toServer.on('data', (chunk) => {
        toClient.write(chunk);
        // The last word of the server before the client calls itself ready.
        if (isSecond && chunk.includes('redis_version')) toClient.resetAndDestroy();
      });
    });
    await new Promise<void>((resolve) => way.listen(0, '127.0.0.1', resolve));
    const { port } = way.address() as AddressInfo;
    const connection = new Connection(
      clientMaker({ queueKey: 'q', client: make({ host: '127.0.0.1', port }) }),
      'test',
      systemClock,
    );
    try {
      const asked = await connection.ready(5000, 'test');
      // Is sent again at once, and finds that it cannot be.
      const answer = codeOf(connection.answerOf(asked, asked.blpop(newKey(), 0)));
      ways[0]?.resetAndDestroy();
      await until('it to be lost', () => !connection.isReady);
      expect(await connection.ready(5000, 'test')).toBe(asked);
      expect(ways).toHaveLength(3);
      connection.close();
      expect(await answer).toBe('Error: Connection is closed.');
    } finally {
      connection.close();
      way.close();
    }
  });

  test.each(clients)('leaves nobody waiting when it is closed, with $name', async ({ make }) => {
    const link = await server().link();
    const client = make({ host: link.host, port: link.port });
    const connection = new Connection(clientMaker({ queueKey: 'q', client }), 'test', systemClock);
    const asked = await connection.ready(5000, 'test');
    const answer = codeOf(connection.answerOf(asked, asked.blpop(newKey(), 0)));
    link.cut();
    await until('it to be made again', () => asked.status === 'reconnecting');
    connection.close();
    expect(await answer).toBe('Error: Connection is closed.');
  });

  test.each(clients)(
    'to a primary that has become a replica is made anew, to where its address leads now, with $name',
    async ({ at }) => {
      const queueKey = newKey();
      await using next = await offer.start();
      const place = { host: server().host, port: server().port };
      await using link = await Link.open(place);
      await using queue = await openQueue(link, { ...at(link), queueKey });
      await queue.push({ type: 'a' });
      Object.assign(place, { host: next.host, port: next.port });
      await server().command('REPLICAOF', '127.0.0.1', '1');
      try {
        expect(await codeOf(queue.push({ type: 'b' }))).toBe('NQ_UNAVAILABLE');
        await pushWhenBack(queue, 'c');
        expect(await drain(queue)).toEqual(['c']);
      } finally {
        await server().command('REPLICAOF', 'NO', 'ONE');
      }
      expect(await server().command('LLEN', queueKey)).toBe(1);
    },
  );

  test.each(clients)(
    'that comes back and may not select its database any more sends nothing to another one, with $name',
    async ({ at }) => {
      const queueKey = newKey();
      const acl = (...rules: readonly string[]) => server().command('ACL', 'SETUSER', 'guest', 'on', '>pw', ...rules);
      await acl('~*', '&*', '+@all');
      const link = await server().link();
      await using queue = await openQueue(link, {
        queueKey,
        ...at(link, { username: 'guest', password: 'pw', db: 2 }),
      });
      await queue.push({ type: 'before' });
      const before = await take(queue);
      const popped = codeOf(queue.pop());
      await untilBlocked(server(), queueKey);
      await acl('-select');
      link.cut();
      link.heal();
      await until('it to be refused', async () => (await codeOf(queue.push({ type: 'a' }))) === 'NQ_CONFIG');
      expect(await popped).toBe('NQ_CONFIG');
      expect(await server().command('LLEN', queueKey)).toBe(0);
      await acl('+select');
      link.cut();
      link.heal();
      // One of these may be stored although its outcome was unknown, so it has a name of its own.
      let tries = 0;
      const last = await until('it to be accepted', async () => {
        const type = `b${tries++}`;
        return (await codeOf(queue.push({ type }))) === 'done' && type;
      });
      await before.nack();
      const types = await drain(queue);
      expect(types.filter((type) => ['before', last].includes(type)).toSorted()).toEqual(['before', last].toSorted());
      expect(new Set(types).size).toBe(types.length);
      // What waited when the connection was given up keeps nobody from being woken later.
      const again = take(queue);
      await untilBlocked(server(), queueKey);
      await queue.push({ type: 'c' });
      expect(await again).toMatchObject({ event: { type: 'c' } });
    },
  );
});
