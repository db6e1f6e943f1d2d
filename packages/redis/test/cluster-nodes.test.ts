import { systemClock } from '@nq/core';
import { redisCluster, type RedisCluster, redisOffer, type TestRedis, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clients, codeOf, drain, pushWhenBack, type TestOptions } from './support/queue.ts';
import { Connection } from '../src/connection.ts';
import { redisQueue } from '../src/index.ts';
import { clientMaker } from '../src/open-client.ts';
import { newKey } from './support/server.ts';

const { name, missing } = await redisOffer({ provider: 'native' });
const event = (type: string) => ({ type, data: null });

describe.skipIf(missing !== undefined)(`the nodes of a cluster of ${name}`, () => {
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await redisCluster();
  });
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

  describe.each(clients)('with $name', ({ inCluster, makeCluster }) => {
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

    test('are known to be lost, also to who connects as a client whose nodes come back by themselves', async () => {
      const client = makeCluster(cluster.nodes, { clusterNodeRetryStrategy: () => 10 });
      const [queueKey = ''] = await keysByNode();
      const connection = new Connection(clientMaker({ queueKey, client }), 'nq:lost', systemClock);
      try {
        const asked = await connection.ready(5000, 'test');
        const { losses } = connection;
        const answer = connection.answerOf(asked, asked.blpop(queueKey, 0)).catch(() => null);
        const [node] = cluster.nodes as [TestRedis];
        const connectionsOf = async (): Promise<readonly string[]> =>
          String(await node.command('CLIENT', 'LIST'))
            .split('\n')
            .filter((line) => line.includes(' cmd=blpop '));
        await until('it to wait', async () => (await connectionsOf()).length === 1);
        const [id = ''] = /(?<=id=)\d+/.exec((await connectionsOf()).join()) ?? [];
        expect(await node.command('CLIENT', 'KILL', 'ID', id)).toBe(1);
        await until('the loss to be known', () => connection.losses > losses);
        connection.close();
        expect(await answer).toBeNull();
      } finally {
        connection.close();
      }
    });

    test('of which one refuses the user are no reason not to ask the others', async () => {
      const [, , refusing] = cluster.nodes as [TestRedis, TestRedis, TestRedis];
      for (const node of cluster.nodes) {
        const password = node === refusing ? 'another' : 'pw';
        await node.command('ACL', 'SETUSER', 'guest', 'reset', 'on', `>${password}`, '~*', '&*', '+@all');
      }
      const [queueKey = ''] = await keysByNode();
      const access = { username: 'guest', password: 'pw' };
      const client = makeCluster(cluster.nodes, { redisOptions: access });
      for (let times = 0; times < 12; times++) {
        await using queue = await redisQueue({ queueKey, client, onWarning: () => {} });
        await queue.push(event('a'));
        expect(await drain(queue)).toEqual(['a']);
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
      await pushWhenBack(queue, 'b');
      expect(await drain(queue)).toEqual(['b']);
    });
  });
});
