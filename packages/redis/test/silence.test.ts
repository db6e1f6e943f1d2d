import { until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { clients, drain, openQueue, take } from './support/queue.ts';
import { newKey, offer, useServer } from './support/server.ts';

const event = (type: string) => ({ type, data: null });

describe.skipIf(offer.missing !== undefined)(`a link that falls silent on ${offer.name}`, () => {
  const server = useServer();

  describe.each(clients)('with $name', ({ at }) => {
    // A single try waits a second for its answer.
    test.each([
      [0, 1500],
      [100, 1000],
    ])('is given up for pops with timeoutMs %i, less than requestTimeoutMs %i', async (timeoutMs, requestTimeoutMs) => {
      const link = await server().link();
      await using queue = await openQueue(link, { ...at(link), requestTimeoutMs });
      await queue.pushMany([event('a'), event('b')]);
      await (await take(queue)).ack();
      link.freeze();
      const { accepted } = link.counts;
      const isAnother = async (): Promise<boolean> => {
        expect(await queue.pop({ timeoutMs })).toBeUndefined();
        return link.counts.accepted > accepted;
      };
      try {
        await until('another connection', isAnother, { deadlineMs: 10_000 });
      } finally {
        link.heal();
      }
      // Whatever was taken for somebody who had left is back.
      const b = await take(queue);
      expect(`${b.event.type} ${b.attempt}`).toBe('b 1');
      await b.ack();
    });

    test('is given up when all that is asked is to look for a delay that is over', async () => {
      const queueKey = newKey();
      const link = await server().link();
      await using queue = await openQueue(link, { ...at(link), queueKey, requestTimeoutMs: 1000 });
      await queue.push(event('a'));
      await (await take(queue)).nack({ delayMs: 100 });
      link.freeze();
      const { accepted } = link.counts;
      try {
        await until('another connection', () => link.counts.accepted > accepted, { deadlineMs: 10_000 });
      } finally {
        link.heal();
      }
      expect(await drain(queue)).toEqual(['a']);
    });
  });
});
