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

  test('refuses to have no nodes', async () => {
    await expect(redisCluster({ nodes: 0 })).rejects.toThrow('Cannot start a cluster: nodes must be >= 1, got 0');
  });
});
