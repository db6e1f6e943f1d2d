import { inspect } from 'node:util';
import { createDispatcher, type QueueConfig } from '@nq/core';
import { Redis } from 'ioredis';
import { Link } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { queueType, redisQueue, type RedisQueueOptions } from '../src/index.ts';
import { resolveOptions } from '../src/redis-options.ts';

const secret = 's3cr3t/%pässword';

/** What `redisQueue(options)` rejects with. */
async function refusal(options: unknown): Promise<unknown> {
  try {
    await (await redisQueue(options as RedisQueueOptions)).close();
  } catch (error) {
    return error;
  }
  throw new Error('it was opened');
}

describe('redisQueue() refuses', () => {
  /** Where nothing must ever connect. */
  let link: Link;
  beforeAll(async () => {
    link = await Link.open({ host: '127.0.0.1', port: 1 });
    link.cut();
  });
  afterAll(() => link.close());

  const valid = { queueKey: 'q' };
  const place = ['url', 'sentinel', 'cluster', 'client', 'addr'];
  const places: Readonly<Record<string, unknown>> = {
    url: 'redis://localhost',
    sentinel: { name: 'm', addrs: ['localhost'] },
    cluster: ['localhost'],
    client: {},
    addr: 'localhost',
  };
  const pairs = place.flatMap((first, at) => place.slice(at + 1).map((second) => [first, second] as const));

  test.each<[string, unknown, string, RegExp]>([
    [
      'a URL instead of options',
      `redis://:${secret}@localhost`,
      'TypeError',
      /: options must be an object, got a string$/,
    ],
    ['no options', undefined, 'TypeError', /expected an object|options/],
    ['an unknown option', { ...valid, queueKye: 'q' }, 'TypeError', /queueKye/],
    ['no queueKey', {}, 'TypeError', /: queueKey must be a string, got undefined$/],
    ['an empty queueKey', { queueKey: '' }, 'RangeError', /: queueKey must not be empty$/],
    ['a queueKey that is a number', { queueKey: 7 }, 'TypeError', /: queueKey must be a string, got number$/],
    ['a queueKey with a brace and no tag', { queueKey: 'a}b' }, 'NqError', /: queueKey must have no "}"/],
    ['no capacity', { ...valid, capacity: 0 }, 'RangeError', /: capacity must be a whole number >= 1, got 0$/],
    ['half a capacity', { ...valid, capacity: 1.5 }, 'RangeError', /: capacity must be/],
    ['a capacity in words', { ...valid, capacity: '5' }, 'TypeError', /: capacity must be a number/],
    ['no lease', { ...valid, leaseMs: 0 }, 'RangeError', /: leaseMs must be >= 1, got 0$/],
    ['a lease without an end', { ...valid, leaseMs: Infinity }, 'RangeError', /: leaseMs must be finite/],
    ['a lease that is no number', { ...valid, leaseMs: Number.NaN }, 'RangeError', /: leaseMs must be >= 1, got NaN$/],
    [
      'a payload that Redis cannot hold',
      { ...valid, maxPayloadBytes: 2 ** 30 },
      'RangeError',
      /: maxPayloadBytes must/,
    ],
    ['no time to open', { ...valid, openTimeoutMs: 0 }, 'RangeError', /: openTimeoutMs must be >= 1, got 0$/],
    ['no time for requests', { ...valid, requestTimeoutMs: -1 }, 'RangeError', /: requestTimeoutMs must be >= 1/],
    ['an empty foreign key', { ...valid, foreignKey: '' }, 'RangeError', /: foreignKey must not be empty$/],
    [
      'a group that cannot be in a key',
      { ...valid, mode: 'stream', group: 'a:b' },
      'RangeError',
      /: group must consist of .*, got "a:b"$/,
    ],
    [
      'a group of a list',
      { ...valid, group: 'a' },
      'TypeError',
      /: group needs mode: 'stream', for a list has no groups$/,
    ],
    [
      'what a list shall retain',
      { ...valid, retain: 5 },
      'TypeError',
      /: retain needs mode: 'stream', for a list keeps nothing that was acknowledged$/,
    ],
    ['a foreign key that is none', { ...valid, foreignKey: 1 }, 'TypeError', /: foreignKey must be a string/],
    ['a warning for nobody', { ...valid, onWarning: 'log' }, 'TypeError', /: onWarning must be a function/],
    ['durability in words', { ...valid, durability: 'high' }, 'TypeError', /durability/],
    [
      'durability with no replica',
      { ...valid, durability: { replicas: 0 } },
      'RangeError',
      /: durability.replicas must/,
    ],
    ['an unknown durability', { ...valid, durability: { replica: 1 } }, 'TypeError', /durability.*replica/],
    ['a database below 0', { ...valid, db: -1 }, 'RangeError', /: db must be a whole number >= 0, got -1$/],
    ['a database in words', { ...valid, db: '1' }, 'TypeError', /: db must be a number/],
    [
      'another database of a cluster',
      { ...valid, cluster: ['a'], db: 1 },
      'RangeError',
      /: db must be 0 in a cluster, got 1$/,
    ],
    ['a cluster of one text', { ...valid, cluster: 'a:1' }, 'TypeError', /: cluster must be an array of addresses/],
    ['an empty cluster', { ...valid, cluster: [] }, 'TypeError', /: cluster must be an array of addresses/],
    ['a cluster at no address', { ...valid, cluster: ['a:b:c'] }, 'RangeError', /: cluster must be an address such as/],
    [
      'a sentinel without a name',
      { ...valid, sentinel: { addrs: ['a'] } },
      'TypeError',
      /: sentinel.name must be a string/,
    ],
    [
      'a sentinel without addresses',
      { ...valid, sentinel: { name: 'm' } },
      'TypeError',
      /: sentinel.addrs must be an array/,
    ],
    [
      'an unknown member of sentinel',
      { ...valid, sentinel: { name: 'm', addrs: ['a'], host: 'b' } },
      'TypeError',
      /host/,
    ],
    [
      'a sentinel password that is a number',
      { ...valid, sentinel: { name: 'm', addrs: ['a'], password: 5 } },
      'TypeError',
      /: sentinel.password must be a string, got number$/,
    ],
    ['tls in words', { ...valid, tls: 'yes' }, 'TypeError', /: tls must be true, false or an object$/],
    ['tls that is null', { ...valid, tls: null }, 'TypeError', /: tls must be true, false or an object$/],
    [
      'a password that is a number',
      { ...valid, password: 12_345 },
      'TypeError',
      /: password must be a string, got number$/,
    ],
    ['a client that is none', { ...valid, client: {} }, 'TypeError', /: client must be a client of ioredis$/],
    ['a client that is null', { ...valid, client: null }, 'TypeError', /: client must be a client of ioredis$/],
    [
      'a client with a prefix',
      { ...valid, client: new Redis({ lazyConnect: true, keyPrefix: 'p:' }) },
      'TypeError',
      /: client must have no keyPrefix/,
    ],
    [
      'an address with a path',
      { ...valid, addr: 'localhost:6379/0' },
      'RangeError',
      /: addr must be an address such as/,
    ],
    [
      'an address that is a URL',
      { ...valid, addr: `redis://:${secret}@localhost` },
      'RangeError',
      /: addr must be an address such as "localhost:6379", got what may be a URL$/,
    ],
    [
      'an address with a user',
      { ...valid, addr: `nq:${secret}@localhost` },
      'RangeError',
      /: addr must be an address such as/,
    ],
    ...['localhost:6379,password=', 'localhost,password=', 'user:', 'user:x:', '[nq:x:', 'localhost password='].map(
      (text): [string, unknown, string, RegExp] => [
        `an address that may hold a password: ${text}…`,
        { ...valid, addr: text + secret },
        'RangeError',
        /: addr must be an address such as "localhost:6379", got (?:what may be a URL|a port that is none|something else)$/,
      ],
    ),
    ['an address that may hold a PIN', { ...valid, addr: 'nq:123456' }, 'RangeError', /, got a port that is none$/],
    ['a port in words', { ...valid, addr: 'localhost:redis' }, 'RangeError', /, got a port that is none$/],
    [
      'a url with a password in its host',
      { ...valid, url: 'redis://localhost,password=hunter2' },
      'RangeError',
      /: url must be redis:.*, got a host that is none$/,
    ],
    ['an address without a host', { ...valid, addr: ':6379' }, 'RangeError', /: addr must be an address such as/],
    ['port 0', { ...valid, addr: 'localhost:0' }, 'RangeError', /: addr must be an address such as/],
    ['port 65536', { ...valid, addr: 'localhost:65536' }, 'RangeError', /: addr must be .*, got "localhost:65536"$/],
    ['an IPv6 address without brackets', { ...valid, addr: '::1' }, 'RangeError', /: addr must be an address such as/],
    ['a url that is none', { ...valid, url: `${secret}@localhost` }, 'RangeError', /: url must be a URL such as/],
    [
      'a url with a password that is not encoded',
      { ...valid, url: 'redis://:100%@localhost' },
      'RangeError',
      /: url must be a URL such as .*percent-encoded, as encodeURIComponent\(\) does$/,
    ],
    [
      'a url of something else',
      { ...valid, url: `http://:${encodeURIComponent(secret)}@localhost` },
      'RangeError',
      /: url must be redis:.*, got another scheme$/,
    ],
    [
      'a url with a name for a database',
      { ...valid, url: 'redis://localhost/jobs' },
      'RangeError',
      /: url must be redis:.*, got a path that is no number$/,
    ],
    [
      'a url with parameters',
      { ...valid, url: 'redis://localhost/0?family=6' },
      'RangeError',
      /, got something behind \? or #$/,
    ],
    ['a url without a host', { ...valid, url: 'redis:///0' }, 'RangeError', /, got no host$/],
    ['a url with a fragment', { ...valid, url: 'redis://localhost/0#x' }, 'RangeError', /: url must be redis:/],
    [
      'a database said twice',
      { ...valid, url: 'redis://localhost/1', db: 2 },
      'TypeError',
      /: give one of url and db, not both$/,
    ],
    [
      'a password said twice',
      { ...valid, url: `redis://:${encodeURIComponent(secret)}@localhost`, password: 'other' },
      'TypeError',
      /: give one of url and password, not both$/,
    ],
    [
      'a user beside a client',
      { ...valid, client: new Redis({ lazyConnect: true }), username: 'nq' },
      'TypeError',
      /: give one of client and username, not both$/,
    ],
    ...pairs.map(([first, second]): [string, unknown, string, RegExp] => [
      `both ${first} and ${second}`,
      { ...valid, [first]: places[first], [second]: places[second] },
      'TypeError',
      new RegExp(`: give one of ${first} and ${second}, not both$`),
    ]),
  ])('%s', async (_what, given, name, message) => {
    const error = (await refusal(
      typeof given === 'object' && given !== null && place.every((one) => !(one in given))
        ? { ...given, addr: `127.0.0.1:${link.port}` }
        : given,
    )) as Error;
    expect(error.name).toBe(name);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^Cannot open a Redis queue/);
    expect(inspect(error, { depth: 10 })).not.toContain(secret);
    expect(link.counts.accepted).toBe(0);
  });
});

describe('what an option is read as', () => {
  test('every default is that of the documentation', () => {
    expect(resolveOptions({ queueKey: 'q' })).toMatchObject({
      capacity: 1000,
      leaseMs: 30_000,
      maxPayloadBytes: 1_048_576,
      openTimeoutMs: 10_000,
      requestTimeoutMs: 5000,
      durability: undefined,
      foreign: undefined,
    });
    expect(resolveOptions({ queueKey: 'q', durability: { replicas: 2 } }).durability).toEqual({
      replicas: 2,
      timeoutMs: 1000,
    });
  });

  test('options that are undefined are not there', () => {
    const options = { queueKey: 'q', addr: undefined, url: undefined, db: undefined, durability: undefined };
    expect(() => resolveOptions({ ...options, capacity: undefined, sentinel: undefined })).not.toThrow();
  });
});

describe('a configuration of type redis', () => {
  /** What `open` is given for a configuration. */
  async function optionsOf(config: string | QueueConfig): Promise<unknown> {
    let given: unknown;
    const { registerQueueType } = await import('@nq/core');
    const done = new Error('that is enough');
    const unregister = registerQueueType({
      ...queueType,
      open: (options) => {
        given = options;
        return Promise.reject(done);
      },
    });
    try {
      await createDispatcher(config).start();
    } catch (error) {
      if (error !== done && (error as Error).cause !== done) throw error;
    } finally {
      unregister();
    }
    return given;
  }

  test.each<[string, string, unknown]>([
    ['a host and a key', 'redis://localhost?queueKey=q', { addr: 'localhost', queueKey: 'q' }],
    [
      'everything',
      'redis://nq:p%40ss%2Fw%25@[::1]:6380/3?queueKey=a%3Ab&capacity=5&leaseMs=60000&foreignKey=AccountID&requestTimeoutMs=100',
      {
        addr: '[::1]:6380',
        username: 'nq',
        password: 'p@ss/w%',
        db: 3,
        queueKey: 'a:b',
        capacity: 5,
        leaseMs: 60_000,
        foreignKey: 'AccountID',
        requestTimeoutMs: 100,
      },
    ],
  ])('reads a URL with %s', async (_what, url, expected) => {
    expect(await optionsOf(url)).toEqual(expected);
  });

  test('reads the members of the first program, which was written in Go', async () => {
    const config = {
      type: 'redis',
      bufferSize: 5000,
      extra: { addr: 'localhost:6379', password: '', db: 0, queue_key: 'notification:events' },
    };
    expect(await optionsOf(config)).toEqual({
      capacity: 5000,
      addr: 'localhost:6379',
      password: '',
      db: 0,
      queueKey: 'notification:events',
    });
  });

  test.each<[string, string | QueueConfig, RegExp]>([
    ['an unknown parameter', 'redis://localhost?queueKey=q&queue=x', /unknown URL parameter "queue"/],
    ['the alias of a file', 'redis://localhost?queue_key=q', /unknown URL parameter "queue_key"/],
    ['a parameter twice', 'redis://localhost?queueKey=q&queueKey=r', /"queueKey" is given twice/],
    ['a database twice', 'redis://localhost/1?queueKey=q&db=2', /"db" is given twice/],
    [
      'what has no form in a URL',
      'redis://localhost?queueKey=q&tls=true',
      /"tls" has no form in a URL: give it in extra/,
    ],
    ['a database that is a name', 'redis://localhost/jobs?queueKey=q', /path of the URL must be the number/],
    ['a database of many digits', 'redis://localhost/1234567890?queueKey=q', /path of the URL must be the number/],
    ['a path below the database', 'redis://localhost/0/1?queueKey=q', /path of the URL must be the number/],
    [
      'a password that is not encoded',
      'redis://:100%@localhost?queueKey=q',
      /user or the password in the URL is not percent-encoded/,
    ],
    [
      'a key by both its names',
      { type: 'redis', extra: { queue_key: 'a', queueKey: 'b' } },
      /"queueKey" is given twice/,
    ],
    ['an unknown member', { type: 'redis', extra: { queue_key: 'a', adr: 'b' } }, /unknown member of extra "adr"/],
    ['a database in words', { type: 'redis', extra: { queue_key: 'a', db: 'x' } }, /extra\.db/],
  ])('refuses %s', async (_what, config, message) => {
    await expect(optionsOf(config)).rejects.toThrow(message);
  });

  test('without a key is told how to give one, in a URL and in a file', async () => {
    const code = 'NQ_CONFIG';
    const message = expect.stringMatching(
      /queueKey is missing, which is \?queueKey=orders in a URL, or queue_key in extra$/,
    );
    await expect(createDispatcher('redis://localhost').start()).rejects.toMatchObject({ code, message });
  });
});
