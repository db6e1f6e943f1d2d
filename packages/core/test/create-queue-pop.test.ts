import { describe, expect, test } from 'vitest';
import { type LeasedEvent } from '../src/index.ts';
import { countedSignal } from './support/counted-signal.ts';
import { drain, event, openQueueOn, take } from './support/open-queue.ts';
import { deferred, never, rejection, watch } from './support/promises.ts';

const idsOf = (deliveries: readonly { readonly event: { readonly id: string } }[] | undefined) =>
  deliveries?.map(({ event: { id } }) => id);

describe('pop()', () => {
  test('takes the oldest event, and nobody else gets it', async () => {
    const { queue } = openQueueOn();
    await queue.pushMany([event('a'), event('b')]);
    expect((await take(queue)).event.id).toBe('a');
    expect((await take(queue)).event.id).toBe('b');
    expect(await queue.pop({ timeoutMs: 0 })).toBeUndefined();
  });

  test('tells how long the event has been in the queue', async () => {
    const { queue, clock } = openQueueOn();
    await queue.push(event('a'));
    await clock.advance(70);
    expect((await take(queue)).waitedMs).toBe(70);
  });

  test('that waits is woken by a push, without time passing', async () => {
    const { queue, clock } = openQueueOn();
    const waiting = watch(queue.pop());
    await clock.advance(12_345);
    expect(waiting.state).toBe('pending');
    await queue.push(event('a'));
    await clock.settle();
    expect(waiting.value?.event.id).toBe('a');
  });

  test('is served first come, first served', async () => {
    const { queue, clock } = openQueueOn();
    const waiting = [1, 2, 3].map(() => watch(queue.pop()));
    await clock.settle();
    for (const id of ['a', 'b', 'c']) await queue.push(event(id));
    await clock.settle();
    expect(waiting.map(({ value }) => value?.event.id)).toEqual(['a', 'b', 'c']);
  });

  test('is woken for each of several pushes in one tick', async () => {
    const { queue, clock } = openQueueOn();
    const waiting = [1, 2, 3].map(() => watch(queue.pop()));
    await clock.settle();
    await Promise.all(['a', 'b', 'c'].map((id) => queue.push(event(id))));
    await clock.settle();
    expect(waiting.map(({ value }) => value?.event.id)).toEqual(['a', 'b', 'c']);
  });

  test('resolves undefined when its time is over, not before, and takes nothing afterwards', async () => {
    const { queue, clock } = openQueueOn();
    const waiting = watch(queue.pop({ timeoutMs: 60 }));
    await clock.advance(59);
    expect(waiting.state).toBe('pending');
    await clock.advance(1);
    expect(waiting).toMatchObject({ state: 'resolved', value: undefined });
    await queue.push(event('a'));
    await clock.settle();
    expect(await queue.size()).toMatchObject({ ready: 1, inFlight: 0 });
    expect((await take(queue)).attempt).toBe(1);
  });

  test('rejects with the reason when aborted, and takes nothing afterwards', async () => {
    const { queue, clock } = openQueueOn();
    const { signal, abort } = countedSignal();
    const waiting = watch(queue.pop({ signal }));
    await clock.settle();
    const reason = new Error('enough');
    abort(reason);
    await clock.settle();
    expect(waiting.reason).toBe(reason);
    await queue.push(event('a'));
    await clock.settle();
    expect((await take(queue)).attempt).toBe(1);
  });

  test('with a signal that is aborted already rejects with its reason and asks the driver for nothing', async () => {
    const { queue, calls } = openQueueOn();
    const reason = new Error('enough');
    expect(await rejection(queue.pop({ signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(calls).toEqual([]);
  });

  test('with timeoutMs 0 answers at once while others wait, and they go on waiting', async () => {
    const { queue, clock } = openQueueOn();
    const waiting = watch(queue.pop());
    await clock.settle();
    const once = watch(queue.pop({ timeoutMs: 0 }));
    await clock.settle();
    expect(once).toMatchObject({ state: 'resolved', value: undefined });
    expect(waiting.state).toBe('pending');
    await queue.push(event('a'));
    await clock.settle();
    expect(waiting.value?.event.id).toBe('a');
  });

  test('with timeoutMs 0 does not overtake those who wait', async () => {
    const { queue, clock, backend } = openQueueOn({}, (memory) => ({
      pop: async (max, waitMs, signal) => (waitMs > 0 ? never() : memory.pop(max, waitMs, signal)),
    }));
    await backend.push([backend.encode({ ...event('a'), time: 0 })]);
    const waiting = watch(queue.pop());
    const once = watch(queue.pop({ timeoutMs: 0 }));
    await clock.settle();
    expect(waiting.value?.event.id).toBe('a');
    expect(once).toMatchObject({ state: 'resolved', value: undefined });
  });

  test('with timeoutMs 0 waits a second for the answer to its one request; what comes later goes back', async () => {
    const answer = deferred();
    const { queue, clock } = openQueueOn({}, (backend) => ({
      pop: async (max, waitMs, signal) => {
        await answer.promise;
        return backend.pop(max, waitMs, signal);
      },
    }));
    await queue.push(event('a'));
    const once = watch(queue.pop({ timeoutMs: 0 }));
    const many = watch(queue.popMany(5, { timeoutMs: 0 }));
    await clock.advance(999);
    expect([once.state, many.state]).toEqual(['pending', 'pending']);
    await clock.advance(1);
    expect(once).toMatchObject({ state: 'resolved', value: undefined });
    expect(many.value).toEqual([]);
    answer.resolve();
    await clock.settle();
    expect(await queue.size()).toMatchObject({ ready: 1, inFlight: 0 });
    expect((await take(queue)).event.id).toBe('a');
  });

  test('with timeoutMs 0 takes what comes within that second', async () => {
    const answer = deferred();
    const { queue, clock } = openQueueOn({}, (backend) => ({
      pop: async (max, waitMs, signal) => {
        await answer.promise;
        return backend.pop(max, waitMs, signal);
      },
    }));
    await queue.push(event('a'));
    const once = watch(queue.pop({ timeoutMs: 0 }));
    await clock.advance(900);
    answer.resolve();
    await clock.settle();
    expect(once.value?.event.id).toBe('a');
  });

  test('with timeoutMs 0 has a request of its own, and is not content with one that was made before it came', async () => {
    const { queue, clock, backend, callsOf } = openQueueOn({}, (memory) => ({
      pop: (max, waitMs, signal) =>
        waitMs === 0
          ? memory.pop(max, waitMs, signal)
          : new Promise((resolve) => signal.addEventListener('abort', () => resolve([]))),
    }));
    const waiting = watch(queue.pop());
    await clock.settle();
    await backend.push(['a', 'b'].map((id) => backend.encode({ ...event(id), time: 0 })));
    const once = watch(queue.pop({ timeoutMs: 0 }));
    await clock.settle();
    expect([waiting.value?.event.id, once.value?.event.id]).toEqual(['a', 'b']);
    expect(callsOf('pop').map(([max, waitMs]) => [max, waitMs])).toEqual([
      [1, 5000],
      [2, 0],
    ]);
  });

  test('with timeoutMs 0 takes nothing from a single try before it, whose answer is still on its way', async () => {
    const answer = deferred();
    const { queue, clock } = openQueueOn({}, (memory) => ({
      pop: async (max, waitMs, signal) => {
        await answer.promise;
        return signal.aborted ? [] : memory.pop(max, waitMs, signal);
      },
    }));
    await queue.pushMany([event('a'), event('b')]);
    const first = watch(queue.pop({ timeoutMs: 0 }));
    await clock.settle();
    const second = watch(queue.pop({ timeoutMs: 0 }));
    await clock.settle();
    answer.resolve();
    await clock.settle();
    expect([first, second].map(({ value }) => value?.event.id)).toEqual(['a', 'b']);
  });

  test('leaves no listener and no timer behind, however it ends', async () => {
    const { queue, clock } = openQueueOn();
    const { signal, abort, listeners } = countedSignal();
    await queue.pop({ signal, timeoutMs: 0 });
    const late = watch(queue.pop({ signal, timeoutMs: 10 }));
    const aborted = watch(queue.pop({ signal, timeoutMs: 1000 }));
    await clock.settle();
    expect(listeners()).toBe(1);
    await clock.advance(10);
    expect(late.state).toBe('resolved');
    abort();
    await clock.settle();
    expect(aborted.state).toBe('rejected');
    expect(listeners()).toBe(0);
    expect(clock.timers).toBe(0);
  });

  test.for<[string, unknown, typeof TypeError | typeof RangeError]>([
    ['options must be an object', null, TypeError],
    ['timeoutMs must be >= 0', { timeoutMs: -1 }, RangeError],
    ['timeoutMs must be a number', { timeoutMs: '1' }, TypeError],
    ['signal must be an AbortSignal', { signal: 'x' }, TypeError],
  ])('refuses misuse before anything happens: %s', async ([message, options, type]) => {
    const { queue, calls } = openQueueOn();
    const error = await rejection(queue.pop(options as never));
    expect(error).toBeInstanceOf(type);
    expect((error as Error).message).toContain(`Cannot pop: ${message}`);
    expect(calls).toEqual([]);
  });
});

describe('popMany()', () => {
  test('takes up to max events in order, and waits for the first one only', async () => {
    const { queue, clock } = openQueueOn();
    const waiting = watch(queue.popMany(3));
    await clock.settle();
    await queue.push(event('a'));
    await clock.settle();
    expect(idsOf(waiting.value)).toEqual(['a']);
    await queue.pushMany(['b', 'c', 'd', 'e'].map(event));
    expect(idsOf(await queue.popMany(3))).toEqual(['b', 'c', 'd']);
    expect(idsOf(await queue.popMany(Infinity))).toEqual(['e']);
  });

  test('resolves an empty array when its time is over', async () => {
    const { queue } = openQueueOn();
    expect(await queue.popMany(3, { timeoutMs: 0 })).toEqual([]);
  });

  test('serves several callers in order from one request', async () => {
    const { queue, clock, callsOf } = openQueueOn();
    await queue.pushMany(['a', 'b', 'c', 'd'].map(event));
    const waiting = [2, 1, 5].map((max) => watch(queue.popMany(max)));
    await clock.settle();
    expect(waiting.map(({ value }) => idsOf(value))).toEqual([['a', 'b'], ['c'], ['d']]);
    expect(callsOf('pop')).toHaveLength(1);
  });

  test('asks for at most 256 at a time', async () => {
    const { queue, callsOf } = openQueueOn();
    await queue.pushMany(Array.from({ length: 300 }, (_, index) => event(`e${index}`)));
    expect(await queue.popMany(Infinity)).toHaveLength(256);
    expect(callsOf('pop').map(([max]) => max)).toEqual([256]);
  });

  test.for([0, -1, 1.5, NaN, '3', undefined])('refuses %o as max', async (max) => {
    const { queue, calls } = openQueueOn();
    const error = await rejection(queue.popMany(max as never));
    expect(error).toBeInstanceOf(typeof max === 'number' ? RangeError : TypeError);
    expect((error as Error).message).toContain('Cannot pop: max must be a');
    expect(calls).toEqual([]);
  });
});

describe('a pop whose request is under way', () => {
  /** A driver whose waiting pops lease what is there when they are told to, whatever their signal says. */
  const late = () => {
    const answers: (() => Promise<void>)[] = [];
    const opened = openQueueOn({}, (backend) => ({
      pop: async (max, waitMs, signal) => {
        if (waitMs === 0) return backend.pop(max, 0, signal);
        const answer = deferred<readonly LeasedEvent[]>();
        answers.push(async () => answer.resolve(await backend.pop(max, 0, signal)));
        return answer.promise;
      },
    }));
    return { ...opened, answer: async () => answers.shift()?.() };
  };

  test.for(['abort', 'timeout'] as const)('gives back what it brings after the %s', async (how) => {
    const { queue, clock, answer, callsOf } = late();
    const { signal, abort } = countedSignal();
    const waiting = watch(queue.pop(how === 'abort' ? { signal } : { timeoutMs: 10 }));
    await clock.advance(10);
    abort(new Error('enough'));
    await clock.settle();
    expect(waiting.state).toBe(how === 'abort' ? 'rejected' : 'resolved');
    expect(waiting.value).toBeUndefined();
    await queue.push(event('a'));
    await answer();
    await clock.settle();
    expect(callsOf('nack')).toHaveLength(1);
    expect(await queue.size()).toMatchObject({ ready: 1, inFlight: 0 });
    expect((await take(queue)).event.id).toBe('a');
  });

  test('has handed out nothing of what it brings for somebody who has left', async () => {
    const { queue, clock, answer, callsOf } = late();
    const left = watch(queue.pop({ timeoutMs: 10 }));
    const waiting = watch(queue.pop());
    await clock.advance(10);
    await queue.pushMany([event('a'), event('b')]);
    await answer();
    await clock.settle();
    expect([left.value, waiting.value?.event.id]).toEqual([undefined, 'a']);
    expect(callsOf('nack')).toEqual([[[expect.objectContaining({ delayMs: 0, unused: true })]]]);
    const b = await take(queue);
    expect([b.event.id, b.attempt]).toEqual(['b', 1]);
    // What somebody was given counts, also if it is the queue that gives it back.
    await b.nack();
    expect((await take(queue)).attempt).toBe(2);
    await queue.close();
    for (const [returns] of callsOf('nack').slice(1))
      expect(returns).not.toContainEqual(expect.objectContaining({ unused: true }));
  });

  test('is told to end when nobody waits any more', async () => {
    const { queue, clock, callsOf } = late();
    const { signal, abort } = countedSignal();
    const waiting = [watch(queue.pop({ signal })), watch(queue.pop({ timeoutMs: 10 }))];
    await clock.settle();
    const [, , asked] = callsOf('pop')[0] as [number, number, AbortSignal];
    abort();
    await clock.settle();
    expect(asked.aborted).toBe(false);
    await clock.advance(10);
    expect(asked.aborted).toBe(true);
    expect(waiting.map(({ state }) => state)).toEqual(['rejected', 'resolved']);
  });

  test('serves who waits now, if those for whom it was made have gone', async () => {
    const { queue, clock, answer } = late();
    const { signal, abort } = countedSignal();
    const gone = watch(queue.pop({ signal }));
    await clock.settle();
    abort();
    const waiting = watch(queue.pop());
    await queue.push(event('a'));
    await answer();
    await clock.settle();
    expect(gone.state).toBe('rejected');
    expect(waiting.value?.event.id).toBe('a');
  });

  test('is alone: other calls join it instead of asking again', async () => {
    const { queue, clock, callsOf, answer } = late();
    const waiting = [1, 2, 3].map(() => watch(queue.pop()));
    await clock.settle();
    waiting.push(watch(queue.pop()));
    await clock.advance(20_000);
    expect(callsOf('pop')).toHaveLength(1);
    await queue.pushMany(['a', 'b', 'c', 'd'].map(event));
    await answer();
    await clock.settle();
    expect(waiting.map(({ value }) => value?.event.id)).toEqual(['a', 'b', 'c', undefined]);
    expect(callsOf('pop').map(([max]) => max)).toEqual([3, 1]);
  });
});

describe('a driver', () => {
  test('is asked again every 5 s, so that a lost request is noticed', async () => {
    const { queue, clock, callsOf } = openQueueOn();
    const waiting = watch(queue.pop());
    await clock.advance(12_000);
    expect(callsOf('pop')).toHaveLength(3);
    expect(callsOf('pop').map(([, waitMs]) => waitMs)).toEqual([5000, 5000, 5000]);
    expect(waiting.state).toBe('pending');
  });

  test('that cannot wait does not keep the event loop busy, and is asked at least every 50 ms', async () => {
    const { queue, clock, callsOf, backend } = openQueueOn({}, (memory) => ({
      pop: (max, _waitMs, signal) => memory.pop(max, 0, signal),
    }));
    const waiting = watch(queue.pop());
    await clock.advance(10_000);
    expect(callsOf('pop').length).toBeGreaterThanOrEqual(10_000 / 50);
    expect(callsOf('pop').length).toBeLessThan(10_000 / 50 + 20);
    await backend.push([backend.encode({ ...event('a'), time: 0 })]);
    await clock.advance(50);
    expect(waiting.value?.event.id).toBe('a');
  });

  test('that cannot wait is asked at once after a push of the same queue, and for a single try', async () => {
    const { queue, clock, backend } = openQueueOn({}, (memory) => ({
      pop: (max, _waitMs, signal) => memory.pop(max, 0, signal),
    }));
    const waiting = [watch(queue.pop())];
    await clock.advance(10_000);
    await queue.push(event('a'));
    await clock.settle();
    expect(waiting[0]?.value?.event.id).toBe('a');
    waiting.push(watch(queue.pop()));
    await clock.advance(10_000);
    await backend.push([backend.encode({ ...event('b'), time: 0 })]);
    const once = watch(queue.pop({ timeoutMs: 0 }));
    await clock.settle();
    expect(once.state).toBe('resolved');
    expect(waiting[1]?.value?.event.id).toBe('b');
  });

  test('that cannot wait leaves no timer behind when the queue closes', async () => {
    const { queue, clock } = openQueueOn({}, (memory) => ({
      pop: (max, _waitMs, signal) => memory.pop(max, 0, signal),
    }));
    const waiting = watch(queue.pop());
    await clock.advance(100);
    expect(clock.timers).toBe(1);
    await queue.close();
    expect(waiting.reason).toMatchObject({ code: 'NQ_CLOSED' });
    expect(clock.timers).toBe(0);
  });

  test('that cannot wait leaves no timer behind when nobody waits any more', async () => {
    const { queue, clock } = openQueueOn({}, (memory) => ({
      pop: (max, _waitMs, signal) => memory.pop(max, 0, signal),
    }));
    const waiting = watch(queue.pop({ timeoutMs: 100 }));
    await clock.advance(100);
    expect(waiting.state).toBe('resolved');
    expect(clock.timers).toBe(0);
  });

  test('that fails is named by classify(), for everyone who waits; the next call asks again', async () => {
    const raw = new Error('redis://:hunter2@host refused');
    let asked = 0;
    const { queue, clock } = openQueueOn({}, (memory) => ({
      pop: (max, waitMs, signal) => (asked++ === 0 ? Promise.reject(raw) : memory.pop(max, waitMs, signal)),
      classify: () => 'NQ_UNAVAILABLE',
    }));
    const waiting = [1, 2].map(() => watch(queue.pop()));
    await clock.settle();
    for (const one of waiting) {
      expect(one.reason).toMatchObject({ code: 'NQ_UNAVAILABLE', cause: raw });
      expect((one.reason as Error).message).not.toContain('hunter2');
    }
    await queue.push(event('a'));
    expect(await drain(queue)).toEqual(['a']);
  });

  test('may throw at once instead of rejecting', async () => {
    const raw = new Error('not connected');
    const { queue } = openQueueOn({}, () => ({
      pop: () => {
        throw raw;
      },
    }));
    expect(await rejection(queue.pop())).toMatchObject({ code: 'NQ_BACKEND', cause: raw });
    expect(await rejection(queue.pop())).toMatchObject({ code: 'NQ_BACKEND', cause: raw });
  });

  test.for([undefined, {}, 'ab'])('that answers %o fails the call instead of leaving it waiting', async (answer) => {
    const { queue } = openQueueOn({}, () => ({ pop: async () => answer as never }));
    const error = (await rejection(queue.pop())) as Error;
    expect(error).toMatchObject({ code: 'NQ_BACKEND' });
    expect(error.message).toContain('Cannot pop: driver.pop must answer an array of leases, got ');
  });

  test.for([null, {}, 1, { receipt: 1 }, { receipt: 1, event: null, attempt: 1 }, { event: event('a'), attempt: 1 }])(
    'that leases %o fails the calls, and leaves nothing open',
    async (nonsense) => {
      const { queue, clock, callsOf } = openQueueOn({}, (memory) => ({
        pop: async (max, _waitMs, signal) => [...(await memory.pop(max, 0, signal)), nonsense as never],
      }));
      await queue.push(event('a'));
      const calls = [queue.pop(), queue.popMany(3)].map((call) => watch<unknown>(call));
      await clock.settle();
      for (const { reason } of calls) {
        expect(reason).toMatchObject({ code: 'NQ_BACKEND' });
        expect((reason as Error).message).toContain(
          'Cannot pop: driver.pop must answer leases { receipt, event, attempt }, got ',
        );
      }
      expect(callsOf('nack')).toHaveLength(1);
      expect(await queue.size()).toMatchObject({ ready: 1, inFlight: 0 });
      expect(await queue.close({ drainMs: 10 })).toEqual({ returned: 0, abandoned: 0, deadLetters: 0 });
    },
  );

  test('that leases more than it was asked for gets the rest back', async () => {
    const { queue, clock } = openQueueOn({}, (memory) => ({
      pop: (_max, waitMs, signal) => memory.pop(3, waitMs, signal),
    }));
    await queue.pushMany(['a', 'b', 'c'].map(event));
    expect((await take(queue)).event.id).toBe('a');
    await clock.settle();
    expect(await queue.size()).toMatchObject({ ready: 2, inFlight: 1 });
  });
});

describe('for await', () => {
  test('runs over the deliveries one after the other, and ends when the queue closes', async () => {
    const { queue, clock } = openQueueOn();
    await queue.pushMany([event('a'), event('b')]);
    const got: string[] = [];
    const loop = watch(
      (async () => {
        for await (const delivery of queue) {
          got.push(delivery.event.id);
          await delivery.ack();
        }
        return 'ended';
      })(),
    );
    await clock.settle();
    expect(got).toEqual(['a', 'b']);
    expect(loop.state).toBe('pending');
    await queue.close();
    await clock.settle();
    expect(loop.value).toBe('ended');
  });

  test('passes on what is not the close', async () => {
    const { queue } = openQueueOn({}, () => ({ pop: () => Promise.reject(new Error('gone')) }));
    const loop = (async () => {
      for await (const delivery of queue) void delivery;
    })();
    expect(await rejection(loop)).toMatchObject({ code: 'NQ_BACKEND' });
  });
});
