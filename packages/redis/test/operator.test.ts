import { until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { codeOf, countsOf, drain, nothing, openQueue, take, untilBlocked } from './support/queue.ts';
import { newKey, offer, useServer } from './support/server.ts';

describe.skipIf(offer.missing !== undefined)(`who looks at ${offer.name} from outside`, () => {
  const server = useServer();
  const run = (...command: (string | number | Uint8Array)[]) => server().command(...command);

  test('sees with LLEN and LRANGE what is ready, the oldest on the right, as CloudEvents', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    await queue.push({ id: 'one', type: 'order.created', key: 'acct-7', data: { total: 42 } });
    await queue.push({ id: 'two', type: 'order.paid', data: [] });
    expect(await run('LLEN', queueKey)).toBe(2);
    const elements = ((await run('LRANGE', queueKey, 0, -1)) as string[]).map((text) => JSON.parse(text) as unknown);
    expect(elements).toEqual([
      expect.objectContaining({
        specversion: '1.0',
        id: 'two',
        type: 'order.paid',
        data: [],
        nqtime: expect.any(Number),
      }),
      expect.objectContaining({ id: 'one', type: 'order.created', partitionkey: 'acct-7', data: { total: 42 } }),
    ]);
  });

  test('may do so with redis-cli', async ({ skip }) => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    await queue.pushMany([
      { id: 'one', type: 'order.created', data: { total: 42 } },
      { id: 'two', type: 'order.paid', data: { note: 'line\nbreak' } },
    ]);
    const length = await server().cli('LLEN', queueKey);
    skip(length === undefined, 'there is no redis-cli, neither on PATH nor in the container of the server');
    expect(length).toBe('2');
    const lines = (await server().cli('LRANGE', queueKey, 0, -1))?.split('\n') ?? [];
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { id: 'two', type: 'order.paid', data: { note: 'line\nbreak' } },
      { id: 'one', type: 'order.created', data: { total: 42 } },
    ]);
  });

  test.each([
    ['a list', {}, ''],
    ['a stream', { mode: 'stream', group: 'orders' }, 'orders:'],
  ] as const)('who puts rubbish among the leases and delays of %s stops nobody', async (_what, options, own) => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey, ...options });
    const key = (name: string): string => `{${queueKey}}:nq:${own}${name}`;
    const leases = ['rubbish', ':1:2', 'a:99999999999999999999:3', 'a:1:30000000', 'a:1:-1'];
    for (const lease of leases) await run('ZADD', key('leases'), 1, lease);
    await run('ZADD', key('delayed'), 1, 'rubbish');
    if (own !== '') {
      await run('ZADD', key('returned'), 0, 'more rubbish');
      await run('RPUSH', key('replayed'), 'replayed rubbish', '99999999999999999999-1 {}');
    }
    await queue.push({ type: 'a' });
    await (await take(queue)).ack();
    await until('the rubbish to be dead', async () => {
      expect(await drain(queue)).toEqual([]);
      return (await queue.deadLetters.count()) === (own === '' ? 1 : 4);
    });
    expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0, delayed: 0 });
    expect(await run('EXISTS', key('leases'), key('delayed'))).toBe(0);
    if (own !== '') await queue.rewind({ time: 0 });
  });

  test('sees only keys of the documented names and types, and none when all is done', async () => {
    const queueKey = newKey();
    const queue = await openQueue(server(), { queueKey });
    await queue.pushMany(['a', 'b', 'c', 'd'].map((type) => ({ type, data: null })));
    const [a, b, c] = await queue.popMany(3);
    await b?.nack({ delayMs: 60_000 });
    await c?.nack({ deadLetter: true, reason: 'broken' });
    await queue.deadLetters.remove(['none']);
    const types: Record<string, unknown> = {};
    for (const key of (await run('KEYS', `*${queueKey}*`)) as string[]) {
      types[key.replace(/:[0-9a-f]{18}/, ':…')] = await run('TYPE', key);
    }
    const beside = `{${queueKey}}:nq:`;
    expect(types).toEqual({
      [queueKey]: 'list',
      [`${beside}held:…:1`]: 'list',
      [`${beside}held:…:1:settled`]: 'set',
      [`${beside}leases`]: 'zset',
      [`${beside}delayed`]: 'zset',
      [`${beside}dead`]: 'list',
      [`${beside}push:…`]: 'string',
      [`${beside}consume:…`]: 'string',
      [`${beside}letters:…`]: 'string',
    });
    const [letter] = (await run('LRANGE', `${beside}dead`, 0, -1)) as string[];
    const [head, body] = letter?.split('\n') ?? [];
    expect(JSON.parse(head ?? '')).toMatchObject({ id: c?.event.id, attempts: 1, reason: 'broken' });
    expect(JSON.parse(body ?? '')).toMatchObject({ type: 'c' });

    await a?.ack();
    await run('DEL', `${beside}delayed`);
    await queue.deadLetters.remove();
    await drain(queue);
    await queue.close();
    expect(await run('KEYS', `*${queueKey}*`)).toEqual([]);
  });

  test('finds memories that expire by themselves, and nothing else that does', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    await queue.pushMany(['a', 'b'].map((type) => ({ type, data: null })));
    await (await take(queue)).nack({ delayMs: 60_000 });
    await take(queue);
    for (const key of (await run('KEYS', `*${queueKey}*`)) as string[]) {
      const isMemory = /:(?:push|consume|letters):[0-9a-f]+$/.test(key);
      expect([key, Number(await run('PTTL', key)) > 0]).toEqual([key, isMemory]);
    }
  });

  test('wakes a pop at once with plain JSON, whose member is the key', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey, foreignKey: 'AccountID' });
    const popped = take(queue);
    await untilBlocked(server(), queueKey);
    const pushedAt = performance.now();
    await run('LPUSH', queueKey, '{"type":"order.created","AccountID":"acct-7","total":42}');
    const { event, attempt } = await popped;
    // A consumer that nobody wakes looks again after two seconds.
    expect(performance.now() - pushedAt).toBeLessThan(1500);
    expect(attempt).toBe(1);
    expect(event).toMatchObject({ type: 'order.created', key: 'acct-7', data: { AccountID: 'acct-7', total: 42 } });
  });

  test('may take from the right with RPOP, and what it took is nobody else’s', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    await queue.pushMany(['a', 'b'].map((type) => ({ type, data: null })));
    expect(JSON.parse(String(await run('RPOP', queueKey)))).toMatchObject({ type: 'a' });
    expect(await drain(queue)).toEqual(['b']);
  });

  const poison: readonly [string, Buffer][] = [
    ['nothing', Buffer.from('')],
    ['half of JSON', Buffer.from('{"type":"order.created"')],
    ['no object', Buffer.from('[1,2]')],
    ['no members', Buffer.from('{}')],
    ['no type', Buffer.from('{"id":"x"}')],
    ['a version without a text', Buffer.from('{"specversion":{"toString":0},"type":"a"}')],
    ['invalid UTF-8', Buffer.from('{"type":"a","name":"M\xfcller"}', 'latin1')],
    ['binary', Buffer.from([0, 10, 13, 255, 123, 34])],
    ['a line of its own', Buffer.from('\n{"type":\n')],
  ];

  test.each(poison)(
    'makes a dead letter of %s, with its bytes and the reason, and keeps nothing waiting',
    async (_what, bytes) => {
      const queueKey = newKey();
      await using queue = await openQueue(server(), { queueKey });
      await run('LPUSH', queueKey, bytes);
      await queue.push({ type: 'behind', data: null });
      expect(await take(queue)).toMatchObject({ event: { type: 'behind' }, attempt: 1 });
      await until('the dead letter', async () => (await queue.deadLetters.count()) === 1);
      const [letter] = await queue.deadLetters.list();
      expect(letter).toMatchObject({ attempts: 1, reason: expect.stringMatching(/^Cannot read the event: /) });
      expect(letter?.event).toMatchObject({ type: 'nq.undecodable', data: new Uint8Array(bytes) });
      // Replayed, it is what it was.
      expect(await queue.deadLetters.replay([letter?.event.id ?? ''])).toBe(1);
      expect(await run('LLEN', queueKey)).toBe(1);
      expect(await queue.pop({ timeoutMs: 0 })).toBeUndefined();
      await until('the dead letter', async () => (await queue.deadLetters.count()) === 1);
      const [again] = await queue.deadLetters.list();
      expect(again?.event.data).toEqual(new Uint8Array(bytes));
      expect(await queue.deadLetters.remove([again?.event.id ?? ''])).toBe(1);
      expect(await countsOf(server(), queueKey)).toMatchObject({ dead: 0, ready: 0 });
    },
  );

  test('finds poison with its bytes as they were, also if its consumer crashed with it before', async () => {
    const queueKey = newKey();
    const beside = `{${queueKey}}:nq:`;
    await run('RPUSH', `${beside}held:gone:1`, 'no JSON', '{"type":"a"}');
    await run('ZADD', `${beside}leases`, 1, 'gone:1:2');
    await using queue = await openQueue(server(), { queueKey });
    expect(await take(queue)).toMatchObject({ event: { type: 'a' }, attempt: 2 });
    await until('the dead letter', async () => (await queue.deadLetters.count()) === 1);
    expect((await queue.deadLetters.list())[0]?.event.data).toEqual(new Uint8Array(Buffer.from('no JSON')));
  });

  test('sees the connections of a queue by their names', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    const popped = codeOf(queue.pop({ timeoutMs: 1000 }));
    await untilBlocked(server(), queueKey);
    const list = String(await run('CLIENT', 'LIST')).split('\n');
    expect(list.filter((line) => line.includes(`name=nq:${queueKey} `))).toHaveLength(2);
    await popped;
  });

  test('gets what somebody pushed while all slept, in order', async () => {
    const queueKey = newKey();
    await using queue = await openQueue(server(), { queueKey });
    for (let round = 0; round < 20; round++) {
      const popped = take(queue);
      await untilBlocked(server(), queueKey);
      await run('LPUSH', queueKey, `{"type":"first of ${round}"}`, `{"type":"second of ${round}"}`);
      const first = await popped;
      const second = await take(queue);
      expect([first, second].map(({ event }) => event.type)).toEqual([`first of ${round}`, `second of ${round}`]);
      await Promise.all([first.ack(), second.ack()]);
    }
    expect(await countsOf(server(), queueKey)).toEqual(nothing);
  });
});
