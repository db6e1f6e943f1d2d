import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { redis, redisOffer, until } from '../src/index.ts';
import { redisCommand } from '../src/redis-command.ts';
import { Client } from './client.ts';

const { missing, name, start } = await redisOffer({ provider: 'native' });

describe.skipIf(missing !== undefined)(`a native Redis: ${name}`, () => {
  test('says what it is, runs on the loopback interface, and answers', async () => {
    await using server = await start();
    expect(server).toMatchObject({
      provider: 'native',
      host: '127.0.0.1',
      product: expect.stringMatching(/^(Redis|Valkey)$/),
    });
    expect(name).toBe(`${server.product} ${server.version} (native)`);
    expect(server.url).toBe(`redis://127.0.0.1:${server.port}`);
    expect(await server.command('SET', 'a', 1)).toBe('OK');
    expect(await server.command('GET', 'a')).toBe('1');
    expect(await server.command('GET', 'b')).toBeNull();
    expect(await server.command('EVAL', "return {1, 'two', {redis.error_reply('ERR three')}}", 0)).toEqual([
      1,
      'two',
      [new Error('ERR three')],
    ]);
    await expect(server.command('NONSENSE')).rejects.toThrow(/^Cannot NONSENSE at .*: ERR unknown command/);
  });

  test('takes lines of configuration, the password included', async () => {
    await using server = await start({ config: ['requirepass p@ss', 'maxmemory 20mb'] });
    expect(await server.command('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', String(20 * 1024 * 1024)]);
    expect(server.url).toBe(`redis://:p%40ss@127.0.0.1:${server.port}`);
    await expect(redisCommand({ host: server.host, port: server.port }, ['PING'])).rejects.toThrow('NOAUTH');
  });

  test('that does not start is told with its own words, and leaves nothing', async () => {
    await expect(redis({ provider: 'native', config: ['nonsense 1'] })).rejects.toThrow(
      /Bad directive|wrong number of arg/,
    );
  });

  test('restart() keeps the port, and the data that the configuration keeps', async () => {
    await using server = await start({ config: ['appendonly yes'] });
    const { pid, port } = server;
    await server.command('SET', 'a', 1);
    await server.restart();
    expect(server.port).toBe(port);
    expect(server.pid).not.toBe(pid);
    expect(await server.command('GET', 'a')).toBe('1');

    await using forgetful = await start();
    await forgetful.command('SET', 'a', 1);
    await forgetful.restart();
    expect(await forgetful.command('GET', 'a')).toBeNull();
  });

  test('start() resolves when the data are loaded, not before', async () => {
    await using server = await start({ config: ['appendonly yes', 'key-load-delay 50'] });
    await server.command('EVAL', "for i = 1, 20000 do redis.call('SET', i, i) end", 0);
    await server.kill();
    await server.start();
    expect(await server.command('DBSIZE')).toBe(20000);
  });

  test('kill() leaves nobody to connect to, until start()', async () => {
    await using server = await start({ config: ['appendonly yes', 'appendfsync always'] });
    await server.command('SET', 'a', 1);
    using client = new Client(server);
    client.send('PING\r\n');
    await client.reads('+PONG\r\n');
    const { pid } = server;
    await server.kill();
    expect(server.pid).toBeUndefined();
    expect(isAlive(pid)).toBe(false);
    await client.ends();
    using late = new Client(server);
    expect(await late.closes()).toBe('ECONNREFUSED');
    await server.start();
    expect(await server.command('GET', 'a')).toBe('1');
  });

  test('freeze() keeps connections without an answer, until thaw()', async () => {
    await using server = await start();
    using client = new Client(server);
    client.send('PING\r\n');
    await client.reads('+PONG\r\n');
    await server.freeze();
    client.send('INCR a\r\n');
    await expect(redisCommand({ host: server.host, port: server.port }, ['PING'], 200)).rejects.toThrow('no answer');
    expect([client.text, client.closed]).toEqual(['+PONG\r\n', undefined]);
    await server.thaw();
    await client.reads(':1\r\n');
  });

  test('can be ended, restarted and removed while it is frozen', async () => {
    await using server = await start();
    await server.freeze();
    await server.restart();
    await server.freeze();
    await server.stop();
    expect(server.pid).toBeUndefined();
  });

  test('stop() ends the process by its pid, removes its folder, and closes its links', async () => {
    const server = await start();
    const link = await server.link();
    const [, folder] = (await server.command('CONFIG', 'GET', 'dir')) as [string, string];
    expect(readFileSync(`${folder}/redis.conf`, 'utf8')).toContain(`port ${server.port}`);
    const { pid } = server;
    await server.stop();
    expect([isAlive(pid), existsSync(folder)]).toEqual([false, false]);
    using client = new Client({ host: link.host, port: server.port });
    expect(await client.closes()).toBe('ECONNREFUSED');
    await server.stop();
  });

  test('through a link that is cut before the answer, has acted when the client notices', async () => {
    await using server = await start();
    const link = await server.link();
    expect(server.urlAt(link)).toBe(`redis://127.0.0.1:${link.port}`);
    for (let i = 1; i <= 20; i++) {
      using waiting = new Client(link);
      waiting.send('CLIENT ID\r\n');
      await waiting.reads('\r\n');
      waiting.send('BLMOVE none other LEFT RIGHT 0\r\n');
      await until('it to wait', async () => /blocked_clients:1/.test(String(await server.command('INFO', 'clients'))));
      using client = new Client(link);
      client.send('PING\r\n');
      await client.reads('+PONG\r\n');

      link.cutBeforeAnswer();
      client.send('INCR a\r\n');
      await client.closes();
      expect(await server.command('GET', 'a')).toBe(String(i));
      expect(client.text).toBe('+PONG\r\n');
      await waiting.closes();
      link.heal();
    }
  });

  test('ends the clients of its links when it is killed, and lets them connect again after start()', async () => {
    await using server = await start();
    const link = await server.link();
    using client = new Client(link);
    client.send('PING\r\n');
    await client.reads('+PONG\r\n');
    await server.kill();
    await client.ends();
    using refused = new Client(link);
    expect(await refused.closes()).toBe('ECONNRESET');
    await server.start();
    using again = new Client(link);
    again.send('PING\r\n');
    await again.reads('+PONG\r\n');
  });
});

function isAlive(pid: number | undefined): boolean {
  try {
    return process.kill(pid ?? -1, 0);
  } catch {
    return false;
  }
}
