import { describe, expect, test } from 'vitest';
import { redisOffer, redisVersions, until } from '../src/index.ts';
import { redisCommand } from '../src/redis-command.ts';
import { Client } from './client.ts';

const native = await redisOffer({ provider: 'native' });
const images = await redisVersions({ provider: 'docker' });

describe.each([native, ...images.slice(0, 1)])('a Redis of our own: $name', ({ name, missing, start }) => {
  describe.skipIf(missing !== undefined)('that is here', () => {
    test('says what it is, is reached on the loopback interface only, and answers', async () => {
      await using server = await start();
      expect(name).toContain(`${server.product} ${server.version.split('.')[0]}`);
      expect(server.url).toBe(`redis://127.0.0.1:${server.port}`);
      expect(await server.command('SET', 'a', 1)).toBe('OK');
      expect(await server.command('GET', 'a')).toBe('1');
      expect(await server.command('GET', 'b')).toBeNull();
      const script = "return {1, 'two', {redis.error_reply('ERR three')}}";
      expect(await server.command('EVAL', script, 0)).toEqual([1, 'two', [new Error('ERR three')]]);
      await expect(server.command('NONSENSE')).rejects.toThrow(/^Cannot NONSENSE at .*: ERR unknown command/);
    });

    test('is asked with redis-cli where there is one, the password included', async ({ skip }) => {
      await using server = await start({ config: ['requirepass p@ss'] });
      await server.command('RPUSH', 'a', 'one', 'two');
      const printed = await server.cli('LRANGE', 'a', 0, -1);
      skip(printed === undefined, 'there is no redis-cli');
      expect(printed).toBe('one\ntwo');
      await expect(server.cli('--nonsense')).rejects.toThrow('--nonsense');
    });

    test('takes lines of configuration, the password included', async () => {
      await using server = await start({ config: ['requirepass p@ss', 'maxmemory 20mb'] });
      expect(await server.command('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', String(20 * 1024 * 1024)]);
      expect(server.url).toBe(`redis://:p%40ss@127.0.0.1:${server.port}`);
      await expect(redisCommand({ host: server.host, port: server.port }, ['PING'])).rejects.toThrow('NOAUTH');
    });

    test('speaks TLS when asked to, also through a link, and nothing else', async () => {
      await using server = await start({ tls: true });
      expect(await server.command('CONFIG', 'GET', 'port')).toEqual(['port', '0']);
      const link = await server.link();
      expect(server.urlAt(link)).toBe(`rediss://127.0.0.1:${link.port}`);
      expect(await redisCommand({ host: link.host, port: link.port, tls: server.ca }, ['PING'])).toBe('PONG');
      await expect(redisCommand({ host: link.host, port: link.port, tls: true }, ['PING'])).rejects.toThrow(
        'self-signed certificate',
      );
      await expect(redisCommand({ host: link.host, port: link.port }, ['PING'])).rejects.toThrow(/closed|ECONNRESET/);
    });

    test('that does not start is told with its own words, and leaves nothing', async () => {
      await expect(start({ config: ['nonsense 1'] })).rejects.toThrow('nonsense');
    });

    test('restart() keeps the place, and the data that the configuration keeps', async () => {
      await using server = await start({ config: ['appendonly yes'] });
      await using forgetful = await start();
      const { url } = server;
      for (const one of [server, forgetful]) {
        await one.command('SET', 'a', 1);
        await one.restart();
      }
      expect(server.url).toBe(url);
      expect([await server.command('GET', 'a'), await forgetful.command('GET', 'a')]).toEqual(['1', null]);
    });

    test('start() resolves when the data are loaded, not before', async () => {
      await using server = await start({ config: ['appendonly yes', 'key-load-delay 50'] });
      await server.command('EVAL', "for i = 1, 10000 do redis.call('SET', i, i) end", 0);
      await server.kill();
      await server.start();
      expect(await server.command('DBSIZE')).toBe(10000);
    });

    test('kill() leaves nobody to connect to, until start()', async () => {
      await using server = await start({ config: ['appendonly yes', 'appendfsync always'] });
      await server.command('SET', 'a', 1);
      using client = await greeted(server);
      await server.kill();
      await client.ends();
      using late = new Client(server);
      expect(await late.closes()).toBe('ECONNREFUSED');
      await server.start();
      expect(await server.command('GET', 'a')).toBe('1');
    });

    test('freeze() keeps connections without an answer, until thaw()', async () => {
      await using server = await start();
      using client = await greeted(server);
      await server.freeze();
      client.send('INCR a\r\n');
      await expect(redisCommand({ host: server.host, port: server.port }, ['PING'], 200)).rejects.toThrow('no answer');
      expect([client.text, client.closed]).toEqual([greeting, undefined]);
      await server.thaw();
      await client.reads(':1\r\n');
    });

    test('can be restarted, killed and stopped while it is frozen', async () => {
      const server = await start();
      await server.freeze();
      await server.restart();
      await server.freeze();
      await server.kill();
      await server.start();
      await server.freeze();
      await server.stop();
      using client = new Client(server);
      expect(await client.closes()).toBe('ECONNREFUSED');
    });

    test('stop() closes its links, and may be called twice', async () => {
      const server = await start();
      const link = await server.link();
      using client = await greeted(link);
      await server.stop();
      expect(await client.closes()).toBe('ECONNRESET');
      await server.stop();
    });

    test('through a link that cuts before the answer: has acted when the client notices, and a waiting BLMOVE is left alone', async () => {
      await using server = await start();
      const link = await server.link();
      for (let i = 1; i <= 20; i++) {
        using waiting = await greeted(link);
        waiting.send('BLMOVE none other LEFT RIGHT 0\r\n');
        await until('it to wait', async () =>
          /blocked_clients:1/.test(String(await server.command('INFO', 'clients'))),
        );
        using client = await greeted(link);

        link.cutBeforeAnswer();
        client.send('INCR a\r\n');
        await client.closes();
        expect(await server.command('GET', 'a')).toBe(String(i));
        expect(client.text).toBe(greeting);
        await waiting.closes();
        link.heal();
      }
    });

    test('ends the clients of its links when it is killed, and lets them connect again after start()', async () => {
      await using server = await start();
      const link = await server.link();
      using client = await greeted(link);
      await server.kill();
      await client.ends();
      using refused = new Client(link);
      expect(await refused.closes()).toBe('ECONNRESET');
      await server.start();
      using again = await greeted(link);
      expect(again.text).toBe(greeting);
    });
  });
});

describe.each(images.slice(1))('a Redis of our own: $name', ({ name, missing, start }) => {
  test.skipIf(missing !== undefined)('says what it is, and keeps what its configuration keeps', async () => {
    await using server = await start({ config: ['appendonly yes'] });
    expect(name).toBe(`${server.product} ${server.version.split('.')[0]} (docker)`);
    await server.command('SET', 'a', 1);
    await server.restart();
    expect(await server.command('GET', 'a')).toBe('1');
  });
});

const greeting = '+PONG\r\n';

/** A connection over which the server has answered. */
async function greeted(place: { readonly host: string; readonly port: number }): Promise<Client> {
  const client = new Client(place);
  await client.send('PING\r\n').reads(greeting);
  return client;
}
