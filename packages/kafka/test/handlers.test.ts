import { setTimeout as sleep } from 'node:timers/promises';
import { kafkaOffer, type TestKafka, until } from 'nq-testbed';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newTopic, openQueue, take, takeAll, type TestOptions } from './support/queue.ts';

/** A session that ends soon. */
const session: TestOptions = { sessionTimeoutMs: 2000, createTopic: { partitions: 1, replicationFactor: 1 } };

// On one broker nothing else sends heartbeats for a consumer that does not; on several, a fetch from another one may.
describe.each([
  { brokers: 1, offer: await kafkaOffer() },
  { brokers: 3, offer: await kafkaOffer({ brokers: 3 }) },
])('a consumer on $brokers broker(s)', ({ offer }) => {
  describe.skipIf(offer.missing !== undefined || !offer.ours)(`of ${offer.name}`, () => {
    let server: TestKafka;
    beforeAll(async () => {
      server = await offer.start({ config: ['group.min.session.timeout.ms=1000'] });
    });
    afterAll(() => server?.stop());

    test('whose handler takes longer than its session keeps what it has, and so do others of its group', async () => {
      const topic = newTopic();
      // Long enough for a machine that stands still for a while.
      const longer = { ...session, sessionTimeoutMs: 4000, topic };
      await using queue = await openQueue(server, longer);
      await using other = await openQueue(server, longer);
      await queue.pushMany(['slow', 'next'].map((type) => ({ type, key: 'k' })));
      const slow = await take(queue);
      await sleep(10_000);
      expect([slow.signal.aborted, slow.attempt]).toEqual([false, 1]);
      await slow.ack();
      const next = await take(queue);
      expect([next.event.type, next.attempt]).toEqual(['next', 1]);
      await next.ack();
      expect(await other.pop({ timeoutMs: 500 })).toBeUndefined();
    });

    test('whose process does nothing for longer than its session loses what it has, learns it, and goes on', async () => {
      const topic = newTopic();
      await using queue = await openQueue(server, { ...session, topic });
      await queue.pushMany(['held', 'next'].map((type) => ({ type, key: 'k' })));
      const held = await take(queue);
      await using other = await openQueue(server, { ...session, topic });
      await until('it to be known to be in flight', async () => (await other.size()).inFlight === 1);
      const until5s = performance.now() + 5000;
      while (performance.now() < until5s);
      await until('it to learn that it was lost', () => held.signal.aborted);
      await expect(held.ack()).rejects.toMatchObject({ code: 'NQ_LEASE_LOST' });
      const again = await take(queue);
      expect([again.event.type, again.attempt]).toEqual(['held', 2]);
      await again.ack();
      expect(await takeAll(queue, 1)).toEqual(['next']);
      expect(await queue.pop({ timeoutMs: 300 })).toBeUndefined();
    });
  });
});
