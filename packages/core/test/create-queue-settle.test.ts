import { describe, expect, test } from 'vitest';
import { type Delivery, NqError } from '../src/index.ts';
import { event, openQueueOn, take } from './support/open-queue.ts';
import { deferred, never, rejection, watch } from './support/promises.ts';

type Verb = 'ack' | 'nack';
const verbs = ['ack', 'nack'] as const;

const matrixOfFailures = verbs.flatMap((verb) =>
  (['came too late', 'had no answer'] as const).map((how) => [verb, how, verb === 'ack' ? 'nack' : 'ack'] as const),
);

/** A queue with one event, which is handed out. */
async function handedOut(...args: Parameters<typeof openQueueOn>) {
  const opened = openQueueOn(...args);
  await opened.queue.push(event('a'));
  return { ...opened, delivery: await take(opened.queue) };
}

describe('a delivery', () => {
  test('that is acked is forgotten by the queue', async () => {
    const { queue, clock, delivery } = await handedOut();
    await delivery.ack();
    expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0 });
    await clock.advance(100_000);
    expect(await queue.pop({ timeoutMs: 0 })).toBeUndefined();
  });

  test('that is nacked is handed out again as it was, with the next attempt', async () => {
    const { queue, delivery } = await handedOut();
    await delivery.nack();
    const again = await take(queue);
    expect(again.event).toEqual(delivery.event);
    expect(again.attempt).toBe(2);
  });

  test('that is nacked comes before later events', async () => {
    const { queue, delivery } = await handedOut();
    await queue.push(event('b'));
    await delivery.nack();
    expect((await take(queue)).event.id).toBe('a');
  });

  test.for(matrixOfFailures)(
    'whose %s %s was not settled by it: a %s after that says why',
    async ([verb, how, other]) => {
      const answer = how === 'came too late' ? async () => [false] : () => Promise.reject(new Error('gone'));
      const { delivery } = await handedOut({}, () => ({ [verb]: answer, classify: () => 'NQ_OUTCOME_UNKNOWN' }));
      const code = how === 'came too late' ? 'NQ_LEASE_LOST' : 'NQ_OUTCOME_UNKNOWN';
      expect(await rejection(delivery[verb]())).toMatchObject({ code });
      if (how === 'had no answer') {
        await delivery[other]();
        return;
      }
      expect(await rejection(delivery[other]())).toMatchObject({
        code: 'NQ_LEASE_LOST',
        message: `Cannot ${other} delivery 1 of event "a": its lease ended before`,
      });
      expect(await rejection(delivery.extend(5))).toMatchObject({ code: 'NQ_LEASE_LOST' });
    },
  );

  test('is not touched by the settlement of another one', async () => {
    const { queue } = openQueueOn();
    await queue.pushMany(['a', 'b', 'c'].map(event));
    const [a, b, c] = (await queue.popMany(3)) as [Delivery, Delivery, Delivery];
    await c.ack();
    await a.nack();
    expect(await queue.size()).toMatchObject({ ready: 1, inFlight: 1 });
    await b.ack();
    expect((await take(queue)).event.id).toBe('a');
  });

  const matrix: readonly [Verb, Verb][] = verbs.flatMap((first) =>
    verbs.map((second): [Verb, Verb] => [first, second]),
  );

  test.for(matrix.flatMap(([first, second]) => [true, false].map((atOnce) => [first, second, atOnce] as const)))(
    'is settled once: %s, then %s (at the same time: %o)',
    async ([first, second, atOnce]) => {
      const { clock, delivery, callsOf } = await handedOut();
      const one = watch(delivery[first]());
      if (!atOnce) await clock.settle();
      const two = watch(delivery[second]());
      await clock.settle();
      expect(one.state).toBe('resolved');
      expect(two).toMatchObject(
        first === second ? { state: 'resolved' } : { state: 'rejected', reason: { code: 'NQ_ALREADY_SETTLED' } },
      );
      expect(callsOf(first)).toHaveLength(1);
      expect([...callsOf('ack'), ...callsOf('nack')]).toHaveLength(1);
    },
  );

  test.for(verbs)('whose %s failed can be settled again, either way', async (verb) => {
    for (const second of verbs) {
      let asked = 0;
      const fail = new Error('gone');
      const { delivery, callsOf } = await handedOut({}, (backend) => ({
        ack: (receipts) => (asked++ === 0 ? Promise.reject(fail) : backend.ack(receipts)),
        nack: (returns) => (asked++ === 0 ? Promise.reject(fail) : backend.nack(returns)),
        classify: () => 'NQ_UNAVAILABLE',
      }));
      expect(await rejection(delivery[verb]())).toMatchObject({ code: 'NQ_UNAVAILABLE', cause: fail });
      await delivery[second]();
      expect([...callsOf('ack'), ...callsOf('nack')]).toHaveLength(2);
      expect(delivery.signal.aborted).toBe(false);
    }
  });

  test('whose ack failed may have been acked all the same: then the repetition is NQ_LEASE_LOST', async () => {
    let asked = 0;
    const { delivery } = await handedOut({}, (backend) => ({
      ack: async (receipts) => {
        const ours = await backend.ack(receipts);
        if (asked++ === 0) throw new Error('gone');
        return ours;
      },
      classify: () => 'NQ_OUTCOME_UNKNOWN',
    }));
    expect(await rejection(delivery.ack())).toMatchObject({ code: 'NQ_OUTCOME_UNKNOWN' });
    expect(await rejection(delivery.ack())).toMatchObject({ code: 'NQ_LEASE_LOST' });
  });

  test.for(verbs)(
    'that the backend no longer knows as ours rejects %s with NQ_LEASE_LOST, and aborts',
    async (verb) => {
      const { delivery, clock } = await handedOut({}, () => ({ ack: async () => [false], nack: async () => [false] }));
      const { signal } = delivery;
      const error = await rejection(delivery[verb]());
      expect(error).toMatchObject({ code: 'NQ_LEASE_LOST' });
      expect(signal.reason).toMatchObject({ code: 'NQ_LEASE_LOST' });
      await clock.settle();
      // The first one came too late and has settled nothing, so the second one does not contradict it.
      expect(await rejection(delivery[verb === 'ack' ? 'nack' : 'ack']())).toMatchObject({ code: 'NQ_LEASE_LOST' });
    },
  );

  test.for<[string, unknown]>([
    ['fewer answers than receipts', []],
    ['no answers', undefined],
    ['something that is not true', ['yes']],
  ])('is never taken for acked when the driver answers %s', async ([, answer]) => {
    const { delivery } = await handedOut({}, () => ({ ack: async () => answer as never }));
    expect(await rejection(delivery.ack())).toBeInstanceOf(NqError);
  });
});

describe('settlements at the same time', () => {
  test('are gathered: many acks cost one request, and each gets its own answer', async () => {
    const { queue, clock, callsOf } = openQueueOn({}, (backend) => ({
      ack: async (receipts) => {
        const ours = await backend.ack(receipts);
        return ours.map((one, index) => one && index !== 1);
      },
    }));
    await queue.pushMany(Array.from({ length: 100 }, (_, index) => event(`e${index}`)));
    const acks = (await queue.popMany(100)).map((delivery) => watch(delivery.ack()));
    await clock.settle();
    expect(callsOf('ack')).toHaveLength(1);
    expect(acks.flatMap(({ state }, index) => (state === 'resolved' ? [] : [index]))).toEqual([1]);
    expect(acks[1]?.reason).toMatchObject({ code: 'NQ_LEASE_LOST' });
  });

  test('go out one request at a time, of at most 500', async () => {
    const answer = deferred();
    const { queue, clock, callsOf } = openQueueOn({ capacity: 2000 }, (backend) => ({
      ack: async (receipts) => {
        await answer.promise;
        return backend.ack(receipts);
      },
    }));
    await queue.pushMany(Array.from({ length: 1100 }, (_, index) => event(`e${index}`)));
    const deliveries: Delivery[] = [];
    while (deliveries.length < 1100) deliveries.push(...(await queue.popMany(256)));
    const acks = deliveries.map((delivery) => watch(delivery.ack()));
    await clock.settle();
    expect(callsOf('ack').map(([receipts]) => (receipts as unknown[]).length)).toEqual([500]);
    answer.resolve();
    await clock.settle();
    expect(callsOf('ack').map(([receipts]) => (receipts as unknown[]).length)).toEqual([500, 500, 100]);
    expect(acks.every(({ state }) => state === 'resolved')).toBe(true);
  });

  test('share the failure of their request, wrapped once', async () => {
    const raw = new Error('redis://:hunter2@host');
    const { queue, clock } = openQueueOn({}, () => ({
      ack: () => {
        throw raw;
      },
    }));
    await queue.pushMany([event('a'), event('b')]);
    const acks = (await queue.popMany(2)).map((delivery) => watch(delivery.ack()));
    await clock.settle();
    for (const { reason } of acks) {
      expect(reason).toMatchObject({ code: 'NQ_BACKEND', cause: raw });
      expect((reason as Error).message).not.toContain('hunter2');
    }
  });
});

describe('nack()', () => {
  test('with delayMs keeps the event from everybody for so long, and lets others pass', async () => {
    const { queue, clock, delivery } = await handedOut();
    await queue.push(event('b'));
    await delivery.nack({ delayMs: 80 });
    expect(await queue.size()).toMatchObject({ ready: 1, delayed: 1, inFlight: 0 });
    expect((await take(queue)).event.id).toBe('b');
    await clock.advance(79);
    expect(await queue.pop({ timeoutMs: 0 })).toBeUndefined();
    await clock.advance(1);
    expect((await take(queue)).event.id).toBe('a');
  });

  test('with deadLetter gives the event up, with the reason', async () => {
    const { queue, clock, delivery } = await handedOut();
    await clock.advance(10);
    await delivery.nack({ deadLetter: true, reason: 'cannot be parsed' });
    expect(await queue.size()).toMatchObject({ ready: 0, delayed: 0, inFlight: 0 });
    expect(await queue.deadLetters.count()).toBe(1);
    expect(await queue.deadLetters.list()).toEqual([
      { event: delivery.event, attempts: 1, reason: 'cannot be parsed', deadAt: 10 },
    ]);
  });

  test.for<[string, { delayMs?: number; deadLetter?: boolean }]>([
    ['nackDelay', { delayMs: 5 }],
    ['deadLetter', { deadLetter: true }],
  ])(
    'rejects NQ_UNSUPPORTED where %s is not declared, and the delivery is as before',
    async ([capability, options]) => {
      const { queue, delivery, callsOf } = await handedOut({ capabilities: { nackDelay: false, deadLetter: false } });
      const error = await rejection(delivery.nack(options));
      expect(error).toMatchObject({ code: 'NQ_UNSUPPORTED' });
      expect((error as Error).message).toContain(capability);
      expect(callsOf('nack')).toEqual([]);
      expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 1 });
      await delivery.ack();
      expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0 });
    },
  );

  test('hands the driver no reason but the one given', async () => {
    const { delivery, callsOf } = await handedOut();
    await delivery.nack({ reason: 'later' });
    expect(callsOf('nack')[0]?.[0]).toMatchObject([{ delayMs: 0, reason: 'later', deadLetter: false }]);
  });

  test.for<[string, unknown, typeof TypeError | typeof RangeError]>([
    ['options must be an object', null, TypeError],
    ['unknown option "delay"', { delay: 5 }, TypeError],
    ['delayMs must be >= 0', { delayMs: -1 }, RangeError],
    ['delayMs must be >= 0', { delayMs: NaN }, RangeError],
    ['delayMs must be finite', { delayMs: Infinity }, RangeError],
    ['delayMs must be a number', { delayMs: '5' }, TypeError],
    ['reason must be a string', { reason: new Error('x') }, TypeError],
    ['deadLetter must be true or false', { deadLetter: 'yes' }, TypeError],
  ])('refuses misuse, and the delivery is as before: %s', async ([message, options, type]) => {
    const { delivery, callsOf } = await handedOut();
    const error = await rejection(delivery.nack(options as never));
    expect(error).toBeInstanceOf(type);
    expect((error as Error).message).toContain(`Cannot nack: ${message}`);
    expect(callsOf('nack')).toEqual([]);
    await delivery.ack();
  });
});

describe('await using', () => {
  test('gives an unsettled delivery back', async () => {
    const { queue } = openQueueOn();
    await queue.push(event('a'));
    {
      await using delivery = await take(queue);
      expect(delivery.attempt).toBe(1);
    }
    expect((await take(queue)).attempt).toBe(2);
  });

  test.for(verbs)('does nothing after %s, also while that is under way', async (verb) => {
    const { delivery, callsOf } = await handedOut();
    const settled = delivery[verb]();
    await delivery[Symbol.asyncDispose]();
    await settled;
    await delivery[Symbol.asyncDispose]();
    expect([...callsOf('ack'), ...callsOf('nack')]).toHaveLength(1);
  });

  test('does nothing to a lost delivery, known to be lost or not', async () => {
    const { delivery, clock, callsOf } = await handedOut({ leaseMs: 1000 });
    await clock.advance(2000);
    await delivery[Symbol.asyncDispose]();
    expect(callsOf('nack')).toEqual([]);

    const other = await handedOut({}, () => ({ nack: async () => [false] }));
    await other.delivery[Symbol.asyncDispose]();
    expect(other.callsOf('nack')).toHaveLength(1);
  });

  test('tells when the delivery could not be given back', async () => {
    const { delivery } = await handedOut({}, () => ({ nack: () => Promise.reject(new Error('gone')) }));
    expect(await rejection(delivery[Symbol.asyncDispose]())).toMatchObject({ code: 'NQ_BACKEND' });
  });
});

describe('a lease', () => {
  test('that ends by time aborts the signal of the delivery, not before and at most 1/8 later', async () => {
    const { delivery, clock } = await handedOut({ leaseMs: 1600 });
    const { signal } = delivery;
    await clock.advance(1599);
    expect(signal.aborted).toBe(false);
    await clock.advance(201);
    expect(signal.reason).toMatchObject({ code: 'NQ_LEASE_LOST' });
  });

  test('that ended is seen by a signal that is asked for only then', async () => {
    const { delivery, clock } = await handedOut({ leaseMs: 1600 });
    await clock.advance(2000);
    expect(delivery.signal.reason).toMatchObject({ code: 'NQ_LEASE_LOST' });
  });

  test.for([...verbs, 'extend'] as const)(
    'that ended makes %s reject NQ_LEASE_LOST without asking the driver',
    async (verb) => {
      const { queue, delivery, clock, callsOf } = await handedOut({ leaseMs: 1600 });
      await clock.advance(2000);
      const holder = await take(queue);
      const late = verb === 'extend' ? delivery.extend(1000) : delivery[verb]();
      expect(await rejection(late)).toMatchObject({ code: 'NQ_LEASE_LOST' });
      expect([...callsOf('ack'), ...callsOf('nack'), ...callsOf('extend')]).toEqual([]);
      expect(holder).toMatchObject({ attempt: 2, event: { id: 'a' } });
      await holder.ack();
      expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0 });
    },
  );

  test('that was settled in time does not abort the signal', async () => {
    const { delivery, clock } = await handedOut({ leaseMs: 1600 });
    const { signal } = delivery;
    await delivery.ack();
    await clock.advance(5000);
    expect(signal.aborted).toBe(false);
    expect(clock.timers).toBe(0);
  });

  test('that ends by time is not timed where it does not end', async () => {
    const { delivery, clock } = await handedOut({ capabilities: { lease: false }, leaseMs: 1600 });
    await clock.advance(10_000);
    expect(delivery.signal.aborted).toBe(false);
  });

  test('whose receipt comes again does not take the new delivery with it', async () => {
    let handed = 0;
    const { queue, clock, delivery } = await handedOut({ leaseMs: 1600 }, (backend) => ({
      pop: async (max, waitMs, signal) =>
        (await backend.pop(max, waitMs, signal)).map((lease) => ({ ...lease, receipt: 'the same', attempt: ++handed })),
      ack: async () => [true],
    }));
    await clock.advance(1600);
    const second = await take(queue);
    await delivery.ack();
    const report = await queue.close();
    expect(second.signal.aborted).toBe(true);
    expect(report.returned + report.abandoned).toBe(1);
  });
});

describe('extend()', () => {
  test.for(verbs)('that is overtaken by %s() does not call a settled delivery lost', async (verb) => {
    const { delivery, clock } = await handedOut({}, (memory) => ({
      extend: async (receipts, ms) => {
        await new Promise((resolve) => void clock.schedule(() => resolve(undefined), 5));
        return (await memory.extend?.(receipts, ms)) ?? [];
      },
    }));
    const { signal } = delivery;
    const extended = watch(delivery.extend(1000));
    await delivery[verb]();
    await clock.advance(5);
    expect(extended.reason).toMatchObject({ code: 'NQ_ALREADY_SETTLED' });
    expect(signal.aborted).toBe(false);
    await delivery[verb]();
  });

  test('makes the lease end later, here and in the backend', async () => {
    const { queue, delivery, clock } = await handedOut({ leaseMs: 1600 });
    await clock.advance(1500);
    await delivery.extend(5000);
    await clock.advance(4900);
    expect(delivery.signal.aborted).toBe(false);
    expect(await queue.pop({ timeoutMs: 0 })).toBeUndefined();
    await delivery.ack();
    expect(await queue.size()).toMatchObject({ ready: 0, inFlight: 0 });
  });

  test('makes the lease end earlier, too', async () => {
    const { delivery, clock } = await handedOut({ leaseMs: 16_000 });
    await delivery.extend(2000);
    await clock.advance(4001);
    expect(delivery.signal.reason).toMatchObject({ code: 'NQ_LEASE_LOST' });
  });

  test('rejects NQ_LEASE_LOST and aborts if the backend says that it is not ours', async () => {
    const { delivery } = await handedOut({}, () => ({ extend: async () => [false] }));
    expect(await rejection(delivery.extend(10))).toMatchObject({ code: 'NQ_LEASE_LOST' });
    expect(delivery.signal.aborted).toBe(true);
  });

  test('rejects NQ_ALREADY_SETTLED after a settlement', async () => {
    const { delivery, callsOf } = await handedOut();
    await delivery.ack();
    expect(await rejection(delivery.extend(10))).toMatchObject({ code: 'NQ_ALREADY_SETTLED' });
    expect(callsOf('extend')).toEqual([]);
  });

  test.for([false, { ms: 1000, extend: false }] as const)(
    'rejects NQ_UNSUPPORTED where the lease is %o',
    async (lease) => {
      const { delivery, callsOf } = await handedOut({ capabilities: { lease } });
      expect(await rejection(delivery.extend(10))).toMatchObject({ code: 'NQ_UNSUPPORTED' });
      expect(callsOf('extend')).toEqual([]);
      await delivery.ack();
    },
  );

  test('that fails leaves the lease as it was', async () => {
    const raw = new Error('gone');
    const { delivery } = await handedOut({}, () => ({ extend: () => Promise.reject(raw) }));
    expect(await rejection(delivery.extend(10))).toMatchObject({ code: 'NQ_BACKEND', cause: raw });
    await delivery.ack();
  });

  test.for([0, -5, NaN, Infinity, '5', undefined])('refuses %o', async (ms) => {
    const { delivery, callsOf } = await handedOut();
    const error = await rejection(delivery.extend(ms as never));
    expect(error).toBeInstanceOf(typeof ms === 'number' ? RangeError : TypeError);
    expect((error as Error).message).toContain('Cannot extend: ms must be');
    expect(callsOf('extend')).toEqual([]);
  });
});

describe('a driver that watches its leases itself', () => {
  const watching = () => {
    let tell: (receipt: unknown) => void = () => {};
    const opened = handedOut({ leaseMs: 1600 }, () => ({
      onLeaseLost: (listener) => {
        tell = listener;
      },
      pop: async () => [{ receipt: 'r1', event: { id: 'a', type: 't', data: 1, time: 0 }, attempt: 1 }],
      ack: async () => [true],
    }));
    return opened.then((all) => ({ ...all, lose: (receipt: unknown) => tell(receipt) }));
  };

  test('decides alone when a lease is lost', async () => {
    const { delivery, clock, lose } = await watching();
    await clock.advance(10_000);
    expect(delivery.signal.aborted).toBe(false);
    expect(clock.timers).toBe(0);
    lose('somebody else');
    expect(delivery.signal.aborted).toBe(false);
    lose('r1');
    expect(delivery.signal.reason).toMatchObject({ code: 'NQ_LEASE_LOST' });
    expect(await rejection(delivery.ack())).toMatchObject({ code: 'NQ_LEASE_LOST' });
  });

  test('may say so after the settlement: nothing happens', async () => {
    const { delivery, lose } = await watching();
    const { signal } = delivery;
    await delivery.ack();
    lose('r1');
    expect(signal.aborted).toBe(false);
  });
});

describe('a settlement that the backend never answers', () => {
  test('stays open, and is not sent twice', async () => {
    const { delivery, clock, callsOf } = await handedOut({}, () => ({ ack: () => never() }));
    const ack = watch(delivery.ack());
    const again = watch(delivery.ack());
    await clock.advance(10_000);
    expect([ack.state, again.state]).toEqual(['pending', 'pending']);
    expect(callsOf('ack')).toHaveLength(1);
  });
});
