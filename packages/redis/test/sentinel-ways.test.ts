import { type Address, redisOffer, redisSentinel, type RedisSentinel, type TestRedis } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { redisQueue } from '../src/index.ts';
import { clients, codeOf, countsOf, drain, nothing, take, type TestOptions } from './support/queue.ts';
import { newKey } from './support/server.ts';

const { name, missing } = await redisOffer({ provider: 'native' });
const event = (type: string) => ({ type, data: null });

describe.skipIf(missing !== undefined)(`the way through sentinels of ${name}`, () => {
  let group: RedisSentinel;
  beforeAll(async () => {
    group = await redisSentinel({ sentinels: 1 });
  });
  afterAll(() => group?.stop());

  const open = (options: TestOptions, queueKey = newKey()) => redisQueue({ queueKey, onWarning: () => {}, ...options });

  test.each(clients)(
    'leads to the primary, also as a client of the user that reads from replicas, with $name',
    async ({ make }) => {
      const queueKey = newKey();
      const sentinels = group.sentinels.map(({ host, port }) => ({ host, port }));
      const client = make({ sentinels, name: group.name, role: 'slave' });
      await using queue = await open({ client }, queueKey);
      await queue.push(event('a'));
      expect(await countsOf(await group.primary(), queueKey)).toEqual({ ...nothing, ready: 1 });
      expect(await codeOf((await take(queue)).ack())).toBe('done');
    },
  );

  test.each<[string, (places: readonly Address[]) => TestOptions]>([
    [
      'addresses',
      (places) => ({ sentinel: { name: group.name, addrs: places.map(({ host, port }) => `${host}:${port}`) } }),
    ],
    ...clients.map((client): [string, (places: readonly Address[]) => TestOptions] => [
      client.name,
      (places) => ({
        client: client.make({ sentinels: places.map(({ host, port }) => ({ host, port })), name: group.name }),
      }),
    ]),
  ])('passes by a sentinel that takes connections and says nothing, with %s', async (_what, at) => {
    const [sentinel] = group.sentinels as [TestRedis];
    await using silent = await sentinel.link();
    silent.freeze();
    await using queue = await open(at([silent, sentinel]));
    expect(silent.counts.accepted).toBeGreaterThan(0);
    await queue.push(event('a'));
    expect(await drain(queue)).toEqual(['a']);
  });
});
