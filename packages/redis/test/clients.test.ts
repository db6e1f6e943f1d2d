import type { MessageQueue } from '@nq/core';
import { type Link, until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { clients, codeOf, countsOf, nothing, openQueue, pushWhenBack, take, untilBlocked } from './support/queue.ts';
import { newKey, offer, useServer } from './support/server.ts';

const event = (type: string) => ({ type, data: null });

const thirdVersion: [string, object] = [
  'answers as the third version of the protocol has them',
  { replyMapping: 'resp3' },
];

describe.skipIf(offer.missing !== undefined).each(clients)(
  `a client of the user, of $name, for ${offer.name}`,
  ({ name, make }) => {
    const server = useServer();

    /** A queue that connects as a client with `options` does, through a link. */
    async function scene(options: object): Promise<{ queueKey: string; link: Link; queue: MessageQueue }> {
      const queueKey = newKey();
      const link = await server().link();
      const client = make({ host: link.host, port: link.port, ...options });
      return { queueKey, link, queue: await openQueue(link, { queueKey, client }) };
    }

    test.each<[string, object]>([
      ['numbers that are strings', { stringNumbers: true }],
      ['no support for buffers', { dropBufferSupport: true }],
      ['time-outs', { commandTimeout: 50, socketTimeout: 50, blockingTimeout: 50 }],
      ['retries that end', { maxRetriesPerRequest: 0, retryStrategy: null }],
      ['requests that are not sent again', { autoResendUnfulfilledCommands: false }],
      ['automatic pipelining', { enableAutoPipelining: true }],
      // There is no such option before.
      ...(name === 'ioredis 6' ? [thirdVersion] : []),
    ])('may have %s', async (_what, options) => {
      const { queueKey, link, queue } = await scene(options);
      const popped = take(queue);
      await untilBlocked(server(), queueKey);
      // An answer is lost with the connection, and so is the way of the pop.
      link.cutBeforeAnswer();
      const pushed = codeOf(queue.push(event('a')));
      await until('the answer to be lost', () => link.isCut);
      link.heal();
      expect(await pushed).toBe('done');
      const delivery = await popped;
      await delivery.extend(1000);
      await delivery.ack();
      expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0, exact: true });
      expect(await queue.deadLetters.count()).toBe(0);
      expect(await countsOf(server(), queueKey)).toEqual(nothing);
      await queue.close();
    });

    test('may give up a command sooner than the queue does, which waits for its answer all the same', async () => {
      const { link, queue } = await scene({ commandTimeout: 100 });
      link.delay(100);
      expect(await codeOf(queue.push(event('a')))).toBe('done');
      expect(await codeOf((await take(queue)).ack())).toBe('done');
      await queue.close();
    });

    test('may give up a link that is silent, and a pop that waits on a healthy one keeps its connection', async () => {
      const { link, queue } = await scene({ socketTimeout: 100 });
      expect(await queue.pop({ timeoutMs: 800 })).toBeUndefined();
      // One for what is answered at once, and one for what waits.
      expect(link.counts.accepted).toBe(2);
      await queue.close();
    });

    test('may pipeline what is called together, and a pop that waits keeps no other call waiting', async () => {
      const { queueKey, queue } = await scene({ enableAutoPipelining: true });
      const popped = take(queue);
      const together = queue.size();
      await untilBlocked(server(), queueKey);
      const calls = [together, queue.size(), queue.deadLetters.count(), queue.push(event('a'))].map(codeOf);
      expect(await Promise.all(calls)).toEqual(Array(4).fill('done'));
      expect(await codeOf((await popped).ack())).toBe('done');
      await queue.close();
    });

    test('may keep commands while it has no connection, and what the queue has refused is never sent', async () => {
      const { queueKey, link, queue } = await scene({ enableOfflineQueue: true, commandTimeout: 100 });
      await queue.push(event('a'));
      const held = await take(queue);
      link.cut();
      const isRefused = async (): Promise<boolean> => (await codeOf(queue.size())) === 'NQ_UNAVAILABLE';
      await until('the queue to notice', isRefused);
      const calls = [queue.push(event('b')), held.nack(), queue.pop()];
      expect(await Promise.all(calls.map(codeOf))).toEqual(Array(3).fill('NQ_UNAVAILABLE'));
      link.heal();
      await pushWhenBack(queue, 'c');
      expect(await countsOf(server(), queueKey)).toEqual({ ...nothing, ready: 1, held: 1, leases: 1 });
      await queue.close();
    });

    test('is neither used nor closed, whether it is connected or not', async () => {
      const client = make({ host: server().host, port: server().port });
      for (const status of ['wait', 'ready']) {
        if (status === 'ready') await client.connect();
        const queue = await openQueue(server(), { client });
        await queue.push(event('a'));
        await (await take(queue)).ack();
        await queue.close();
        expect(client.status).toBe(status);
      }
      expect(await client.exists('anything')).toBe(0);
      client.disconnect();
    });
  },
);
