import { redisCluster, type RedisCluster, redisOffer, type TestRedis, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clients, codeOf, drain, type TestOptions } from './support/queue.ts';
import { redisQueue } from '../src/index.ts';
import { newKey } from './support/server.ts';

const { name, missing } = await redisOffer({ provider: 'native' });
const event = (type: string) => ({ type, data: null });

describe.skipIf(missing !== undefined)(`the nodes of a cluster of ${name}`, () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await redisCluster();
  }, 30_000);
  afterAll(() => cluster?.stop());

  /** Keys of which the first node has the first, and so on. */
  async function keysByNode(): Promise<readonly string[]> {
    const keys = new Map<TestRedis, string>();
    while (keys.size < cluster.nodes.length) {
      const key = newKey();
      for (const node of cluster.nodes) {
        // Any other answers where it is.
        if ((await codeOf(node.command('EXISTS', key))) === 'done') keys.set(node, key);
      }
    }
    return cluster.nodes.map((node) => keys.get(node) as string);
  }

  describe.each(clients)('with $name', ({ inCluster }) => {
    const open = (queueKey: string, options: TestOptions = {}) =>
      redisQueue({ queueKey, onWarning: () => {}, ...inCluster(cluster.nodes), ...options });

    test('are asked for what they keep only where the queue is', async () => {
      const keys = await keysByNode();
      for (const [at, durable] of keys.entries()) {
        for (const [place, node] of cluster.nodes.entries()) {
          await node.command('CONFIG', 'SET', 'appendonly', place === at ? 'yes' : 'no');
        }
        for (const key of keys) {
          // Whoever asks any of them is right by chance, and not so often.
          for (let times = 0; times < 4; times++) {
            const warnings: string[] = [];
            await using queue = await open(key, { onWarning: (warning) => warnings.push(warning) });
            expect(queue.capabilities.durable).toBe(key === durable ? 'broker' : 'process');
            expect(warnings).toHaveLength(key === durable ? 0 : 1);
          }
        }
      }
    });

    test('that send a push from one to the other, and back, make its outcome unknown', async () => {
      const [queueKey = ''] = await keysByNode();
      await using queue = await open(queueKey);
      const [from, to] = cluster.nodes as [TestRedis, TestRedis];
      const slot = Number(await from.command('CLUSTER', 'KEYSLOT', queueKey));
      const ids = await Promise.all([from, to].map((node) => node.command('CLUSTER', 'MYID')));
      // It takes the other for the owner, which takes it for that. Redis allows that for a slot without keys.
      await from.command('CLUSTER', 'SETSLOT', slot, 'NODE', String(ids[1]));
      try {
        const failure = await queue.push(event('a')).catch((error: unknown) => error);
        const message = expect.stringContaining('have sent the request on too often');
        expect(failure).toMatchObject({ code: 'NQ_OUTCOME_UNKNOWN', message });
      } finally {
        await from.command('CLUSTER', 'SETSLOT', slot, 'NODE', String(ids[0]));
      }
      await until('a push', () => queue.push(event('b')).then(() => true));
      expect(await drain(queue)).toEqual(['b']);
    });
  });
});
