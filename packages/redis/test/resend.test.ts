import { isNqError } from '@nq/core';
import { until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import {
  clients,
  codeOf,
  countsOf,
  drain,
  nothing,
  openQueue,
  pushWhenBack,
  take,
  untilBlocked,
} from './support/queue.ts';
import { newKey, offer, useServer } from './support/server.ts';

const event = (type: string) => ({ type, data: null });
const some = ['a', 'b', 'c'].map(event);

// What ioredis does with a command whose connection is lost was measured for both majors: it sends it again.
describe.skipIf(offer.missing !== undefined)(`requests whose answer is lost on ${offer.name}`, () => {
  const server = useServer();

  describe.each(clients)('with $name', ({ at }) => {
    /** A queue behind a link, and another one that nothing happens to. */
    async function scene(options = {}) {
      const queueKey = newKey();
      const link = await server().link();
      const queue = await openQueue(link, { queueKey, ...at(link), ...options });
      const counts = () => countsOf(server(), queueKey);
      /** Does `call` so that its answer is lost, and heals the link. */
      const loseAnswer = async <Result>(call: () => Promise<Result>): Promise<Result> => {
        link.cutBeforeAnswer();
        const answer = call();
        await until('the answer to be lost', () => link.isCut);
        link.heal();
        return answer;
      };
      return { queueKey, link, queue, counts, loseAnswer };
    }

    test('a push is stored once', async () => {
      const { queue, counts, loseAnswer } = await scene();
      await loseAnswer(() => queue.push(event('a')));
      expect(await counts()).toEqual({ ...nothing, ready: 1 });
      await queue.close();
    });

    test('a pushMany that fits only in part stores each event once', async () => {
      const { queue, counts, loseAnswer } = await scene({ capacity: 2 });
      const pushed = loseAnswer(() => queue.pushMany(some, { timeoutMs: 5000 }));
      await until('two events to be there', async () => (await counts()).ready === 2);
      await (await take(queue)).ack();
      await pushed;
      expect(await drain(queue)).toEqual(['b', 'c']);
      await queue.close();
    });

    test('a pop hands out the same events once, and keeps their leases', async () => {
      const { queue, counts, loseAnswer } = await scene();
      await queue.pushMany(some);
      const deliveries = await loseAnswer(() => queue.popMany(2));
      expect(deliveries.map((delivery) => [delivery.event.type, delivery.attempt])).toEqual([
        ['a', 1],
        ['b', 1],
      ]);
      expect(await counts()).toEqual({ ...nothing, ready: 1, held: 2, leases: 1 });
      await Promise.all(deliveries.map((delivery) => delivery.ack()));
      expect(await counts()).toEqual({ ...nothing, ready: 1 });
      await queue.close();
    });

    test('an ack is done once, and is no lost lease', async () => {
      const { queue, counts, loseAnswer } = await scene();
      await queue.pushMany(some);
      const [a, b] = await queue.popMany(2);
      await loseAnswer(async () => Promise.all([a?.ack(), b?.ack()]));
      expect(await counts()).toEqual({ ...nothing, ready: 1 });
      await queue.close();
    });

    test('a nack gives back once, at once or later, and makes one dead letter', async () => {
      const { queue, counts, loseAnswer } = await scene();
      await queue.pushMany(some);
      const [a, b, c] = await queue.popMany(3);
      await loseAnswer(async () => a?.nack({ delayMs: 60_000 }));
      expect(await counts()).toEqual({ ...nothing, delayed: 1, held: 2, leases: 1 });
      await loseAnswer(async () => b?.nack({ deadLetter: true, reason: 'no' }));
      expect(await counts()).toEqual({ ...nothing, delayed: 1, dead: 1, held: 1, leases: 1 });
      await loseAnswer(async () => c?.nack());
      expect(await counts()).toEqual({ ...nothing, delayed: 1, dead: 1, ready: 1 });
      expect(await take(queue)).toMatchObject({ attempt: 2, event: { type: 'c' } });
      await queue.close();
    });

    test('a pop whose memory the server has dropped hands out nothing in the place of what is held', async () => {
      const { queueKey, link, queue, counts } = await scene({ leaseMs: 1500 });
      await queue.pushMany(some);
      await (await take(queue)).ack();
      // In this order: the server acts, its answer is lost, it drops what expires, and the pop is sent again.
      link.cutBeforeAnswer();
      const popped = codeOf(queue.pop());
      await until('the answer to be lost', () => link.isCut);
      const memories = (await server().command('KEYS', `{${queueKey}}:nq:consume:*`)) as string[];
      expect(await server().command('DEL', ...memories)).toBe(1);
      link.heal();
      expect(await popped).toBe('NQ_OUTCOME_UNKNOWN');
      const types = [];
      // One after the other: the lease of the first would end soon after that of what is waited for.
      while (types.length < 2) {
        const delivery = await take(queue);
        types.push(delivery.event.type);
        await delivery.ack();
      }
      expect(types.toSorted()).toEqual(['b', 'c']);
      expect(await counts()).toEqual(nothing);
      await queue.close();
    });

    test('a rewind is done once', async () => {
      const { queueKey, queue, link } = await scene({ mode: 'stream', group: 'orders', requestTimeoutMs: 10_000 });
      await using other = await openQueue(server(), { queueKey, mode: 'stream', group: 'orders' });
      await queue.pushMany(some);
      await drain(queue);
      // So that the server knows the script, and no answer but the one that counts is lost.
      await queue.rewind({ position: '9' });
      link.cutBeforeAnswer();
      const rewound = queue.rewind({ time: 0 });
      await until('the answer to be lost', () => link.isCut);
      expect(await drain(other)).toEqual(['a', 'b', 'c']);
      link.heal();
      await rewound;
      expect(await drain(other)).toEqual([]);
      await queue.close();
    });

    test('dead letters are replayed once, and the others removed once', async () => {
      const { queue, counts, loseAnswer } = await scene();
      await queue.pushMany(some);
      for (const delivery of await queue.popMany(3)) await delivery.nack({ deadLetter: true });
      const [first, ...others] = (await queue.deadLetters.list()).map((letter) => letter.event.id);
      // So that the server knows the script, and no answer but the one that counts is lost.
      expect(await queue.deadLetters.remove(['none'])).toBe(0);
      expect(await loseAnswer(() => queue.deadLetters.replay([first ?? '']))).toBe(1);
      expect(await counts()).toEqual({ ...nothing, ready: 1, dead: 2 });
      expect(await loseAnswer(() => queue.deadLetters.remove(others))).toBe(2);
      expect(await counts()).toEqual({ ...nothing, ready: 1 });
      await queue.close();
    });

    test('what woke a pop is not lost with the link that should have told it', async () => {
      const { queueKey, link, queue, counts } = await scene();
      const popped = take(queue);
      await untilBlocked(server(), queueKey);
      link.dropReplies();
      await server().command('LPUSH', queueKey, '{"type":"a"}');
      await until('it to be moved', async () => (await counts()).staged === 1);
      link.cut();
      link.heal();
      const delivery = await popped;
      expect(delivery).toMatchObject({ attempt: 1, event: { type: 'a' } });
      await delivery.ack();
      expect(await counts()).toEqual(nothing);
      await queue.close();
    });

    test('what woke a consumer that is gone is the next one’s', async () => {
      const { queueKey, link, queue, counts } = await scene();
      const popped = codeOf(queue.pop());
      await untilBlocked(server(), queueKey);
      link.dropReplies();
      await server().command('LPUSH', queueKey, '{"type":"a"}');
      await until('it to be moved', async () => (await counts()).staged === 1);
      link.cut();
      await queue.close();
      expect(await popped).toBe('NQ_CLOSED');
      await using other = await openQueue(server(), { queueKey });
      expect(await other.size()).toMatchObject({ ready: 1 });
      expect(await drain(other)).toEqual(['a']);
    });

    test('a link that is silent is given up: calls that change something say that nobody knows, and the same object works again', async () => {
      const { link, queue, counts } = await scene({ requestTimeoutMs: 1000 });
      await queue.push(event('a'));
      const held = await take(queue);
      link.freeze();
      const calls = [queue.push(event('b')), held.ack(), queue.size()].map(codeOf);
      expect(await Promise.all(calls)).toEqual(['NQ_OUTCOME_UNKNOWN', 'NQ_OUTCOME_UNKNOWN', 'NQ_UNAVAILABLE']);
      link.heal();
      await pushWhenBack(queue, 'c');
      // What was sent before the freeze ended has arrived, or not; the ack is remembered either way.
      await until('the ack', () => held.ack().then(() => true));
      await until('what is late to have arrived', async () => (await counts()).held === 0);
      expect((await drain(queue)).filter((type) => type !== 'b')).toEqual(['c']);
      await queue.close();
    });

    test('calls that change something, and whose link is lost and not back in time, say that nobody knows, and the same object works again', async () => {
      const { link, queue, counts } = await scene({ requestTimeoutMs: 1000 });
      await queue.push(event('a'));
      const held = await take(queue);
      link.dropReplies();
      const calls = [queue.push(event('b')), held.ack(), queue.size()].map(codeOf);
      await until('the server to have acted', async () => {
        const { ready, held: left } = await counts();
        return ready === 1 && left === 0;
      });
      // The client reconnects, in vain, when it is given up for a new one.
      link.cut();
      expect(await Promise.all(calls)).toEqual(['NQ_OUTCOME_UNKNOWN', 'NQ_OUTCOME_UNKNOWN', 'NQ_UNAVAILABLE']);
      link.heal();
      await until('the ack', () => held.ack().then(() => true));
      expect(await drain(queue)).toEqual(['b']);
      expect(await counts()).toEqual(nothing);
      await queue.close();
    });

    test('a link that is silent is given up for a new one by the first call that has no answer', async () => {
      const { link, queue } = await scene({ requestTimeoutMs: 200 });
      link.freeze();
      const before = link.counts.accepted;
      expect(await codeOf(queue.size())).toBe('NQ_UNAVAILABLE');
      await until('the queue to connect anew', () => link.counts.accepted > before);
      link.heal();
      await queue.close();
    });

    test('a pop that waits on a link that is silent is woken when it is back', async () => {
      const { queueKey, link, queue } = await scene();
      const popped = take(queue, 20_000);
      await untilBlocked(server(), queueKey);
      link.freeze();
      const before = link.counts.accepted;
      await until('the queue to connect anew', () => link.counts.accepted > before);
      link.heal();
      await server().command('LPUSH', queueKey, '{"type":"a"}');
      expect(await codeOf((await popped).ack())).toBe('done');
      await queue.close();
    });

    test('a nack whose answer came too late is not what another one asks for', async () => {
      const { queue, link, counts } = await scene({ requestTimeoutMs: 1000 });
      await queue.pushMany([event('a'), event('b')]);
      const [a, b] = await queue.popMany(2);
      link.freeze();
      const codes = [a, b].map((delivery) => codeOf(delivery?.nack({ delayMs: 60_000 })));
      expect(await Promise.all(codes)).toEqual(['NQ_OUTCOME_UNKNOWN', 'NQ_OUTCOME_UNKNOWN']);
      link.heal();
      await until('both to be given back', async () => (await counts()).delayed === 2);
      // Behind the answer to what was given back.
      await until('an answer', () => queue.pop({ timeoutMs: 0 }).then(() => true));
      expect(await codeOf(a?.nack({ deadLetter: true }))).toBe('NQ_LEASE_LOST');
      expect(await codeOf(b?.nack({ delayMs: 50_000 }))).toBe('done');
      expect(await counts()).toEqual({ ...nothing, delayed: 2 });
    });

    test('what was called while there was no connection is refused, and never sent later', async () => {
      const { link, queue, counts } = await scene({ requestTimeoutMs: 1000 });
      await queue.push(event('a'));
      const held = await take(queue);
      link.cut();
      await until('the queue to notice', () => queue.size().catch((error) => isNqError(error, 'NQ_UNAVAILABLE')));
      const calls = [queue.push(event('b')), held.nack(), queue.size(), queue.pop(), queue.deadLetters.remove()];
      expect(await Promise.all(calls.map(codeOf))).toEqual(Array(5).fill('NQ_UNAVAILABLE'));
      link.heal();
      await pushWhenBack(queue, 'c');
      expect(await counts()).toEqual({ ...nothing, ready: 1, held: 1, leases: 1 });
      await held.ack();
      expect(await drain(queue)).toEqual(['c']);
      await queue.close();
    });

    test('a pop goes on waiting while connections are cut', async () => {
      const { queueKey, link, queue } = await scene();
      const popped = take(queue, 20_000);
      for (let cuts = 0; cuts < 3; cuts++) {
        await untilBlocked(server(), queueKey);
        link.cut();
        link.heal();
      }
      await untilBlocked(server(), queueKey);
      await server().command('LPUSH', queueKey, '{"type":"a"}');
      expect(await codeOf((await popped).ack())).toBe('done');
      await queue.close();
    });
  });
});
