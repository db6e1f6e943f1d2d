import { until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { codeOf, countsOf, drain, openQueue, take } from './support/queue.ts';
import { newKey, notOurs, offer, useServer } from './support/server.ts';

describe.skipIf(notOurs !== undefined)(`a list on ${offer.name}`, () => {
  const server = useServer();
  const types = ['a', 'b', 'c', 'd'];

  test('hands out what was given back together in its order, and before what was pushed later', async () => {
    await using queue = await openQueue(server());
    await queue.pushMany([...types, 'later'].map((type) => ({ type })));
    const held = await queue.popMany(types.length);
    await Promise.all(held.toReversed().map((delivery) => delivery.nack()));
    expect(await drain(queue)).toEqual([...types, 'later']);
  });

  test('takes nothing any more once a pop has ended', async () => {
    const scripts = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await server().command('INFO', 'commandstats')))?.[1]);
    await using queue = await openQueue(server());
    await queue.size();
    const before = await scripts();
    expect(await queue.pop({ timeoutMs: 30 })).toBeUndefined();
    // Behind everything that the pop has sent.
    await queue.size();
    expect((await scripts()) - before).toBe(2);
  });

  test('counts no attempt for an event that came when its pop had ended', async () => {
    const queueKey = 'events:unseen';
    const link = await server().link();
    await using queue = await openQueue(link, { queueKey, requestTimeoutMs: 10_000 });
    await queue.push({ type: 'a' });
    // Long enough to look, and to abort, before the answer is there.
    link.delay(1000);
    const end = new AbortController();
    const popped = codeOf(queue.pop({ signal: end.signal }));
    await until('it to be taken', async () => (await countsOf(server(), queueKey)).held === 1);
    end.abort(new Error('enough'));
    expect(await popped).toBe('Error: enough');
    link.heal();
    await until('it to be given back', async () => (await countsOf(server(), queueKey)).ready === 1);
    expect(await take(queue)).toMatchObject({ attempt: 1 });
  });

  test('counts no attempt for an event that came when one of several pops had ended', async () => {
    const queueKey = newKey();
    const link = await server().link();
    await using queue = await openQueue(link, { queueKey, requestTimeoutMs: 10_000 });
    await queue.pushMany([{ type: 'a' }, { type: 'b' }]);
    // As above.
    link.delay(1000);
    const end = new AbortController();
    const first = take(queue);
    const second = codeOf(queue.pop({ signal: end.signal }));
    await until('both to be taken', async () => (await countsOf(server(), queueKey)).held === 2);
    end.abort(new Error('enough'));
    link.heal();
    expect(await second).toBe('Error: enough');
    await (await first).ack();
    expect(await take(queue)).toMatchObject({ attempt: 1, event: { type: 'b' } });
  });

  test('hands out what was given back before what has just woken somebody', async () => {
    const queueKey = 'events:woken';
    await using queue = await openQueue(server(), { queueKey });
    await queue.pushMany(types.map((type) => ({ type })));
    const held = await queue.popMany(2);
    for (let count = 0; count < 2; count++) {
      await server().command('LMOVE', queueKey, `{${queueKey}}:nq:staged`, 'RIGHT', 'LEFT');
    }
    await Promise.all(held.map((delivery) => delivery.nack()));
    expect(await drain(queue)).toEqual(types);
  });

  test('hands out no more at once than is large together', async () => {
    await using queue = await openQueue(server());
    const data = 'x'.repeat(400_000);
    await queue.pushMany(types.map((type) => ({ type, data })));
    const sizes = [];
    for (let left = types.length; left > 0; left -= sizes.at(-1) ?? left) {
      const deliveries = await queue.popMany(left);
      expect(deliveries.map(({ event }) => event.type)).toEqual(types.slice(types.length - left).slice(0, 3));
      sizes.push(deliveries.length);
    }
    expect(sizes).toEqual([3, 1]);
  });

  test('hands out what a closed queue held in its order', async () => {
    const options = { queueKey: 'events:closed' };
    await using queue = await openQueue(server(), options);
    await queue.pushMany(types.map((type) => ({ type })));
    const other = await openQueue(server(), options);
    await other.popMany(3);
    expect(await other.close()).toEqual({ returned: 3, abandoned: 0, deadLetters: 0 });
    expect(await drain(queue)).toEqual(types);
  });
});
