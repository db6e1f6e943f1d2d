import { until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { openQueue, take } from './support/queue.ts';
import { newKey, offer, useServer } from './support/server.ts';

const keyOf = (queueKey: string): string => `{${queueKey}}:nq:dead`;

/** A dead letter as a list has it. */
function letterOf(id: string): string {
  return `${JSON.stringify({ id, attempts: 1, reason: 'a test', deadAt: 1 })}\n${JSON.stringify({ id, type: id })}`;
}

describe.skipIf(offer.missing !== undefined)(`dead letters of a list on ${offer.name}`, () => {
  const server = useServer();
  const types = ['a', 'b', 'c', 'd'];

  test('lists what died together in the order in which it was given up', async () => {
    await using queue = await openQueue(server());
    await queue.pushMany(types.map((type) => ({ type })));
    const held = await queue.popMany(types.length);
    await Promise.all(held.toReversed().map((delivery) => delivery.nack({ deadLetter: true })));
    const letters = await queue.deadLetters.list();
    expect(letters.map(({ event }) => event.type)).toEqual(types.toReversed());
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

  test('are looked through a page at a time, so that nobody else has to wait for all of them', async () => {
    const queueKey = newKey();
    const scripts = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await server().command('INFO', 'commandstats')))?.[1]);
    await using queue = await openQueue(server(), { queueKey });
    const ids = Array.from({ length: 1600 }, (_, number) => `e${number}`);
    await server().command('RPUSH', keyOf(queueKey), ...ids.map(letterOf));
    await queue.deadLetters.remove(['e0']);
    const before = await scripts();
    expect(await queue.deadLetters.replay(['e1500', 'e1', 'none', 'e700'])).toBe(3);
    expect((await scripts()) - before).toBe(4);
    // Oldest first, whatever the page.
    expect((await queue.popMany(10)).map(({ event }) => event.type)).toEqual(['e1', 'e700', 'e1500']);
    expect(await queue.deadLetters.count()).toBe(1596);
  });

  test.for(['in front of the page', 'on both sides', 'all of them'] as const)(
    'are found while somebody else removes others, %s',
    async (where) => {
      const queueKey = newKey();
      const dead = keyOf(queueKey);
      const link = await server().link();
      await using queue = await openQueue(link, { queueKey, requestTimeoutMs: 10_000 });
      const ids = Array.from({ length: 2000 }, (_, number) => `e${number}`);
      await server().command('RPUSH', dead, ...ids.map(letterOf));
      link.delay(100);
      const named = ids.filter((_, number) => number % 50 === 0);
      const removed = queue.deadLetters.remove(named);
      await until('the first page to be done', async () => Number(await server().command('LLEN', dead)) < 2000, {
        everyMs: 1,
      });
      // Before the next one.
      link.freeze();
      if (where !== 'all of them') await server().command('LPOP', dead, '300');
      if (where === 'on both sides') await server().command('RPOP', dead, '300');
      if (where === 'all of them') await server().command('DEL', dead);
      const left = (await server().command('LRANGE', dead, '0', '-1')) as string[];
      const here = left.filter((letter) => named.some((id) => letter.startsWith(`{"id":"${id}"`)));
      link.heal();
      expect(await removed).toBe(10 + here.length);
      expect(await queue.deadLetters.count()).toBe(left.length - here.length);
    },
  );

  test('that die again are not replayed once more by the same call', async () => {
    const queueKey = newKey();
    const dead = keyOf(queueKey);
    const link = await server().link();
    await using queue = await openQueue(link, { queueKey, requestTimeoutMs: 10_000 });
    await using other = await openQueue(server(), { queueKey });
    const ids = Array.from({ length: 1200 }, (_, number) => `e${number}`);
    await server().command('RPUSH', dead, ...ids.map(letterOf));
    link.delay(100);
    const replayed = queue.deadLetters.replay(['e0', 'e1100']);
    await (await take(other)).nack({ deadLetter: true });
    expect(await replayed).toBe(2);
    expect((await take(other)).event.id).toBe('e1100');
    expect((await queue.deadLetters.list({ limit: Infinity })).at(-1)?.event.id).toBe('e0');
  });
});
