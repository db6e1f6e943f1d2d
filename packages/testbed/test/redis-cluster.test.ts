import { describe, expect, test } from 'vitest';
import { redisCluster, redisOffer, until } from '../src/index.ts';

const { name, missing } = await redisOffer({ provider: 'native' });

describe.skipIf(missing !== undefined)(`a cluster of ${name}`, () => {
  test('shares all slots, sends clients to the right node, and comes back after a node was killed', async () => {
    await using cluster = await redisCluster({ config: ['appendonly yes'] });
    const [one, two, three] = cluster.nodes;
    const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
    const served = await Promise.all(
      keys.map(async (key) => {
        const answers = await Promise.all(
          [one, two, three].map((node) => node?.command('SET', key, 1).catch((error: Error) => error.message)),
        );
        expect(answers.filter((answer) => answer === 'OK')).toHaveLength(1);
        expect(answers.filter((answer) => String(answer).includes('MOVED'))).toHaveLength(2);
        return answers.indexOf('OK');
      }),
    );
    expect(new Set(served).size).toBe(3);

    await two?.kill();
    await until('the others to notice', async () =>
      String(await one?.command('CLUSTER', 'INFO')).includes('cluster_state:fail'),
    );
    await two?.start();
    await cluster.untilOk();
    expect(await two?.command('GET', keys[served.indexOf(1)] ?? '')).toBe('1');
  });

  test('promotes the replica of a primary that was killed, which follows it when it is back', async () => {
    await using cluster = await redisCluster({ replicas: 1, config: ['appendonly yes'] });
    expect(cluster.nodes).toHaveLength(6);
    const first = await cluster.primaryOf('a');
    const replica = cluster.nodes[cluster.nodes.indexOf(first) + 3];
    expect(String(await replica?.command('INFO', 'replication'))).toContain(`master_port:${first.port}`);
    await first.command('SET', 'a', 1);
    // Otherwise it may be lost with the primary.
    await cluster.untilReplicated();

    await first.kill();
    expect(await cluster.primaryOf('a')).toBe(replica);
    await cluster.untilOk();
    expect(await replica?.command('GET', 'a')).toBe('1');
    await replica?.command('SET', 'a', 2);
    await first.start();
    await cluster.untilReplicated();
    expect(await cluster.primaryOf('a')).toBe(replica);
    await expect(first.command('SET', 'a', 3)).rejects.toThrow('MOVED');
    expect(String(await first.command('INFO', 'keyspace'))).toContain('keys=1');

    await replica?.kill();
    expect(await cluster.primaryOf('a')).toBe(first);
    expect(await first.command('GET', 'a')).toBe('2');
  });

  test('can have more than one replica of each', async () => {
    await using cluster = await redisCluster({ replicas: 2 });
    const primary = await cluster.primaryOf('a');
    expect(String(await primary.command('INFO', 'replication'))).toContain('connected_slaves:2');
  });

  test('speaks TLS, with each other too', async () => {
    await using cluster = await redisCluster({ replicas: 1, tls: true });
    const primary = await cluster.primaryOf('a');
    expect(primary.url).toMatch(/^rediss:/);
    expect(new Set(cluster.nodes.map(({ ca }) => ca))).toEqual(new Set([primary.ca]));
    await primary.command('SET', 'a', 1);
    await cluster.untilReplicated();
    await primary.kill();
    expect(await (await cluster.primaryOf('a')).command('GET', 'a')).toBe('1');
  });

  test.each([
    [{ nodes: 0 }, 'nodes must be >= 1, got 0'],
    [{ replicas: -1 }, 'replicas must be >= 0, got -1'],
  ])('refuses %o', async (options, what) => {
    await expect(redisCluster(options)).rejects.toThrow(`Cannot start a cluster: ${what}`);
  });
});
