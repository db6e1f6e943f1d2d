import { describe, expect, test } from 'vitest';
import { redisOffer, redisSentinel, type TestRedis } from '../src/index.ts';

const { name, missing } = await redisOffer({ provider: 'native' });

describe.skipIf(missing !== undefined)(`a primary with a replica and sentinels of ${name}`, () => {
  test('fails over when asked to, and when the primary is killed', async () => {
    await using group = await redisSentinel();
    const first = await group.primary();
    await first.command('SET', 'a', 1);
    // Otherwise a failover may lose it.
    await group.untilReplicated();
    const second = await group.failover();
    expect(second).not.toBe(first);
    expect(await second.command('GET', 'a')).toBe('1');
    await group.untilReplicated();
    await expect(first.command('SET', 'a', 2)).rejects.toThrow('READONLY');
    await second.kill();
    await group.untilPrimary(first);
    expect(await group.primary()).toBe(first);
    expect(await first.command('SET', 'a', 3)).toBe('OK');
  });

  test('speak TLS, with each other too', async () => {
    await using group = await redisSentinel({ tls: true });
    const servers = [...group.servers, ...group.sentinels];
    const [{ ca } = { ca: undefined }] = servers;
    expect(ca).toContain('BEGIN CERTIFICATE');
    for (const server of servers) {
      expect(server.ca).toBe(ca);
      expect(server.url).toMatch(/^rediss:/);
    }
    const primary = await group.primary();
    await primary.command('SET', 'a', 1);
    await group.untilReplicated();
    await primary.kill();
    const next = group.servers.find((server) => server !== primary) as TestRedis;
    await group.untilPrimary(next);
    expect(await next.command('GET', 'a')).toBe('1');
  });

  test('can have one sentinel', async () => {
    await using group = await redisSentinel({ sentinels: 1 });
    expect(group.sentinels).toHaveLength(1);
    expect(await group.failover()).toBe(group.servers[1]);
  });
});
