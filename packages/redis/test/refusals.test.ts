import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { isNqError, type NqErrorCode } from '@nq/core';
import { freePort, Link, until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { redisQueue } from '../src/index.ts';
import { codeOf, countsOf, drain, nothing, openQueue, pushWhenBack, take, type TestOptions } from './support/queue.ts';
import { newKey, notOurs, offer, useServer } from './support/server.ts';

const event = (type: string) => ({ type, data: null });

const secret = 's3cr3t-pässword';

describe.skipIf(notOurs !== undefined)(`what ${notOurs ?? offer.name} refuses`, () => {
  const server = useServer('requirepass "hunter2"', 'databases 4');
  const access = { password: 'hunter2' };

  /** How opening fails, after how long. */
  async function refusal(
    options: TestOptions,
    place = server(),
  ): Promise<{ code: NqErrorCode; text: string; ms: number }> {
    const startedAt = performance.now();
    try {
      // Longer than the whole opening: whatever is asked for has no more than what is left of that.
      await (await openQueue(place, { openTimeoutMs: 500, requestTimeoutMs: 10_000, ...options })).close();
    } catch (error) {
      if (!isNqError(error)) throw error;
      return { code: error.code, text: inspect(error, { depth: 20 }), ms: performance.now() - startedAt };
    }
    throw new Error('it was opened');
  }

  /** Waits until the server has no connection of a queue. */
  const untilAlone = (): Promise<unknown> =>
    until(
      'connections to be closed',
      async () => !String(await server().command('CLIENT', 'LIST')).includes('name=nq:'),
    );

  test.each<[string, TestOptions, RegExp]>([
    ['a wrong password', { password: secret }, /does not accept the username or the password/],
    ['an unknown user', { username: 'nobody', password: secret }, /does not accept the username or the password/],
    ['no password', {}, /wants a password, and none was given/],
    ['a database that is not there', { ...access, db: 4 }, /no database of that number; a cluster has only 0 \(db 4\)/],
  ])('%s is told at once, shows no password, and leaves nothing open', async (_what, options, message) => {
    const { code, text, ms } = await refusal({ ...options, openTimeoutMs: 10_000 });
    expect(code).toBe('NQ_CONFIG');
    expect(text).toMatch(/^NqError: Cannot open a Redis queue: /);
    expect(text).toMatch(message);
    expect(text).not.toContain(secret);
    expect(text).not.toContain('hunter2');
    expect(ms).toBeLessThan(3000);
    await untilAlone();
  });

  test.each<[string, (addr: string) => TestOptions, RegExp]>([
    [
      'a Sentinel',
      (addr) => ({ sentinel: { name: 'any', addrs: [addr], ...access } }),
      /no Sentinel: sentinel.addrs names Sentinels/,
    ],
    ['a node of a cluster', (addr) => ({ cluster: [addr] }), /no node of a cluster: a single one is given as addr/],
  ])('a server that is taken for %s is told at once', async (_what, optionsFor, message) => {
    const { host, port } = server();
    const startedAt = performance.now();
    const options = { queueKey: newKey(), openTimeoutMs: 10_000, onWarning: () => {}, ...access };
    const failed = redisQueue({ ...options, ...optionsFor(`${host}:${port}`) });
    await expect(failed).rejects.toMatchObject({ code: 'NQ_CONFIG', message: expect.stringMatching(message) });
    expect(performance.now() - startedAt).toBeLessThan(3000);
    await untilAlone();
  });

  test('nothing goes to database 0 instead of one that is not there', async () => {
    const queueKey = newKey();
    await refusal({ ...access, db: 4, queueKey });
    expect(await server().command('DBSIZE')).toBe(0);
    await using queue = await openQueue(server(), { ...access, db: 3, queueKey });
    await queue.push(event('a'));
    expect(await server().command('DBSIZE')).toBe(0);
    expect(await drain(queue)).toEqual(['a']);
  });

  test('a key that holds something else is told, and left as it is', async () => {
    await server().command('SET', 'text', 'precious');
    const { code, text } = await refusal({ ...access, queueKey: 'text' });
    expect(code).toBe('NQ_CONFIG');
    expect(text).toContain('queueKey must name a list, and "text" is a string');
    expect(await server().command('GET', 'text')).toBe('precious');
    await untilAlone();
  });

  test('a key that becomes something else later fails every call, and loses nothing that is beside it', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { ...access, queueKey });
    await queue.push(event('a'));
    const held = await take(queue);
    await server().command('SET', queueKey, 'precious');
    const calls = [queue.push(event('b')), queue.pop(), queue.size(), held.nack()];
    expect(await Promise.all(calls.map(codeOf))).toEqual(Array(4).fill('NQ_CONFIG'));
    expect(await server().command('GET', queueKey)).toBe('precious');
    await server().command('DEL', queueKey);
    await held.ack();
    expect(await countsOf(server(), queueKey)).toMatchObject({ held: 0, ready: 0 });
  });

  test('an acknowledgement is told that it is done, although the pop that went with it has failed', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { ...access, queueKey });
    await queue.push(event('a'));
    const held = await take(queue);
    await server().command('SET', queueKey, 'precious');
    const [acked, popped] = await Promise.all([held.ack().then(() => 'done'), codeOf(queue.pop({ timeoutMs: 1000 }))]);
    expect([acked, popped]).toEqual(['done', 'NQ_CONFIG']);
    await server().command('DEL', queueKey);
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
    await queue.push(event('b'));
    expect(await drain(queue)).toEqual(['b']);
  });

  test('an acknowledgement is told that it is done, although what was given back with it could not be', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { ...access, queueKey });
    await queue.pushMany(['a', 'b'].map(event));
    const [a, b] = await queue.popMany(2);
    await server().command('SET', queueKey, 'precious');
    const [acked, returned] = await Promise.all([a?.ack().then(() => 'done'), codeOf(b?.nack() as Promise<void>)]);
    expect([acked, returned]).toEqual(['done', 'NQ_CONFIG']);
    await server().command('DEL', queueKey);
    await b?.ack();
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  test('what was delayed does not come again as well, although what was given up with it could not be', async () => {
    const queueKey = newKey();
    const dead = `{${queueKey}}:nq:dead`;
    await using queue = await openQueue(server(), { ...access, queueKey });
    await queue.pushMany(['a', 'b'].map(event));
    const [a, b] = await queue.popMany(2);
    await server().command('SET', dead, 'precious');
    await Promise.all(
      [a?.nack({ delayMs: 50 }), b?.nack({ deadLetter: true })].map((one) => codeOf(one as Promise<void>)),
    );
    await server().command('DEL', dead);
    await b?.ack();
    const again = await take(queue);
    expect([again.event.type, again.attempt]).toEqual(['a', 2]);
    await again.ack();
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });

  describe.each<TestOptions & { mode: string }>([{ mode: 'list' }, { mode: 'stream', group: 'default' }])(
    'beside a $mode, a key that holds something else',
    (options) => {
      test.each([
        ['leases', ['SET', 'precious']],
        ['delayed', ['LPUSH', 'precious']],
      ] as const)('%s fails every pop, and all events come when it is gone', async (name, [command, value]) => {
        const queueKey = newKey();
        const key = `{${queueKey}}:nq:${options.mode === 'stream' ? 'default:' : ''}${name}`;
        await using queue = await openQueue(server(), { ...access, ...options, queueKey });
        await queue.pushMany(['a', 'b'].map(event));
        await server().command(command, key, value);
        for (let round = 0; round < 2; round++) {
          const failure: unknown = await queue.pop({ timeoutMs: 0 }).catch((error: unknown) => error);
          const message = expect.stringContaining('a key that belongs to it, holds something else');
          expect(failure).toMatchObject({ code: 'NQ_CONFIG', message });
        }
        // A push counts what is delayed, and looks at nothing else there.
        const pushed = await codeOf(queue.push(event('c')));
        expect(pushed).toBe(name === 'delayed' ? 'NQ_CONFIG' : 'done');
        await server().command('DEL', key);
        expect(await drain(queue)).toEqual(pushed === 'done' ? ['a', 'b', 'c'] : ['a', 'b']);
        expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0, delayed: 0 });
      });
    },
  );

  test('a port where nothing listens is NQ_UNAVAILABLE, in time', async () => {
    const addr = `127.0.0.1:${await freePort()}`;
    const { code, text, ms } = await refusal({ ...access, addr });
    expect(code).toBe('NQ_UNAVAILABLE');
    expect(text).toContain(`Cannot open a Redis queue: nothing listens at the address (${addr})`);
    expect(ms).toBeLessThan(2500);
  });

  test('a host that is not known is NQ_UNAVAILABLE, in time', async () => {
    const { code, text } = await refusal({ ...access, addr: 'nowhere.invalid', openTimeoutMs: 3000 });
    expect(code).toBe('NQ_UNAVAILABLE');
    expect(text).toMatch(/the host is not known \(nowhere\.invalid\)|there is no connection/);
  });

  test.each<[string, (link: Link) => void]>([
    ['makes connections and says nothing', (link) => link.freeze()],
    ['hears and does not answer', (link) => link.dropReplies()],
    ['hangs up', (link) => link.cut()],
  ])('a place that %s is NQ_UNAVAILABLE, in time, and leaves nothing open', async (_what, hurt) => {
    await using link = await Link.open(server());
    hurt(link);
    const { code, text, ms } = await refusal({ ...access, addr: `127.0.0.1:${link.port}` });
    expect(code).toBe('NQ_UNAVAILABLE');
    expect(text).not.toContain('hunter2');
    expect(ms).toBeLessThan(2500);
    // Only now can the link see that they were closed.
    link.heal();
    await until('connections to be closed', () => link.counts.open === 0);
  });

  test('a server that falls silent while a queue is opened does not hold it', async () => {
    await using link = await Link.open(server());
    link.delay(50);
    const opening = refusal({ ...access, addr: `127.0.0.1:${link.port}`, openTimeoutMs: 1500 });
    // It has been let in, and asks what the server keeps.
    await until('the question', async () =>
      /name=nq:.* cmd=(?:evalsha|eval)/.test(String(await server().command('CLIENT', 'LIST'))),
    );
    link.freeze();
    const { code, ms } = await opening;
    expect(code).toBe('NQ_UNAVAILABLE');
    expect(ms).toBeLessThan(4000);
  });

  test('TLS to a port that speaks none is an error in time', async () => {
    const { code, text, ms } = await refusal({ ...access, tls: true, openTimeoutMs: 1000 });
    expect(code).toBe('NQ_UNAVAILABLE');
    expect(text).toMatch(/TLS.*: it may speak none at that port/);
    expect(ms).toBeLessThan(4000);
    await untilAlone();
  });

  test('a server with as many clients as it takes is NQ_UNAVAILABLE', async () => {
    const other = await offer.start();
    await using _ = other;
    const first = await openQueue(other);
    // Only now, for whoever has just looked whether it runs counts too.
    await other.command('CONFIG', 'SET', 'maxclients', 1);
    // Why is not always told, for the server hangs up before it has heard anything.
    expect((await refusal({}, other)).code).toBe('NQ_UNAVAILABLE');
    await first.close();
  });

  test.each<[string, string[][], string[][], RegExp]>([
    [
      'too few replicas',
      [['CONFIG', 'SET', 'min-replicas-to-write', '1']],
      [['CONFIG', 'SET', 'min-replicas-to-write', '0']],
      /enough replicas/,
    ],
    ['no memory', [['CONFIG', 'SET', 'maxmemory', '1']], [['CONFIG', 'SET', 'maxmemory', '0']], /out of memory/],
    [
      'no primary',
      [
        ['CONFIG', 'SET', 'replica-serve-stale-data', 'no'],
        ['REPLICAOF', '127.0.0.1', '1'],
      ],
      [
        ['REPLICAOF', 'NO', 'ONE'],
        ['CONFIG', 'SET', 'replica-serve-stale-data', 'yes'],
      ],
      /without its primary/,
    ],
    ['no right to write', [['REPLICAOF', '127.0.0.1', '1']], [['REPLICAOF', 'NO', 'ONE']], /a replica/],
  ])('a push to a server with %s is NQ_UNAVAILABLE and stores nothing', async (_what, before, after, message) => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { ...access, queueKey });
    await queue.push(event('a'));
    for (const command of before) await server().command(...command);
    try {
      const error = await queue.push(event('b')).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: 'NQ_UNAVAILABLE', message: expect.stringMatching(message) });
    } finally {
      for (const command of after) await server().command(...command);
    }
    await pushWhenBack(queue, 'c');
    expect(await drain(queue)).toEqual(['a', 'c']);
  });

  test('a push to a server with a script that does not end is NQ_UNAVAILABLE and stores nothing', async () => {
    await using queue = await openQueue(server(), access);
    await server().command('CONFIG', 'SET', 'lua-time-limit', 1);
    const script = codeOf(server().command('EVAL', 'while true do end', 0));
    try {
      await until('the script to run', () => codeOf(server().command('PING')).then((code) => code.includes('BUSY')));
      expect(await codeOf(queue.push(event('b')))).toBe('NQ_UNAVAILABLE');
      expect(await codeOf(queue.pop())).toBe('NQ_UNAVAILABLE');
    } finally {
      await server().command('SCRIPT', 'KILL');
      await script;
    }
    expect(await drain(queue)).toEqual([]);
  });

  test('a queue is opened once a replica without its primary is one itself, and refused in time otherwise', async () => {
    await server().command('CONFIG', 'SET', 'replica-serve-stale-data', 'no');
    await server().command('REPLICAOF', '127.0.0.1', '1');
    let isOpened = false;
    const opened = codeOf(openQueue(server(), access).then((queue) => queue.close())).then((code) => {
      isOpened = true;
      return code;
    });
    try {
      const { code, text, ms } = await refusal(access);
      expect(code).toBe('NQ_UNAVAILABLE');
      expect(text).toMatch(/without its primary/);
      expect(ms).toBeLessThan(2500);
      expect(isOpened).toBe(false);
    } finally {
      await server().command('REPLICAOF', 'NO', 'ONE');
      await server().command('CONFIG', 'SET', 'replica-serve-stale-data', 'yes');
    }
    expect(await opened).toBe('done');
  });

  test('a push to a server that cannot save its data is NQ_UNAVAILABLE and stores nothing', async ({ skip }) => {
    if (server().pid === undefined) skip('the disk of the server is not ours to spoil');
    await using queue = await openQueue(server(), access);
    const [, folder] = (await server().command('CONFIG', 'GET', 'dir')) as [string, string];
    // Where its snapshot should go, there is a folder.
    await mkdir(join(folder, 'dump.rdb'));
    await server().command('CONFIG', 'SET', 'save', '3600 1000000');
    try {
      await server().command('BGSAVE');
      await until('the snapshot to fail', async () =>
        String(await server().command('INFO', 'persistence')).includes('rdb_last_bgsave_status:err'),
      );
      const error = await queue.push(event('b')).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: 'NQ_UNAVAILABLE', message: expect.stringMatching(/cannot save its data/) });
    } finally {
      await rmdir(join(folder, 'dump.rdb'));
      await server().command('CONFIG', 'SET', 'save', '');
    }
    expect(await drain(queue)).toEqual([]);
  });
});
