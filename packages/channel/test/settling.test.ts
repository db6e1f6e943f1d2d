import type { Delivery } from '@nq/core';
import { virtualClock } from '@nq/core/testing';
import { type ChannelOptions, channelQueue } from '@nq/channel';
import { describe, expect, test } from 'vitest';
import { dataOf, event, popAll, stateOf } from './support.ts';

const open = async (options: ChannelOptions = {}, events: readonly unknown[] = [1]) => {
  const clock = virtualClock();
  const queue = channelQueue({ clock, ...options });
  await queue.pushMany(events.map(event));
  return { clock, queue };
};
const pop = async (queue: Awaited<ReturnType<typeof open>>['queue']) => {
  const delivery = await queue.pop({ timeoutMs: 0 });
  if (delivery === undefined) throw new Error('expected an event to be ready');
  return delivery;
};

describe('ack()', () => {
  test('makes the queue forget the event', async () => {
    const { clock, queue } = await open({ leaseMs: 1000 });
    await (await pop(queue)).ack();
    await clock.advance(10_000);
    expect(await queue.size()).toEqual({ ready: 0, inFlight: 0, delayed: 0, oldestAgeMs: 0, exact: true });
  });

  test('repeated is a no-op; a nack after it is refused and brings nothing back', async () => {
    const { queue } = await open();
    const delivery = await pop(queue);
    await Promise.all([delivery.ack(), delivery.ack()]);
    await expect(delivery.nack()).rejects.toMatchObject({ code: 'NQ_ALREADY_SETTLED' });
    expect((await queue.size()).ready).toBe(0);
  });

  test('touches its own delivery alone, in any order', async () => {
    const { queue } = await open({}, [1, 2, 3]);
    const [first, second, third] = [await pop(queue), await pop(queue), await pop(queue)];
    await third.ack();
    expect((await queue.size()).inFlight).toBe(2);
    await first.nack();
    await second.ack();
    expect(dataOf(await pop(queue))).toBe(1);
    expect((await queue.size()).ready).toBe(0);
  });
});

describe('nack()', () => {
  test('hands the same event out again, with the next attempt', async () => {
    const { queue } = await open();
    for (const attempt of [1, 2, 3]) {
      const delivery = await pop(queue);
      expect(delivery.attempt).toBe(attempt);
      expect(dataOf(delivery)).toBe(1);
      await delivery.nack();
    }
  });

  test('puts events in front of later ones, in the order of their pushes', async () => {
    const { queue } = await open({}, [1, 2, 3, 4]);
    const [first, second, third] = [await pop(queue), await pop(queue), await pop(queue)];
    for (const delivery of [third, first, second]) await delivery.nack();
    expect((await popAll(queue)).map(dataOf)).toEqual([1, 2, 3, 4]);
  });

  test('wakes a pop that waits', async () => {
    const { queue } = await open();
    const delivery = await pop(queue);
    const waiting = queue.pop();
    await delivery.nack();
    expect((await waiting)?.attempt).toBe(2);
  });

  test('with a delay holds the event back, not before and not much after its time, and others pass', async () => {
    const { clock, queue } = await open({}, [1, 2]);
    await (await pop(queue)).nack({ delayMs: 80 });
    expect(await queue.size()).toMatchObject({ ready: 1, delayed: 1, inFlight: 0 });
    expect(dataOf(await pop(queue))).toBe(2);
    const waiting = queue.pop();
    await clock.advance(79);
    expect(await stateOf(waiting)).toBe('pending');
    await clock.advance(1);
    expect(dataOf(await waiting)).toBe(1);
  });

  test('with delays of several lengths brings each back at its own time', async () => {
    const { clock, queue } = await open({}, [1, 2, 3]);
    for (const delayMs of [300, 100, 200]) await (await pop(queue)).nack({ delayMs });
    const order: unknown[] = [];
    for (let step = 0; step < 3; step++) {
      await clock.advance(100);
      order.push(...(await popAll(queue)).map(dataOf));
    }
    expect(order).toEqual([2, 3, 1]);
  });

  test('a returned event is never refused, even if the queue is full by now', async () => {
    const { queue } = await open({ capacity: 1 });
    const delivery = await pop(queue);
    await queue.push(event(2));
    await delivery.nack();
    await expect(queue.push(event(3), { timeoutMs: 0 })).rejects.toMatchObject({ code: 'NQ_FULL' });
    expect((await popAll(queue)).map(dataOf)).toEqual([1, 2]);
  });

  test('repeated is a no-op; an ack after it is refused, and the event comes once', async () => {
    const { queue } = await open();
    const delivery = await pop(queue);
    await Promise.all([delivery.nack(), delivery.nack()]);
    await expect(delivery.ack()).rejects.toMatchObject({ code: 'NQ_ALREADY_SETTLED' });
    expect((await popAll(queue)).map(dataOf)).toEqual([1]);
  });

  test.each([
    [{ delayMs: -1 }, 'Cannot nack: delayMs must be >= 0, got -1'],
    [{ delayMs: Infinity }, 'Cannot nack: delayMs must be finite, got Infinity'],
    [{ reason: 5 }, 'Cannot nack: reason must be a string, got a number'],
    [{ deadLetter: 'no' }, 'Cannot nack: deadLetter must be true or false, got "no"'],
    [{ delay: 5 }, 'Cannot nack: unknown option "delay"; known are delayMs, reason, deadLetter'],
  ])('refuses %j, and the delivery stays open', async (options, message) => {
    const { queue } = await open();
    const delivery = await pop(queue);
    await expect(delivery.nack(options as never)).rejects.toThrow(message);
    await delivery.ack();
  });
});

describe('a delivery', () => {
  test('that is disposed of unsettled is handed out again; a settled one is left alone', async () => {
    const { queue } = await open({}, [1, 2]);
    {
      await using _ = await pop(queue);
    }
    const again = await pop(queue);
    expect(again.attempt).toBe(2);
    await again.ack();
    await again[Symbol.asyncDispose]();
    expect((await popAll(queue)).map(dataOf)).toEqual([2]);
  });

  test('knows how long its event has been in the queue', async () => {
    const { clock, queue } = await open();
    await clock.advance(40);
    expect((await pop(queue)).waitedMs).toBe(40);
  });
});

describe('a lease', () => {
  test('ends not before its time and at most a sixteenth later; the event is handed out again', async () => {
    const { clock, queue } = await open({ leaseMs: 1600 });
    const delivery = await pop(queue);
    const { signal } = delivery;
    await clock.advance(1600);
    expect(signal.aborted).toBe(false);
    expect((await queue.size()).inFlight).toBe(1);
    await clock.advance(100);
    expect(signal.reason).toMatchObject({ code: 'NQ_LEASE_LOST' });
    expect((await pop(queue)).attempt).toBe(2);
  });

  test('that has ended makes every settlement NQ_LEASE_LOST, and does not touch the new holder', async () => {
    const { clock, queue } = await open({ leaseMs: 100 });
    const stale = await pop(queue);
    await clock.advance(200);
    const holder = await pop(queue);
    for (const settle of [() => stale.ack(), () => stale.nack(), () => stale.extend(100)]) {
      await expect(settle()).rejects.toMatchObject({ code: 'NQ_LEASE_LOST' });
    }
    expect((await queue.size()).inFlight).toBe(1);
    await holder.ack();
    expect((await queue.size()).ready).toBe(0);
    expect(stale.signal.aborted).toBe(true);
  });

  test('that is extended stays ours as long as it is extended, and ends afterwards', async () => {
    const { clock, queue } = await open({ leaseMs: 160 });
    const delivery = await pop(queue);
    for (let step = 0; step < 5; step++) {
      await clock.advance(150);
      await delivery.extend(160);
    }
    expect(await queue.pop({ timeoutMs: 0 })).toBeUndefined();
    await clock.advance(200);
    expect((await pop(queue)).attempt).toBe(2);
  });

  test('of many deliveries ends for each on its own', async () => {
    const { clock, queue } = await open({ leaseMs: 160 }, [1, 2, 3, 4]);
    const [first, second] = [await pop(queue), await pop(queue)];
    await clock.advance(100);
    const [third, fourth] = [await pop(queue), await pop(queue)];
    await second.ack();
    await clock.advance(80);
    expect(first.signal.aborted).toBe(true);
    expect(third.signal.aborted || fourth.signal.aborted).toBe(false);
    expect((await popAll(queue)).map(dataOf)).toEqual([1]);
  });

  test.each(['ack', 'nack', 'extend'] as const)(
    'that ends together with others is lost before anybody hears of it: %s() of a sibling comes too late',
    async (verb) => {
      const { clock, queue } = await open({ leaseMs: 100 }, ['a', 'b', 'c']);
      const deliveries = [await pop(queue), await pop(queue), await pop(queue)] as const;
      const settle = (one: Delivery) => (verb === 'extend' ? one.extend(1000) : one[verb]());
      let late: Promise<PromiseSettledResult<void>[]> | undefined;
      deliveries[0].signal.addEventListener('abort', () => (late = Promise.allSettled(deliveries.map(settle))));
      await clock.advance(200);
      const ends = await late;
      expect(ends).toHaveLength(3);
      for (const end of ends ?? [])
        expect(end).toMatchObject({ status: 'rejected', reason: { code: 'NQ_LEASE_LOST' } });
      expect(await queue.size()).toMatchObject({ ready: 3, inFlight: 0 });
      const again = await popAll(queue);
      expect(again.map(({ event: { data }, attempt }) => `${data}${attempt}`)).toEqual(['a2', 'b2', 'c2']);
      expect(await queue.close()).toEqual({ returned: 0, abandoned: 3, deadLetters: 0 });
    },
  );

  test('refuses to be extended by nonsense', async () => {
    const { queue } = await open();
    await expect((await pop(queue)).extend(0)).rejects.toThrow(new RangeError('Cannot extend: ms must be >= 1, got 0'));
  });

  test('without an end does not end and cannot be extended', async () => {
    const { clock, queue } = await open({ leaseMs: Infinity });
    expect(queue.capabilities.lease).toBe(false);
    const delivery = await pop(queue);
    await clock.advance(10 ** 12);
    await expect(delivery.extend(5)).rejects.toMatchObject({ code: 'NQ_UNSUPPORTED' });
    await delivery.ack();
  });
});

describe('dead letters', () => {
  test('keep the event, the attempts and the reason', async () => {
    const { queue, clock } = await open({}, ['bad']);
    await clock.advance(5);
    await (await pop(queue)).nack();
    await (await pop(queue)).nack({ deadLetter: true, reason: 'it is bad' });
    expect(await queue.deadLetters.count()).toBe(1);
    const [letter] = await queue.deadLetters.list();
    expect(letter).toMatchObject({ event: { data: 'bad' }, attempts: 2, reason: 'it is bad', deadAt: 5 });
    expect((await queue.size()).ready).toBe(0);
  });

  test('come of themselves after maxAttempts, by nack as by lease', async () => {
    const { clock, queue } = await open({ maxAttempts: 2, leaseMs: 100 }, [1, 2]);
    for (let attempt = 1; attempt <= 2; attempt++) await (await pop(queue)).nack({ reason: 'no' });
    for (let attempt = 1; attempt <= 2; attempt++) {
      await pop(queue);
      await clock.advance(200);
    }
    expect((await queue.deadLetters.list()).map(({ attempts, reason }) => [attempts, reason])).toEqual([
      [2, 'no'],
      [2, 'the lease ended before the delivery was settled'],
    ]);
    expect((await queue.size()).ready).toBe(0);
  });

  test('that find no room are refused with NQ_FULL, and the delivery stays open', async () => {
    const { queue } = await open({ deadLetterCapacity: 1 }, [1, 2]);
    await (await pop(queue)).nack({ deadLetter: true });
    const delivery = await pop(queue);
    await expect(delivery.nack({ deadLetter: true })).rejects.toMatchObject({ code: 'NQ_FULL' });
    await delivery.nack();
    expect(dataOf(await pop(queue))).toBe(2);
  });

  test('are never lost for want of room: an event that came back too often is handed out again then', async () => {
    const { queue } = await open({ deadLetterCapacity: 1, maxAttempts: 1 }, [1, 2]);
    await (await pop(queue)).nack();
    await (await pop(queue)).nack();
    expect((await pop(queue)).attempt).toBe(2);
  });

  test('with isolation "copy" are copies: who changes a listed one changes no replay', async () => {
    const { queue } = await open({ isolation: 'copy' }, []);
    for (const id of ['a', 'b']) await queue.push({ type: 't', id, data: { list: [1] } });
    for (const delivery of [await pop(queue), await pop(queue)]) {
      Object.assign(delivery.event, { id: 'changed' });
      await delivery.nack({ deadLetter: true });
    }
    const [first, second] = await queue.deadLetters.list();
    Object.assign(first?.event.data as object, { list: [2] });
    Object.assign(second?.event as object, { data: 1n });
    expect((await queue.deadLetters.list()).map(({ event: { data } }) => data)).toEqual([{ list: [1] }, { list: [1] }]);
    expect(await queue.deadLetters.replay(['b'])).toBe(1);
    expect(await queue.deadLetters.count()).toBe(1);
    expect(await queue.deadLetters.replay()).toBe(1);
    expect(await queue.deadLetters.count()).toBe(0);
    expect((await popAll(queue)).map(({ event: { id, data } }) => [id, data])).toEqual([
      ['b', { list: [1] }],
      ['a', { list: [1] }],
    ]);
  });

  test.each([
    ['list', { limmit: 1 }, 'Cannot list dead letters: unknown option "limmit"; known are limit'],
    ['list', { limit: -1 }, 'Cannot list dead letters: limit must be a whole number >= 0, got -1'],
    ['replay', 'abc', 'Cannot replay dead letters: ids must be an array of strings, got "abc"'],
    ['replay', null, 'Cannot replay dead letters: ids must be an array of strings, got null'],
    ['remove', [5], 'Cannot remove dead letters: ids must be an array of strings, got an array'],
  ] as const)('refuse %s(%j)', async (verb, options, message) => {
    const { queue } = await open();
    await (await pop(queue)).nack({ deadLetter: true });
    await expect(queue.deadLetters[verb](options as never)).rejects.toThrow(message);
    expect(await queue.deadLetters.count()).toBe(1);
  });

  test('can be replayed, as new events, and removed, by id or all', async () => {
    const { queue } = await open({ capacity: 1 }, []);
    for (const id of ['a', 'b', 'c']) {
      await queue.push({ ...event(id), id });
      await (await pop(queue)).nack({ deadLetter: true });
    }
    expect(await queue.deadLetters.replay(['b', 'x'])).toBe(1);
    expect((await pop(queue)).attempt).toBe(1);
    expect(await queue.deadLetters.remove(['a'])).toBe(1);
    expect((await queue.deadLetters.list()).map(({ event: { id } }) => id)).toEqual(['c']);
    expect(await queue.deadLetters.replay()).toBe(1);
    expect(await queue.deadLetters.count()).toBe(0);
  });

  test('that are not kept are refused with NQ_UNSUPPORTED', async () => {
    const { queue } = await open({ deadLetterCapacity: 0 });
    expect(queue.capabilities.deadLetter).toBe(false);
    const delivery = await pop(queue);
    await expect(delivery.nack({ deadLetter: true })).rejects.toMatchObject({ code: 'NQ_UNSUPPORTED' });
    await expect(queue.deadLetters.count()).rejects.toMatchObject({ code: 'NQ_UNSUPPORTED' });
    await expect(queue.deadLetters.list()).rejects.toMatchObject({ code: 'NQ_UNSUPPORTED' });
    await delivery.ack();
  });
});
