import { until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { codeOf, countsOf, drain, nothing, openQueue, take, untilBlocked } from './support/queue.ts';
import { newKey, offer, useServer } from './support/server.ts';

const event = (type: string) => ({ type, data: null });

describe.skipIf(offer.missing !== undefined)(`pop() on ${offer.name}`, () => {
  const server = useServer();

  test('with timeoutMs 0 finds what is ready, also if the next single try comes before the answer', async () => {
    const link = await server().link();
    await using queue = await openQueue(link);
    await queue.pushMany(['a', 'b', 'c'].map(event));
    await (await take(queue)).ack();
    link.delay(50);
    const sent = link.counts.bytesToServer;
    const first = queue.pop({ timeoutMs: 0 });
    await until('the first try to be on its way', () => link.counts.bytesToServer > sent);
    const second = queue.pop({ timeoutMs: 0 });
    expect((await Promise.all([first, second])).map((delivery) => delivery?.event.type)).toEqual(['b', 'c']);
  });

  test('that ends before it could ask for what has woken it leaves that to others', async () => {
    const queueKey = newKey();
    const link = await server().link();
    await using queue = await openQueue(link, { queueKey, requestTimeoutMs: 10_000 });
    await queue.push(event('held'));
    const held = await take(queue);
    const end = new AbortController();
    const popped = codeOf(queue.pop({ signal: end.signal }));
    await untilBlocked(server(), queueKey);
    link.delay(500);
    const heard = link.counts.bytesToClient;
    await server().command('LPUSH', queueKey, '{"type":"a"}');
    await until('it to be moved', async () => (await countsOf(server(), queueKey)).staged === 1);
    // Until its answer comes, nothing else is asked.
    const acked = held.ack();
    await until('the answer of what was waited for', () => link.counts.bytesToClient > heard);
    // By its answer, what was passed on before has been read.
    await server().command('PING');
    end.abort(new Error('enough'));
    expect(await popped).toBe('Error: enough');
    await until('it to wake others again', async () => (await countsOf(server(), queueKey)).ready === 1, {
      deadlineMs: 10_000,
    });
    link.heal();
    await acked;
    expect(await drain(queue)).toEqual(['a']);
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });
});
