import type { MessageQueue } from '@nq/core';
import { describe, expect, test } from 'vitest';
import { drain, openQueue, take } from './support/queue.ts';
import { newKey, offer, useServer } from './support/server.ts';

const event = (type: string) => ({ type, data: null });
const stream = { mode: 'stream', group: 'orders' } as const;
type Leave = (queue: MessageQueue, queueKey: string) => Promise<unknown>;
const modes = [
  { mode: 'list', options: {}, other: 'stream', others: stream, own: '' },
  { mode: 'stream', options: stream, other: 'list', others: {}, own: 'orders:' },
] as const;

describe.skipIf(offer.missing !== undefined).each(modes)(
  `where a $mode has been on ${offer.name}, and its key is gone`,
  ({ mode, options, others, other, own }) => {
    const server = useServer();

    /** Takes the only event to where `leave` puts it, and has the key be gone, as that of a list is that is empty. */
    async function leaveBehind(queueKey: string, leave: Leave): Promise<void> {
      await using queue = await openQueue(server(), { queueKey, ...options });
      await queue.push(event('left'));
      await leave(queue, queueKey);
      await server().command('DEL', queueKey);
    }

    const places: readonly [string, string, Leave][] = [
      ['is delayed', 'delayed', async (queue) => (await take(queue)).nack({ delayMs: 60_000 })],
      ['is dead', 'dead', async (queue) => (await take(queue)).nack({ deadLetter: true })],
      ...(mode === 'stream'
        ? ([
            ['was given back', 'returned', async (queue) => (await take(queue)).nack()],
            [
              'is replayed',
              'replayed',
              async (queue) => {
                await (await take(queue)).nack({ deadLetter: true });
                await queue.deadLetters.replay();
              },
            ],
          ] satisfies [string, string, Leave][])
        : ([
            [
              'has woken somebody who did not take it',
              'staged',
              async (queue, queueKey) => {
                await drain(queue);
                await server().command('RPUSH', `{${queueKey}}:nq:staged`, JSON.stringify(event('left')));
              },
            ],
          ] satisfies [string, string, Leave][])),
    ];

    test.each(places)(`a ${other} is refused while an event %s, and told in which key`, async (_what, name, leave) => {
      const queueKey = newKey();
      await leaveBehind(queueKey, leave);
      const key = `{${queueKey}}:nq:${own}${name}`;
      const message = `Cannot open a Redis queue: queueKey must name a ${other}, and "${queueKey}" has events of a ${mode} in ${key}`;
      await expect(openQueue(server(), { queueKey, ...others })).rejects.toMatchObject({ code: 'NQ_CONFIG', message });
      // Nothing was made there, so the mode that was there before finds what it has left.
      expect(await server().command('EXISTS', queueKey)).toBe(0);
      await (await openQueue(server(), { queueKey, ...options })).close();
    });

    test(`a ${other} is refused while somebody has an event in hand, who settles it then`, async () => {
      const queueKey = newKey();
      await using queue = await openQueue(server(), { queueKey, ...options });
      await queue.push(event('held'));
      const held = await take(queue);
      await server().command('DEL', queueKey);
      const message = expect.stringContaining(`has events of a ${mode} in {${queueKey}}:nq:${own}leases`);
      await expect(openQueue(server(), { queueKey, ...others })).rejects.toMatchObject({ code: 'NQ_CONFIG', message });
      await held.nack();
      expect(await drain(queue)).toEqual(['held']);
    });

    test(`a ${other} may be there as soon as nothing is left`, async () => {
      const queueKey = newKey();
      await leaveBehind(queueKey, drain);
      await using queue = await openQueue(server(), { queueKey, ...others });
      await queue.push(event('a'));
      expect(await drain(queue)).toEqual(['a']);
    });

    test('the type of a key that is there is told first', async () => {
      const queueKey = newKey();
      await using queue = await openQueue(server(), { queueKey, ...options });
      await queue.pushMany(['held', 'ready'].map(event));
      await take(queue);
      const beside = `{${queueKey}}:nq:${own}leases`;
      const message = expect.stringContaining(`"${queueKey}" is a ${mode}, and events of a ${mode} in ${beside}`);
      await expect(openQueue(server(), { queueKey, ...others })).rejects.toMatchObject({ code: 'NQ_CONFIG', message });
    });
  },
);

describe.skipIf(offer.missing !== undefined)(`a message on ${offer.name}`, () => {
  const server = useServer();

  test('names five of many keys of groups that are in the way', async () => {
    const queueKey = newKey();
    for (const group of ['a', 'b', 'c', 'd', 'e', 'f']) {
      await (await openQueue(server(), { queueKey, mode: 'stream', group })).close();
      await server().command('RPUSH', `{${queueKey}}:nq:${group}:dead`, 'letter');
    }
    await server().command('DEL', queueKey);
    const failure: unknown = await openQueue(server(), { queueKey }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ message: expect.stringMatching(/:a:dead, .*:e:dead, …$/) });
  });
});
