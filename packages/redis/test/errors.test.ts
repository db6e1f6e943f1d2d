import { isNqError } from '@nq/core';
import { describe, expect, test } from 'vitest';
import { failureOf, isUnsent, lateError, lostError, redisError, redisFailures } from '../src/errors.ts';
import type { RedisClient } from '../src/index.ts';
import { clients } from './support/queue.ts';

const push = { verb: 'push', changes: true };

/** An error as ioredis throws it. */
function clientError(message: string, code?: string): Error {
  const error = Object.assign(new Error(message), { command: { name: 'auth', args: ['nq', 's3cr3t'] } });
  return code === undefined ? error : Object.assign(error, { code });
}

describe('an error of the client', () => {
  test.each(redisFailures.flatMap(({ signs, code, meaning }) => signs.map((sign) => [sign, code, meaning] as const)))(
    'that begins with %s is %s: %s',
    (sign, code, meaning) => {
      const expected = { code, meaning };
      expect(failureOf(clientError(`${sign} and more`))).toMatchObject(expected);
      expect(failureOf(clientError('something', sign))).toMatchObject(expected);
    },
  );

  test.each([
    ['OOM command not allowed when used memory > maxmemory. script: 435c2d, on @user_script:1.', 'NQ_UNAVAILABLE'],
    [
      'ERR Error running script (call to f_435c2d): @user_script:1: -OOM command not allowed when used memory',
      'NQ_UNAVAILABLE',
    ],
    ['ERR Error running script (call to f_435c2d): @user_script:1: WRONGTYPE Operation against a key', 'NQ_CONFIG'],
    [
      "ERR Error running script (call to f_435c2d): @user_script:1: @user_script: 1: The user executing the script can't run this command or subcommand",
      'NQ_CONFIG',
    ],
    ['Too many Cluster redirections. Last error: ReplyError: MOVED 1 127.0.0.1:1', 'NQ_OUTCOME_UNKNOWN'],
    ["Cluster isn't ready and enableOfflineQueue options is false", 'NQ_UNAVAILABLE'],
    ['connect ECONNREFUSED 127.0.0.1:1', undefined],
    ['ERR syntax error', undefined],
    ['BUSYGROUP Consumer Group name already exists', undefined],
    ['NQSTALE a later request was executed before', undefined],
  ])('%s is %s', (message, code) => {
    expect(failureOf(clientError(message))?.code).toBe(code);
  });

  test.each([undefined, null, 'OOM', { message: 'OOM' }])('is not %o', (thrown) => {
    expect(failureOf(thrown)).toBeUndefined();
    expect(redisError(push, thrown).code).toBe('NQ_BACKEND');
  });

  test.each([redisError, lostError])('is the cause of what callers see, without what was sent', (make) => {
    const cause = clientError('WRONGPASS invalid username-password pair');
    const error = make(push, cause);
    expect(isNqError(error)).toBe(true);
    expect(error.message).toMatch(/^Cannot push: /);
    expect(error.cause).toBe(cause);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('s3cr3t');
    expect(Object.keys(cause)).not.toContain('command');
  });
});

describe('a question', () => {
  const question = { verb: 'count', changes: false };

  test.each([lostError(question, new Error('lost')), lateError(question)])(
    'that has no answer is one that can be asked again: %s',
    (error) => {
      expect(error).toMatchObject({ code: 'NQ_UNAVAILABLE', message: expect.not.stringContaining('may be done') });
    },
  );

  test('that is sent from node to node is one too', () => {
    const error = clientError('Too many Cluster redirections. Last error: ReplyError: MOVED 1 127.0.0.1:1');
    expect(redisError(question, error).code).toBe('NQ_UNAVAILABLE');
    expect(redisError(push, error).code).toBe('NQ_OUTCOME_UNKNOWN');
  });
});

describe.each(clients)('what a client of $name says that has no connection', ({ make, makeCluster }) => {
  const nowhere = { host: '127.0.0.1', port: 1 };
  const options = { enableOfflineQueue: false, retryStrategy: null, clusterRetryStrategy: null };

  test.each<[string, () => RedisClient]>([
    ['to a server', () => make({ ...nowhere, ...options })],
    ['to a cluster', () => makeCluster([nowhere], options)],
  ])('%s is that nothing was sent', async (_what, open) => {
    const client = open();
    client.on('error', () => {});
    const connecting = client.connect().catch(() => {});
    const error = await client.get('key').catch((thrown: unknown) => thrown);
    expect(isUnsent(error)).toBe(true);
    expect(failureOf(error)).toMatchObject({ code: 'NQ_UNAVAILABLE', meaning: 'there is no connection' });
    await connecting;
    client.disconnect();
  });
});

describe('an error of the client says more, if that is no secret', () => {
  const more = (message: string, members: object = {}): string =>
    redisError(push, Object.assign(new Error(message), members)).message;

  test.each([
    ['127.0.0.1', 6379, '(127.0.0.1:6379)'],
    ['::1', 6380, '([::1]:6380)'],
    ['/run/redis.sock', undefined, '(/run/redis.sock)'],
    [undefined, undefined, 'nothing listens at the address'],
  ])('which address refused: %s, %s', (address, port, end) => {
    expect(more('connect', { code: 'ECONNREFUSED', address, port }).endsWith(end)).toBe(true);
  });

  test('which addresses refused, of a name that stands for more than one', () => {
    const errors = ['::1', '127.0.0.1'].map((address) => Object.assign(new Error('connect'), { address, port: 6379 }));
    const error = Object.assign(new AggregateError(errors), { code: 'ECONNREFUSED' });
    expect(redisError(push, error).message).toBe(
      'Cannot push: nothing listens at the address ([::1]:6379, 127.0.0.1:6379)',
    );
  });

  test('which host is not known, unless it is no name', () => {
    const hostname = 'redis.internal';
    expect(more('getaddrinfo', { code: 'ENOTFOUND', hostname })).toMatch(/ \(redis\.internal\)$/);
    const given = 'localhost,password=hunter2';
    expect(more('getaddrinfo', { code: 'ENOTFOUND', hostname: given })).toMatch(/the host is not known$/);
  });

  test('which address it is of a cluster whose last node could not be asked', () => {
    const lastNodeError = Object.assign(new Error('connect'), {
      code: 'EHOSTUNREACH',
      address: '10.0.0.1',
      port: 7000,
    });
    expect(more('Failed to refresh slots cache.', { lastNodeError })).toBe(
      'Cannot push: there is no way to the host (10.0.0.1:7000)',
    );
  });

  test.each([
    ["NOPERM User nq has no permissions to run the 'lpush' command", '(the command lpush)'],
    ["NOPERM this user has no permissions to run the 'client|setname' command", '(the command client|setname)'],
    [
      "ACL failure in script: User nq has no permissions to run the 'llen' command script: 1, on @user_script:5.",
      '(the command llen)',
    ],
    ['NOPERM No permissions to access a key', '(a key)'],
    ['NOPERM this user has no permissions to access one of the keys used as arguments', '(a key)'],
    [
      "The user executing the script can't access at least one of the keys mentioned in the command arguments",
      '(a key)',
    ],
    ["ERR The user executing the script can't run this command or subcommand", 'has the rules that it needs'],
  ])('what is not allowed: %s', (message, end) => {
    expect(more(message)).toMatch(
      /^Cannot push: the user lacks a permission: aclRules\(queueKey, mode\) of @nq\/redis has /,
    );
    expect(more(message).endsWith(end)).toBe(true);
  });

  test('which database is not there, each time', () => {
    const command = { name: 'select', args: ['16'] };
    const error = Object.assign(new Error('ERR DB index is out of range'), { command });
    for (let time = 0; time < 2; time++) expect(redisError(push, error).message).toMatch(/ \(db 16\)$/);
  });
});

test('an error that quotes what was sent does not pass it on', () => {
  const raw = new Error('ERR unknown command `HELLO`, with args beginning with: `3` `AUTH` `default` `hunter2` ');
  const { cause } = redisError(push, raw);
  expect(cause).toMatchObject({ message: 'ERR unknown command `HELLO`' });
  expect((cause as Error).stack).not.toContain('hunter2');
});
