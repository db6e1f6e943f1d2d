import type { MessageQueue } from '@nq/core';
import { type Link, type TestRedis, until } from 'nq-testbed';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { clients, codeOf, countsOf, drain, nothing, openQueue, take } from './support/queue.ts';
import { newKey, notOurs, offer, useServer } from './support/server.ts';

const event = (type: string) => ({ type, data: null });

/** Resolves once `replica` gets what `primary` is told, and both know it: that the replica is up comes up to a second before. */
const untilFollows = (replica: TestRedis, primary: TestRedis): Promise<unknown> =>
  until(
    'the replica to follow',
    async () => {
      const [own, theirs] = await Promise.all(
        [replica, primary].map(async (one) => String(await one.command('INFO', 'replication'))),
      );
      return own?.includes('master_link_status:up') === true && /slave\d:.*state=online/.test(theirs ?? '');
    },
    // A synchronisation that a busy machine breaks off is tried again after `repl-timeout`.
    { deadlineMs: 50_000 },
  );

describe.skipIf(notOurs !== undefined)(`waiting for a replica of ${notOurs ?? offer.name}`, () => {
  const server = useServer('repl-diskless-sync-delay 0', 'repl-ping-replica-period 1');
  let replica: TestRedis;
  /** The way of the replica to its primary. */
  let way: Link;
  beforeAll(async () => {
    way = await server().link('servers');
    replica = await offer.start({ config: [`replicaof ${way.host} ${way.port}`, 'repl-timeout 10'] });
    await untilFollows(replica, server());
  });
  afterAll(() => replica?.stop());

  const durability = { replicas: 1, timeoutMs: 1000 };
  const follow = async (): Promise<void> => {
    way.heal();
    await untilFollows(replica, server());
  };

  test('a push resolves when the replica has it', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey, durability, requestTimeoutMs: 3000 });
    way.delay(40);
    try {
      const startedAt = performance.now();
      await queue.push(event('a'));
      expect(await replica.command('LLEN', queueKey)).toBe(1);
      expect(performance.now() - startedAt).toBeGreaterThan(35);
    } finally {
      await follow();
    }
    await drain(queue);
  });

  test('a push without it does not wait', async () => {
    await using queue = await openQueue(server());
    way.freeze();
    try {
      await queue.push(event('a'));
    } finally {
      await follow();
    }
    expect(await drain(queue)).toEqual(['a']);
  });

  test('a push that the replica does not get in time is of unknown outcome, and stored once', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey, durability, requestTimeoutMs: 3000 });
    way.freeze();
    try {
      const startedAt = performance.now();
      const failure: unknown = await queue.push(event('a')).catch((error: unknown) => error);
      expect(failure).toMatchObject({
        code: 'NQ_OUTCOME_UNKNOWN',
        message: expect.stringContaining('0 of 1 replicas'),
      });
      expect(performance.now() - startedAt).toBeGreaterThanOrEqual(995);
      expect(await countsOf(server(), queueKey)).toEqual({ ...nothing, ready: 1 });
    } finally {
      await follow();
    }
    expect(await drain(queue)).toEqual(['a']);
  });

  test('only pushes wait for the replica', async () => {
    await using queue = await openQueue(server(), {
      durability: { replicas: 1, timeoutMs: 3000 },
      requestTimeoutMs: 10_000,
    });
    await queue.pushMany([event('a'), event('b')]);
    const held = await take(queue);
    way.freeze();
    try {
      let isPushed = false;
      const pushed = codeOf(queue.push(event('c'))).finally(() => (isPushed = true));
      await until('the queue to wait', async () => / cmd=wait /.test(String(await server().command('CLIENT', 'LIST'))));
      await held.ack();
      await (await take(queue)).ack();
      expect(isPushed).toBe(false);
      expect(await pushed).toBe('NQ_OUTCOME_UNKNOWN');
    } finally {
      await follow();
    }
    expect(await drain(queue)).toEqual(['c']);
  });

  test('a push into a full queue stores nothing, and so waits for nothing', async () => {
    await using queue = await openQueue(server(), { capacity: 1, durability: { replicas: 1, timeoutMs: 1000 } });
    await queue.push(event('a'));
    way.freeze();
    try {
      expect(await codeOf(queue.push(event('b'), { timeoutMs: 0 }))).toBe('NQ_FULL');
    } finally {
      await follow();
    }
    expect(await drain(queue)).toEqual(['a']);
  });

  /** A queue behind a link. */
  async function linked(queueKey: string): Promise<{ readonly link: Link; readonly queue: MessageQueue }> {
    const link = await server().link();
    return { link, queue: await openQueue(link, { queueKey, durability, requestTimeoutMs: 3000 }) };
  }

  test('a push that is sent again waits for the replica again', async () => {
    const queueKey = newKey();
    const { link, queue } = await linked(queueKey);
    // So that the answer to the script is lost, and not that it is not known.
    await queue.push(event('first'));
    way.freeze();
    try {
      link.cutBeforeAnswer();
      const pushed = codeOf(queue.push(event('a')));
      await until('the answer to be lost', () => link.isCut);
      link.heal();
      expect(await pushed).toBe('NQ_OUTCOME_UNKNOWN');
      expect(await countsOf(server(), queueKey)).toEqual({ ...nothing, ready: 2 });
    } finally {
      await follow();
    }
    const again = codeOf(queue.push(event('b')));
    expect(await again).toBe('done');
    await queue.close();
  });

  test('a connection that is lost while the replica is waited for is no confirmation', async () => {
    const queueKey = newKey();
    const { link, queue } = await linked(queueKey);
    way.freeze();
    try {
      const pushed = codeOf(queue.push(event('a')));
      await until('the queue to wait', async () => / cmd=wait /.test(String(await server().command('CLIENT', 'LIST'))));
      link.cut();
      link.heal();
      expect(await pushed).toBe('NQ_OUTCOME_UNKNOWN');
      expect(await countsOf(server(), queueKey)).toEqual({ ...nothing, ready: 1 });
    } finally {
      await follow();
    }
    await queue.close();
  });

  test('what the replica has confirmed is there when the primary is gone for good', async () => {
    const primary = await offer.start({ config: ['repl-diskless-sync-delay 0'] });
    await using _primary = primary;
    const path = await primary.link('servers');
    // As above: what is broken off is tried again after that.
    await using follower = await offer.start({ config: [`replicaof ${path.host} ${path.port}`, 'repl-timeout 10'] });
    await untilFollows(follower, primary);
    const queueKey = newKey();
    const queue = await openQueue(primary, { queueKey, durability, capacity: Infinity, requestTimeoutMs: 1500 });
    let confirmed = 0;
    const pushing = (async () => {
      for (;;) {
        const codes = await Promise.all(Array.from({ length: 20 }, () => codeOf(queue.push(event('a')))));
        confirmed += codes.filter((code) => code === 'done').length;
        if (codes.includes('NQ_OUTCOME_UNKNOWN') || codes.includes('NQ_UNAVAILABLE')) return;
      }
    })();
    await until('some to be confirmed', () => confirmed > 500);
    await primary.kill();
    await pushing;
    await follower.command('REPLICAOF', 'NO', 'ONE');
    expect(Number(await follower.command('LLEN', queueKey))).toBeGreaterThanOrEqual(confirmed);
    await queue.close();
  });
});

describe.skipIf(notOurs !== undefined)(`what a queue says of ${notOurs ?? offer.name}`, () => {
  const server = useServer();
  const set = (name: string, value: string) => server().command('CONFIG', 'SET', name, value);

  // Whatever the test before it has set: a server that a queue says nothing of.
  beforeEach(async () => {
    await set('appendonly', 'yes');
    await set('appendfsync', 'everysec');
    await set('maxmemory-policy', 'noeviction');
  });

  /** The warnings of a queue, and what it says of its durability. */
  async function told(options = {}): Promise<{ readonly warnings: readonly string[]; readonly durable: unknown }> {
    const warnings: string[] = [];
    await using queue = await openQueue(server(), {
      queueKey: 'orders',
      onWarning: (warning) => warnings.push(warning),
      ...options,
    });
    await queue.push(event('a'));
    await (await take(queue)).ack();
    return { warnings, durable: queue.capabilities.durable };
  }

  test('with appendonly off, it warns and is as durable as a process', async () => {
    await set('appendonly', 'no');
    const { warnings, durable } = await told();
    expect(durable).toBe('process');
    expect(warnings).toEqual([
      expect.stringMatching(
        /^The queue "orders" on \w+ [\d.]+: appendonly is off, so events that were accepted are lost/,
      ),
    ]);
  });

  test.each(['always', 'everysec'])(
    'with appendonly on and fsync %s, it is durable and says nothing',
    async (fsync) => {
      await set('appendfsync', fsync);
      expect(await told()).toEqual({ warnings: [], durable: 'broker' });
    },
  );

  test.each([
    ['allkeys-lru', 1],
    ['allkeys-random', 1],
    ['volatile-lru', 1],
    ['noeviction', 0],
  ])('with maxmemory-policy %s, it warns %d times', async (policy, times) => {
    await set('maxmemory-policy', policy);
    const { warnings } = await told();
    expect(warnings).toHaveLength(times);
    expect(warnings.every((warning) => warning.includes(`maxmemory-policy is ${policy}`))).toBe(true);
  });

  test.each(clients)(
    'where it may not ask, it works, promises little, and warns once that it does not know, with $name',
    async ({ at }) => {
      await server().command('ACL', 'SETUSER', 'shy', 'reset', 'on', '>pw', '~*', '&*', '+@all', '-info');
      expect(await told(at(server(), { username: 'shy', password: 'pw' }))).toEqual({
        warnings: [
          expect.stringMatching(
            /^The queue "orders" on .* is not known, for it has refused INFO; if the user may not ask it, allow \+info$/,
          ),
        ],
        durable: 'process',
      });
    },
  );

  test('a listener that throws keeps the queue from being opened, and no connection is left', async () => {
    await set('appendonly', 'no');
    const queueKey = newKey();
    const thrown = new Error('not like this');
    const onWarning = (): void => {
      throw thrown;
    };
    await expect(openQueue(server(), { queueKey, onWarning })).rejects.toBe(thrown);
    await until(
      'its connections to be closed',
      async () => !String(await server().command('CLIENT', 'LIST')).includes(`name=nq:${queueKey}`),
    );
  });

  test('without a listener, warnings are those of the process', async () => {
    await set('appendonly', 'no');
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    await using _queue = await openQueue(server(), { onWarning: undefined });
    expect(await warned).toMatchObject({ name: 'NqWarning', code: 'NQ_REDIS' });
  });
});
