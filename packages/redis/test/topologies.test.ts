import { inspect } from 'node:util';
import { isNqError } from '@nq/core';
import { Cluster } from 'ioredis';
import { redisCluster, type RedisCluster, redisOffer, redisSentinel, type TestRedis, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { aclRules, redisQueue, type RedisQueueOptions } from '../src/index.ts';
import { clients, codeOf, countsOf, drain, nothing, pushWhenBack, take, useAll } from './support/queue.ts';
import { newKey } from './support/server.ts';

const { name, missing } = await redisOffer({ provider: 'native' });
const event = (type: string) => ({ type, data: null });
/** With `everysec`, what was answered is written up to two seconds later while the disk is slow: a kill loses it then. */
const durable = ['appendonly yes', 'appendfsync always'];
const common = { requestTimeoutMs: 2000, onWarning: () => {} };
const addrOf = ({ host, port }: TestRedis): string => `${host}:${port}`;

describe.skipIf(missing !== undefined)(`a cluster of three nodes of ${name}`, () => {
  let cluster: RedisCluster;
  let users: Cluster;
  beforeAll(async () => {
    cluster = await redisCluster({ config: durable });
    users = new Cluster(cluster.nodes.map(({ host, port }) => ({ host, port })));
  });
  afterAll(async () => {
    users?.disconnect();
    await cluster?.stop();
  });

  const open = (queueKey: string, options: Partial<RedisQueueOptions> = {}) =>
    redisQueue({ queueKey, ...common, ...(options.client ? {} : { cluster: cluster.nodes.map(addrOf) }), ...options });

  /** The node that has the slot of `key`. */
  async function nodeOf(key: string): Promise<{ readonly node: TestRedis; readonly slot: number }> {
    const slot = Number(await cluster.nodes[0]?.command('CLUSTER', 'KEYSLOT', key));
    for (const node of cluster.nodes) {
      const answer = await node.command('CLUSTER', 'COUNTKEYSINSLOT', slot).catch(() => undefined);
      const moved = await node.command('EXISTS', key).catch((error: Error) => error);
      if (answer !== undefined && !(moved instanceof Error)) return { node, slot };
    }
    throw new Error('no node has it');
  }

  const works = async (queueKey: string, options?: Partial<RedisQueueOptions>): Promise<void> =>
    expect(await useAll(() => open(queueKey, options))).toEqual(['b']);

  /** A user with the rules of a queue, and no more. */
  const access = { username: 'nq', password: 'pw' };

  async function allow(queueKey: string): Promise<void> {
    for (const node of cluster.nodes) {
      await node.command(
        'ACL',
        'SETUSER',
        access.username,
        'reset',
        'on',
        `>${access.password}`,
        ...aclRules(queueKey),
      );
      await node.command('ACL', 'LOG', 'RESET');
    }
  }

  /** Has a slot on its way from one node to the other, keys and all. @returns what ends that. */
  async function move(slot: number, from: TestRedis, to: TestRedis): Promise<() => Promise<void>> {
    const [fromId, toId] = [await from.command('CLUSTER', 'MYID'), await to.command('CLUSTER', 'MYID')].map(String) as [
      string,
      string,
    ];
    await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
    await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
    await until('all keys to have moved', async () => {
      const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[];
      if (keys.length > 0) await from.command('MIGRATE', to.host, to.port, '', 0, 5000, 'KEYS', ...keys);
      return keys.length === 0;
    });
    return async () => {
      for (const node of [to, from]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
    };
  }

  test('has queues on each node, with whatever key', async () => {
    const tagged = ['{a}:q', '{b}', 'x{c}y', 'notification:{d}', 'a{b'].map((key) => `${key}:${newKey()}`);
    const keys = [...tagged, newKey(), 'plain'];
    const nodes = new Set<TestRedis>();
    for (const key of keys) {
      await works(key);
      nodes.add((await nodeOf(key)).node);
    }
    // Those of a, b and c are on three of them.
    expect(nodes.size).toBe(3);
  });

  test('has streams on each node, which can be rewound there', async () => {
    const nodes = new Set<TestRedis>();
    for (const tag of ['{a}', '{b}', '{c}']) {
      const queueKey = `${tag}:${newKey()}`;
      const options = { mode: 'stream', group: 'orders' } as const;
      await works(queueKey, options);
      await using queue = await open(queueKey, options);
      await queue.rewind({ time: 0 });
      expect(await drain(queue)).toEqual(['woken', 'a', 'b', 'c']);
      nodes.add((await nodeOf(queueKey)).node);
    }
    expect(nodes.size).toBe(3);
  });

  test('is reached as a client of the user is, which is not used', async () => {
    await works(newKey(), { client: users });
    expect(users.status).toBe('ready');
  });

  test('needs no other permissions than those of aclRules()', async () => {
    const queueKey = newKey();
    await allow(queueKey);
    await works(queueKey, access);
    for (const node of cluster.nodes) expect(await node.command('ACL', 'LOG')).toEqual([]);
  });

  test('a wrong password is told as such', async () => {
    const failure = await open(newKey(), { username: 'nobody', password: 's3cr3t', openTimeoutMs: 10_000 }).catch(
      (error: unknown) => error,
    );
    expect(inspect(failure, { depth: 20 })).not.toContain('s3cr3t');
    expect(failure).toMatchObject({ code: 'NQ_CONFIG', message: expect.stringContaining('username or the password') });
  });

  test('no replica confirms what there is no replica for', async () => {
    const queueKey = newKey();
    await using queue = await open(queueKey, { durability: { replicas: 1, timeoutMs: 100 } });
    const failure = await queue.push(event('a')).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'NQ_OUTCOME_UNKNOWN', message: expect.stringContaining('0 of 1 replicas') });
    expect(await drain(queue)).toEqual(['a']);
  });

  test('a queue with the permissions of aclRules() goes on, and loses nothing, while its slot moves to another node', async () => {
    const queueKey = newKey();
    await allow(queueKey);
    await using queue = await open(queueKey, { capacity: Infinity, ...access });
    const { node: from, slot } = await nodeOf(queueKey);
    const to = cluster.nodes.find((one) => one !== from) as TestRedis;
    const pushed = new Set<string>();
    const seen: string[] = [];
    const isPushed = new AbortController();
    const over = new AbortController();
    const isOver = (): boolean => over.signal.aborted;
    const pushing = (async () => {
      for (let number = 0; !isOver(); number++) {
        // What is refused while the keys are on both nodes is pushed again.
        const code = await codeOf(queue.push(event(`e${number}`)));
        if (code === 'done') pushed.add(`e${number}`);
        else if (code === 'NQ_UNAVAILABLE') number--;
        else throw new Error(`push: ${code}`);
      }
    })();
    const popping = (async () => {
      while (!isPushed.signal.aborted || seen.length < pushed.size) {
        // So many that they are read from their list, which the cluster may send elsewhere than the script.
        const deliveries = await queue.popMany(30, { timeoutMs: 200 }).catch((error: unknown) => {
          // When the test has failed: nobody ends this otherwise.
          if (isNqError(error, 'NQ_CLOSED')) throw error;
        });
        for (const delivery of deliveries ?? []) {
          await until('the ack', () => delivery.ack().then(() => true));
          seen.push(delivery.event.type);
        }
      }
    })();
    await until('some to be done', () => seen.length > 100);
    const end = await move(slot, from, to);
    await end();
    const before = seen.length;
    await until('some to be done after that', () => seen.length > before + 100);
    over.abort();
    await pushing;
    isPushed.abort();
    await popping;
    expect(new Set(seen)).toEqual(pushed);
    expect(seen.length).toBe(pushed.size);
    for (const node of cluster.nodes) expect(await node.command('ACL', 'LOG')).toEqual([]);
  });

  test('an empty queue with the permissions of aclRules() is opened while its slot moves', async () => {
    const queueKey = newKey();
    await allow(queueKey);
    const { node: from, slot } = await nodeOf(queueKey);
    const to = cluster.nodes.find((one) => one !== from) as TestRedis;
    await to.command('CONFIG', 'RESETSTAT');
    const end = await move(slot, from, to);
    const opened = open(queueKey, { ...access, openTimeoutMs: 20_000 });
    opened.catch(() => {});
    const isAsked = async (): Promise<boolean> =>
      String(await to.command('INFO', 'commandstats')).includes('cmdstat_asking:');
    await until('the other node to be asked', isAsked);
    await end();
    await using queue = await opened;
    await queue.push(event('a'));
    expect(await drain(queue)).toEqual(['a']);
    for (const node of cluster.nodes) expect(await node.command('ACL', 'LOG')).toEqual([]);
  });

  test('a queue whose node was killed works again when it is back', async () => {
    const queueKey = newKey();
    await using queue = await open(queueKey);
    await queue.push(event('a'));
    const held = await take(queue);
    const { node } = await nodeOf(queueKey);
    await node.kill();
    expect(await codeOf(queue.push(event('b')))).toBeOneOf(['NQ_UNAVAILABLE', 'NQ_OUTCOME_UNKNOWN']);
    await node.start();
    await cluster.untilOk();
    await pushWhenBack(queue, 'c');
    await until('the ack', () => held.ack().then(() => true));
    expect((await drain(queue)).filter((type) => type !== 'b')).toEqual(['c']);
  });
});

describe.skipIf(missing !== undefined)(`sentinels of ${name}`, () => {
  test('lead to the primary, and after a failover to the next one, where everything is that a replica has confirmed', async () => {
    // Without it a primary that is started again is empty, and so is whoever follows it, if it is promoted once more.
    await using group = await redisSentinel({ config: ['appendonly yes'] });
    const queueKey = newKey();
    const sentinel = { name: group.name, addrs: group.sentinels.map(addrOf) };
    const options = { queueKey, sentinel, capacity: Infinity, durability: { replicas: 1, timeoutMs: 300 } };
    await using queue = await redisQueue({ ...common, ...options, requestTimeoutMs: 1000 });
    const confirmed = new Set<string>();
    const unconfirmed = new Set<string>();
    const codes = new Set<string>();
    const over = new AbortController();
    const isOver = (): boolean => over.signal.aborted;
    const pushing = (async () => {
      for (let number = 0; !isOver() && unconfirmed.size < 10_000; number++) {
        const code = await codeOf(queue.push(event(`e${number}`)));
        (code === 'done' ? confirmed : unconfirmed).add(`e${number}`);
        codes.add(code);
      }
    })();
    await until('some to be confirmed', () => confirmed.size > 200);
    const primary = await group.primary();
    const next = group.servers.find((server) => server !== primary) as TestRedis;
    await primary.kill();
    await group.untilPrimary(next);
    await primary.start();
    const before = confirmed.size;
    await until('some to be confirmed by the other one', () => confirmed.size > before + 50, { deadlineMs: 45_000 });
    over.abort();
    await pushing;
    for (const code of codes) expect(code).toBeOneOf(['done', 'NQ_OUTCOME_UNKNOWN', 'NQ_UNAVAILABLE']);
    const there = new Set(await drain(queue));
    expect([...confirmed].filter((type) => !there.has(type))).toEqual([]);
    expect([...there].filter((type) => !confirmed.has(type) && !unconfirmed.has(type))).toEqual([]);
  });

  test('lose at a failover what only the primary had, and nothing else', async () => {
    await using group = await redisSentinel({ config: durable });
    const queueKey = newKey();
    const sentinel = { name: group.name, addrs: group.sentinels.map(addrOf) };
    const options = { ...common, queueKey, sentinel, capacity: Infinity };
    await using queue = await redisQueue(options);
    await using brief = await redisQueue({ ...options, leaseMs: 8000 });
    await queue.pushMany(['a', 'b', 'c', 'd', 'e'].map(event));
    const a = await take(brief);
    const b = await take(queue);
    const primary = await group.primary();
    const next = group.servers.find((server) => server !== primary) as TestRedis;
    await until('the replica to have everything', async () => (await countsOf(next, queueKey)).leases === 2);

    // From here on the replica gets nothing, and its link is not down for so long that it would not be promoted.
    await primary.command('ACL', 'SETUSER', 'default', '-psync', '-sync');
    expect(await primary.command('CLIENT', 'KILL', 'TYPE', 'replica')).toBe(1);
    await queue.pushMany(['x', 'y'].map(event));
    await a.ack();
    const c = await take(queue);
    expect(await countsOf(next, queueKey)).toEqual({ ...nothing, ready: 3, held: 2, leases: 2 });
    await primary.kill();
    await group.untilPrimary(next);
    await until('the queue to be there', () => queue.size());

    expect(await codeOf(b.ack())).toBe('done');
    // It was never handed out, as far as the next primary knows, and so it comes as if it were new.
    expect(await codeOf(c.ack())).toBe('NQ_LEASE_LOST');
    const again = await take(queue);
    expect([again.event.type, again.attempt]).toEqual(['c', 1]);
    await again.ack();
    await queue.push(event('f'));
    const types = await drain(queue);
    // What was acknowledged there alone comes when its lease has ended.
    const late = types.includes('a') ? undefined : await take(queue, 20_000);
    await late?.ack();
    expect([...types, ...(late === undefined ? [] : [late.event.type])].toSorted()).toEqual(['a', 'd', 'e', 'f']);
    expect(await countsOf(next, queueKey)).toEqual(nothing);

    // The former primary has what is lost on its disk, and forgets it.
    await queue.push(event('g'));
    await primary.start();
    expect((await countsOf(primary, queueKey)).ready).toBe(4);
    await primary.command('REPLICAOF', next.host, next.port);
    await until('the former primary to follow', async () => (await countsOf(primary, queueKey)).ready === 1);
    expect(await drain(queue)).toEqual(['g']);
  });

  test.each(clients)('that want a password, or another one, say so at once, with $name', async (client) => {
    await using group = await redisSentinel({ sentinels: 1 });
    const sentinel = { name: group.name, addrs: group.sentinels.map(addrOf) };
    expect(await group.sentinels[0]?.command('ACL', 'SETUSER', 'default', 'resetpass', '>pw')).toBe('OK');
    const places = group.sentinels.map(({ host, port }) => ({ host, port }));
    const through = (password?: string): Partial<RedisQueueOptions> =>
      client.name === 'ioredis 6'
        ? { sentinel: { ...sentinel, ...(password === undefined ? {} : { password }) } }
        : { client: client.make({ sentinels: places, name: group.name, sentinelPassword: password }) };
    for (const password of [undefined, 's3cr3t']) {
      const startedAt = performance.now();
      const failure = await redisQueue({ queueKey: 'q', ...through(password), ...common }).catch(
        (error: unknown) => error,
      );
      expect(failure).toMatchObject({ code: 'NQ_CONFIG', message: expect.stringContaining('password') });
      expect(inspect(failure, { depth: 20 })).not.toContain('s3cr3t');
      expect(performance.now() - startedAt).toBeLessThan(3000);
    }
    await using queue = await redisQueue({ queueKey: newKey(), ...through('pw'), ...common });
    await queue.push(event('a'));
    expect(await drain(queue)).toEqual(['a']);
  });

  test('that know no primary of that name are told, in time', async () => {
    await using group = await redisSentinel({ sentinels: 1 });
    const sentinel = { name: 'nobody', addrs: group.sentinels.map(addrOf) };
    const startedAt = performance.now();
    const opened = redisQueue({ queueKey: 'q', sentinel, ...common, openTimeoutMs: 700, requestTimeoutMs: 10_000 });
    expect(await codeOf(opened)).toBe('NQ_UNAVAILABLE');
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });
});
