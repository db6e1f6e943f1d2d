import type { Delivery, MessageQueue } from '@nq/core';
import { describe, expect, test } from 'vitest';
import { codeOf, drain, openQueue, take } from './support/queue.ts';
import { newKey, offer, useServer } from './support/server.ts';

const event = (type: string) => ({ type, data: null });

describe.skipIf(offer.missing !== undefined)(`rewind() on ${offer.name}`, () => {
  const server = useServer();

  const open = (queueKey: string): Promise<MessageQueue> =>
    openQueue(server(), { queueKey, mode: 'stream', group: 'orders' });

  async function idsOf(queueKey: string): Promise<string[]> {
    const entries = (await server().command('XRANGE', queueKey, '-', '+')) as [string][];
    return entries.map(([id]) => id);
  }

  describe('leaves a dead letter that was replayed where it is, as it has no entry that comes again:', () => {
    const places: readonly (readonly [string, number, (delivery: Delivery) => unknown])[] = [
      ['held', 1, () => {}],
      ['returned', 2, (delivery) => delivery.nack()],
      ['delayed', 2, (delivery) => delivery.nack({ delayMs: 1500 })],
    ];

    test.each(places)('one that is %s', async (_place, attempt, put) => {
      const queueKey = newKey();
      await using queue = await open(queueKey);
      await queue.pushMany(['dies', 'lives'].map(event));
      await (await take(queue)).nack({ deadLetter: true });
      await (await take(queue)).ack();
      expect(await queue.deadLetters.replay()).toBe(1);
      const replayed = await take(queue);
      await put(replayed);
      const [, lives = ''] = await idsOf(queueKey);
      await queue.rewind({ position: lives });
      const came = [];
      if (attempt === 1) came.push(replayed);
      while (came.length < 2) came.push(await take(queue));
      expect(came.map((one) => `${one.event.type} ${one.attempt}`).toSorted()).toEqual([`dies ${attempt}`, 'lives 1']);
      for (const delivery of came) expect(await codeOf(delivery.ack())).toBe('done');
      expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0, delayed: 0 });
    });
  });

  test('makes a group anew that somebody has destroyed, and takes nothing from it', async () => {
    const queueKey = newKey();
    await using queue = await open(queueKey);
    await queue.pushMany(['held', 'returned', 'ready'].map(event));
    const [, returned] = await queue.popMany(2);
    await returned?.nack();
    await server().command('XGROUP', 'DESTROY', queueKey, 'orders');
    const [, second = ''] = await idsOf(queueKey);
    expect(await codeOf(queue.rewind({ position: second }))).toBe('done');
    expect(await queue.size()).toMatchObject({ ready: 2, inFlight: 1 });
    expect(await drain(queue)).toEqual(['returned', 'ready']);
  });
});
