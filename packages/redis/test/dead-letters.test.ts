import { until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { openQueue, take, type TestOptions } from './support/queue.ts';
import { newKey, notOurs, offer, useServer } from './support/server.ts';

const list: TestOptions = { mode: 'list' };
const stream: TestOptions = { mode: 'stream', group: 'default' };

const keyOf = (queueKey: string, { group }: TestOptions = {}): string =>
  `{${queueKey}}:nq:${group === undefined ? '' : `${group}:`}dead`;

/** A dead letter as a list has it. */
function letterOf(id: string, bytes = 0): string {
  const head = JSON.stringify({ id, attempts: 1, reason: 'a test', deadAt: 1 });
  return `${head}\n${JSON.stringify({ id, type: id, data: 'x'.repeat(bytes) })}`;
}

describe.skipIf(notOurs !== undefined)(`dead letters on ${offer.name}`, () => {
  const server = useServer();

  /** Puts as many dead letters there. @returns their ids. */
  async function fill(dead: string, count: number): Promise<readonly string[]> {
    const ids = Array.from({ length: count }, (_, number) => `e${number}`);
    await server().command('RPUSH', dead, ...ids.map((id) => letterOf(id)));
    return ids;
  }

  /** How many scripts the server has run. */
  const scripts = async (): Promise<number> => {
    const stats = String(await server().command('INFO', 'commandstats'));
    const calls = [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)(?:.*?failed_calls=(\d+))?/g)];
    return calls.reduce((sum, [, all, failed = 0]) => sum + Number(all) - Number(failed), 0);
  };

  test('lists what died together in the order in which it was given up', async () => {
    const types = ['a', 'b', 'c', 'd'];
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
    const dead = keyOf(queueKey);
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
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    const dead = keyOf(queueKey);
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

  test.for([list, stream])('are looked through a page at a time, from a $mode', async (options) => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { ...options, queueKey });
    await fill(keyOf(queueKey, options), 1600);
    const before = await scripts();
    expect(await queue.deadLetters.replay(['e1500', 'e1', 'none', 'e700'])).toBe(3);
    expect((await scripts()) - before).toBe(4);
    // Oldest first, whatever the page.
    expect((await queue.popMany(10)).map(({ event }) => event.type)).toEqual(['e1', 'e700', 'e1500']);
    expect(await queue.deadLetters.count()).toBe(1597);
  });

  test('are as many in a page as are named, and fewer if they are large', async () => {
    const queueKey = newKey();
    const dead = keyOf(queueKey);
    await using queue = await openQueue(server(), { queueKey });
    const ids = await fill(dead, 1600);
    const before = await scripts();
    expect(await queue.deadLetters.remove(ids.slice(700, 1500))).toBe(800);
    expect((await scripts()) - before).toBe(2);
    await server().command('DEL', dead);
    for (let number = 0; number < 8; number++) await server().command('RPUSH', dead, letterOf(`e${number}`, 400_000));
    const between = await scripts();
    expect(await queue.deadLetters.remove(['e0', 'e7'])).toBe(2);
    expect((await scripts()) - between).toBe(3);
  });

  test('are not looked at again when a whole page of them was removed', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    const ids = await fill(keyOf(queueKey), 1500);
    const before = await scripts();
    expect(await queue.deadLetters.remove(ids.slice(500, 1000))).toBe(500);
    expect((await scripts()) - before).toBe(3);
  });

  test.for([
    { what: 'some that were looked at', commands: [['LPOP', '300']] },
    { what: 'all that were looked at, and more', commands: [['LPOP', '700']] },
    { what: 'the same, where nothing is left to look back at', every: 125, commands: [['LPOP', '700']] },
    {
      what: 'some of two pages, and the last of them',
      pages: 2,
      commands: [
        ['LPOP', '700'],
        ['LREM', '1', letterOf('e999')],
      ],
    },
    { what: 'more than are left', pages: 2, commands: [['LPOP', '1500']] },
    { what: 'some behind', commands: [['RPOP', '300']] },
    { what: 'some on both sides', commands: [['LTRIM', '100', '-100']] },
    { what: 'all', commands: [['DEL']] },
  ])('are found while somebody else removes others: $what', async ({ commands, every = 50, pages = 1 }) => {
    const queueKey = newKey();
    const dead = keyOf(queueKey);
    const link = await server().link();
    await using queue = await openQueue(link, { queueKey, requestTimeoutMs: 10_000 });
    const named = (await fill(dead, 2000)).filter((_, number) => number % every === 0);
    const done = (pages * 500) / every;
    link.delay(100);
    const removed = queue.deadLetters.remove(named);
    await until('pages to be done', async () => Number(await server().command('LLEN', dead)) === 2000 - done, {
      everyMs: 1,
    });
    // Before the next one.
    link.freeze();
    for (const [command = '', ...args] of commands) await server().command(command, dead, ...args);
    const left = (await server().command('LRANGE', dead, '0', '-1')) as string[];
    const here = left.filter((one) => named.some((id) => one.startsWith(`{"id":"${id}"`)));
    link.heal();
    expect(await removed).toBe(done + here.length);
    expect(await queue.deadLetters.count()).toBe(left.length - here.length);
  });

  test('are found, and counted once, if the answer of a page is lost', async () => {
    const queueKey = newKey();
    const dead = keyOf(queueKey);
    const link = await server().link();
    await using queue = await openQueue(link, { queueKey, requestTimeoutMs: 10_000 });
    const ids = await fill(dead, 1600);
    link.delay(50);
    const removed = queue.deadLetters.remove(['e0', 'e600', 'e700', 'e1500']);
    await until('the first page to be done', async () => Number(await server().command('LLEN', dead)) < ids.length, {
      everyMs: 1,
    });
    link.cutBeforeAnswer();
    await until('an answer to be lost', () => link.isCut);
    link.heal();
    expect(await removed).toBe(4);
    expect(await queue.deadLetters.count()).toBe(ids.length - 4);
  });

  test('are looked through to the end, however often somebody else removes one', async () => {
    const queueKey = newKey();
    const dead = keyOf(queueKey);
    const link = await server().link();
    await using queue = await openQueue(link, { queueKey, requestTimeoutMs: 10_000 });
    await fill(dead, 5000);
    link.delay(10);
    const before = await scripts();
    const removed = queue.deadLetters.remove(['e4999']);
    // So few that the last one of a page is not among them.
    for (let count = 0; count < 400; count++) {
      const [letter = ''] = (await server().command('LRANGE', dead, '20', '20')) as string[];
      await server().command('LREM', dead, '1', letter);
      await server().command('RPUSH', dead, letterOf('new'));
    }
    expect(await removed).toBe(1);
    expect((await scripts()) - before).toBeLessThan(15);
  });

  test('that die again are not replayed once more by the same call', async () => {
    const queueKey = newKey();
    const link = await server().link();
    await using queue = await openQueue(link, { queueKey, requestTimeoutMs: 10_000 });
    await using other = await openQueue(server(), { queueKey });
    await fill(keyOf(queueKey), 1200);
    link.delay(100);
    const replayed = queue.deadLetters.replay(['e0', 'e1100']);
    await (await take(other)).nack({ deadLetter: true });
    expect(await replayed).toBe(2);
    expect((await take(other)).event.id).toBe('e1100');
    expect((await queue.deadLetters.list({ limit: Infinity })).at(-1)?.event.id).toBe('e0');
  });
});
