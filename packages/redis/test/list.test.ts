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

  test('knows a dead letter by its id also if that, or its reason, is no proper text', async () => {
    await using queue = await openQueue(server());
    for (const id of ['\ud83d', '"\\\n{}', 'é"']) {
      await queue.push({ id, type: 'a' });
      await (await take(queue)).nack({ deadLetter: true, reason: 'half a pair: \ud83d' });
      expect(await queue.deadLetters.remove([id])).toBe(1);
    }
  });

  test('says how many dead letters it has replayed when it fails after that', async () => {
    const queueKey = newKey();
    const dead = `{${queueKey}}:nq:dead`;
    const link = await server().link();
    await using queue = await openQueue(link, { queueKey, requestTimeoutMs: 1000 });
    await server().command('RPUSH', dead, ...Array<string>(1200).fill('rubbish'));
    link.delay(50);
    const failed = queue.deadLetters.replay().catch((error: unknown) => error);
    const left = async (): Promise<number> => Number(await server().command('LLEN', dead));
    await until('the second request to be done', async () => (await left()) === 200, { everyMs: 1 });
    link.cut();
    expect(await failed).toMatchObject({
      code: 'NQ_OUTCOME_UNKNOWN',
      message: expect.stringMatching(/^Cannot replay dead letters: .*; (?:500|1000) of them are done$/),
    });
    link.heal();
    await until('the queue to be back', () => queue.size());
  });

  test('is asked for more ids than arguments fit on the stack', async () => {
    // A busy machine writes and reads so much in more than a second.
    await using queue = await openQueue(server(), { requestTimeoutMs: 10_000 });
    expect(await queue.deadLetters.remove(Array.from({ length: 150_000 }, (_, id) => `id-${id}`))).toBe(0);
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

  test('lists what died together in the order in which it was given up', async () => {
    await using queue = await openQueue(server());
    await queue.pushMany(types.map((type) => ({ type })));
    const held = await queue.popMany(types.length);
    await Promise.all(held.toReversed().map((delivery) => delivery.nack({ deadLetter: true })));
    const letters = await queue.deadLetters.list();
    expect(letters.map(({ event }) => event.type)).toEqual(types.toReversed());
  });

  test('shows what somebody else has put among the dead letters, and lets it be removed', async () => {
    const queueKey = 'events:strange';
    await using queue = await openQueue(server(), { queueKey });
    const dead = `{${queueKey}}:nq:dead`;
    const written = ['rubbish', '{"id":1}\n{"type":"a"}', '{"id":"x"}\n{"type":"a"}', '[]\n', ''];
    for (const strange of written) await server().command('RPUSH', dead, strange);
    await queue.push({ id: 'ours', type: 'a' });
    await (await take(queue)).nack({ deadLetter: true, reason: 'a test' });
    const letters = await queue.deadLetters.list();
    expect(letters.map(({ reason }) => reason)).toEqual([...Array(5).fill('it was not put there by nq'), 'a test']);
    // Nobody knows when.
    expect(letters.slice(0, 5).map(({ deadAt }) => deadAt)).toEqual(Array(5).fill(-1));
    const strangers = letters.slice(0, 5).map(({ event }) => event.id);
    expect(new Set(strangers).size).toBe(5);
    expect(await queue.deadLetters.remove(strangers)).toBe(5);
    expect((await queue.deadLetters.list()).map(({ event }) => event.id)).toEqual(['ours']);
  });
});
