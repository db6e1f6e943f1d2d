import { inspect } from 'node:util';
import {
  redisCluster,
  type RedisCluster,
  redisOffer,
  redisSentinel,
  type RedisSentinel,
  type TestRedis,
  until,
} from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { redisQueue, type RedisQueueOptions } from '../src/index.ts';
import { freePort } from 'nq-testbed';
import { clients, codeOf, drain, useAll } from './support/queue.ts';
import { newKey } from './support/server.ts';

const { name, missing, version } = await redisOffer({ provider: 'native' });
const event = (type: string) => ({ type, data: null });
const addrsOf = (servers: readonly TestRedis[], host = '127.0.0.1') => servers.map(({ port }) => `${host}:${port}`);
const caOf = (servers: readonly TestRedis[]): string => servers[0]?.ca as string;

const open = (options: Partial<RedisQueueOptions>) =>
  redisQueue({ queueKey: newKey(), openTimeoutMs: 10_000, requestTimeoutMs: 2000, onWarning: () => {}, ...options });

/** Uses a list and a stream. @returns what each of them has replayed. */
async function useBoth(options: Partial<RedisQueueOptions>): Promise<string[]> {
  const queueKey = newKey();
  const stream = { mode: 'stream', group: 'orders', queueKey: `${queueKey}:stream` } as const;
  const replayed: string[] = [];
  for (const own of [{ queueKey }, stream]) replayed.push(...(await useAll(() => open({ ...options, ...own }))));
  return replayed;
}

/** How opening fails, which may take ten seconds. */
async function refusalOf(options: Partial<RedisQueueOptions>): Promise<object> {
  const startedAt = performance.now();
  const failure = await open(options).then(
    (queue) => queue.close(),
    (error: unknown) => error,
  );
  return { failure, text: inspect(failure), isQuick: performance.now() - startedAt < 3000 };
}

/** A {@link refusalOf} that is for TLS. */
const refused = (sign: string): object => ({
  failure: { code: 'NQ_CONFIG', message: expect.stringContaining('TLS') },
  text: expect.stringContaining(sign),
  isQuick: true,
});

describe.skipIf(missing !== undefined)(`TLS with a cluster of ${name}`, () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await redisCluster({ tls: true });
  });
  afterAll(() => cluster?.stop());

  /** Clients of the user, of each major. */
  const theirs = (tls: () => object) =>
    clients.map((one): [string, () => Partial<RedisQueueOptions>] => [
      `a client of the user, of ${one.name},`,
      () => ({ client: one.makeCluster(cluster.nodes, { redisOptions: { tls: tls() } }) }),
    ]);

  test.each<[string, () => Partial<RedisQueueOptions>]>([
    ['addresses and the certificate', () => ({ cluster: addrsOf(cluster.nodes), tls: { ca: caOf(cluster.nodes) } })],
    ...theirs(() => ({ ca: caOf(cluster.nodes) })),
  ])('a queue does all that it is for, with %s', async (_what, options) => {
    expect(await useBoth(options())).toEqual(['b', 'b']);
  });

  test.each<[string, () => Partial<RedisQueueOptions>]>([
    ['tls: true', () => ({ cluster: addrsOf(cluster.nodes), tls: true })],
    ...theirs(() => ({})),
  ])('%s alone does not trust a certificate that nobody has signed, and says so at once', async (_what, options) => {
    expect(await refusalOf(options())).toMatchObject(refused('DEPTH_ZERO_SELF_SIGNED_CERT'));
  });

  test('a cluster that speaks it does not answer who does not, in time', async () => {
    const startedAt = performance.now();
    expect(await codeOf(open({ cluster: addrsOf(cluster.nodes), openTimeoutMs: 1500 }))).toBe('NQ_UNAVAILABLE');
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });

  test('a certificate is no reason to give up while others do not answer at all', async () => {
    const addrs = [`127.0.0.1:${await freePort()}`, ...addrsOf(cluster.nodes).slice(0, 1)];
    const opened = open({ cluster: addrs, tls: true, openTimeoutMs: 1500 });
    expect(await codeOf(opened)).toBe('NQ_UNAVAILABLE');
  });
});

describe.skipIf(missing !== undefined)(`TLS with a cluster of ${name} that has a certificate for its name`, () => {
  test('a queue works if the nodes say their names', async ({ skip }) => {
    if (version === undefined) skip('a server before Redis 7 has no cluster-announce-hostname');
    const config = ['cluster-announce-hostname localhost', 'cluster-preferred-endpoint-type hostname'];
    await using cluster = await redisCluster({ tls: 'hostname', config });
    expect(await useBoth({ cluster: addrsOf(cluster.nodes, 'localhost'), tls: { ca: caOf(cluster.nodes) } })).toEqual([
      'b',
      'b',
    ]);
  });

  test('a queue works if it is told the name, or else says at once that the addresses of the nodes are none', async () => {
    await using cluster = await redisCluster({ tls: 'hostname' });
    const tls = { ca: caOf(cluster.nodes) };
    expect(await useBoth({ cluster: addrsOf(cluster.nodes), tls: { ...tls, servername: 'localhost' } })).toEqual([
      'b',
      'b',
    ]);
    // All nodes can be asked by their name, and have answered with their addresses.
    expect(await refusalOf({ cluster: addrsOf(cluster.nodes, 'localhost'), tls })).toMatchObject(
      refused('ERR_TLS_CERT_ALTNAME_INVALID'),
    );
    expect(await refusalOf({ cluster: addrsOf(cluster.nodes), tls })).toMatchObject(
      refused('ERR_TLS_CERT_ALTNAME_INVALID'),
    );
  });
});

describe.skipIf(missing !== undefined)(`TLS with sentinels of ${name}`, () => {
  let group: RedisSentinel;
  beforeAll(async () => {
    group = await redisSentinel({ tls: true, config: ['appendonly yes'] });
  });
  afterAll(() => group?.stop());

  const sentinel = () => ({ name: group.name, addrs: addrsOf(group.sentinels) });
  const clientOptions = (tls: object) => ({
    name: group.name,
    sentinels: group.sentinels.map(({ host, port }) => ({ host, port })),
    sentinelTLS: tls,
    enableTLSForSentinelMode: true,
    tls,
  });
  /** Clients of the user, of each major. */
  const theirs = (tls: () => object) =>
    clients.map((one): [string, () => Partial<RedisQueueOptions>] => [
      `a client of the user, of ${one.name},`,
      () => ({ client: one.make(clientOptions(tls())) }),
    ]);

  test.each<[string, () => Partial<RedisQueueOptions>]>([
    ['addresses and the certificate', () => ({ sentinel: sentinel(), tls: { ca: caOf(group.sentinels) } })],
    ...theirs(() => ({ ca: caOf(group.sentinels) })),
  ])('a queue does all that it is for, with %s', async (_what, options) => {
    expect(await useBoth(options())).toEqual(['b', 'b']);
  });

  test.each<[string, () => Partial<RedisQueueOptions>]>([
    ['tls: true', () => ({ sentinel: sentinel(), tls: true })],
    ...theirs(() => ({})),
  ])('%s alone does not trust a certificate that nobody has signed, and says so at once', async (_what, options) => {
    expect(await refusalOf(options())).toMatchObject(refused('DEPTH_ZERO_SELF_SIGNED_CERT'));
  });

  test('sentinels that speak it do not answer who does not, in time', async () => {
    const startedAt = performance.now();
    expect(await codeOf(open({ sentinel: sentinel(), openTimeoutMs: 1500 }))).toBe('NQ_UNAVAILABLE');
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });

  test('a queue goes on after a failover', async () => {
    await using queue = await open({ sentinel: sentinel(), tls: { ca: caOf(group.sentinels) } });
    await queue.push(event('a'));
    const primary = await group.primary();
    await group.untilReplicated();
    await primary.kill();
    await group.untilPrimary(group.servers.find((server) => server !== primary) as TestRedis);
    await until('a push', () => queue.push(event('b')).then(() => true));
    expect(new Set(await drain(queue))).toEqual(new Set(['a', 'b']));
  });
});
