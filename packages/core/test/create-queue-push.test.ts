import { describe, expect, test } from 'vitest';
import { isNqError, NqError } from '../src/index.ts';
import { countedSignal } from './support/counted-signal.ts';
import { drain, event, openQueueOn, take } from './support/open-queue.ts';
import { deferred, never, rejection, watch } from './support/promises.ts';

const ids = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => `e${from + index}`);
const idOf = (encoded: unknown) => (JSON.parse(encoded as string) as { id: string }).id;

describe('push()', () => {
  test('stores an event with everything it carries', async () => {
    const { queue } = openQueueOn();
    const pushed = { id: 'a', type: 't', key: 'k', data: { n: [1, null] }, headers: { trace: 'x' }, time: 1000 };
    await queue.push(pushed);
    const delivery = await take(queue);
    expect(delivery.event).toEqual(pushed);
    expect(delivery.attempt).toBe(1);
  });

  test('takes the event as it is at the call: later changes of it do not count', async () => {
    const { queue } = openQueueOn();
    const data = { total: 1 };
    const pushed = queue.push({ type: 't', data });
    data.total = 2;
    await pushed;
    expect((await take(queue)).event.data).toEqual({ total: 1 });
  });

  test('fills in id and time', async () => {
    const { queue, clock } = openQueueOn();
    await clock.advance(5);
    await queue.push({ type: 't' });
    const { event: stored } = await take(queue);
    expect(stored.id).not.toBe('');
    expect(stored.time).toBe(5);
  });

  test('rejects NQ_PAYLOAD and stores nothing when the event cannot be written', async () => {
    const { queue, callsOf } = openQueueOn();
    expect(await rejection(queue.push({ type: 't', data: { big: 1n } }))).toMatchObject({ code: 'NQ_PAYLOAD' });
    expect(callsOf('push')).toEqual([]);
  });

  test.for<[string, unknown, unknown, typeof TypeError | typeof RangeError]>([
    ['event must be an object, as in push({ type, data })', null, {}, TypeError],
    ['event must be an object, as in push({ type, data })', 'order.created', { total: 42 }, TypeError],
    ['event has no data, and "payload" is no member', { type: 't', payload: 1 }, {}, TypeError],
    ['event.type', { type: '' }, {}, TypeError],
    ['event.id', { type: 't', id: 5 }, {}, TypeError],
    ['event.key', { type: 't', key: 5 }, {}, TypeError],
    ['event.time', { type: 't', time: NaN }, {}, TypeError],
    ['event.headers', { type: 't', headers: ['a'] }, {}, TypeError],
    ['event.headers["n"]', { type: 't', headers: { n: 5 } }, {}, TypeError],
    ['options', { type: 't' }, null, TypeError],
    ['timeoutMs must be >= 0', { type: 't' }, { timeoutMs: -1 }, RangeError],
    ['timeoutMs must be >= 0', { type: 't' }, { timeoutMs: NaN }, RangeError],
    ['timeoutMs must be a number', { type: 't' }, { timeoutMs: '5' }, TypeError],
    ['signal must be an AbortSignal', { type: 't' }, { signal: {} }, TypeError],
  ])('refuses misuse before anything happens: %s', async ([message, input, options, type]) => {
    const { queue, calls } = openQueueOn();
    const error = await rejection(queue.push(input as never, options as never));
    expect(error).toBeInstanceOf(type);
    expect((error as Error).message).toContain(`Cannot push: ${message}`);
    expect(calls).toEqual([]);
  });
});

describe('push() on a full queue', () => {
  test('stores nothing and rejects with NQ_FULL when told not to wait', async () => {
    const { queue, clock } = openQueueOn({ capacity: 1 });
    await queue.push(event('a'));
    const error = await rejection(queue.push(event('b'), { timeoutMs: 0 }));
    expect(error).toMatchObject({ code: 'NQ_FULL', retryable: true });
    expect(error).not.toHaveProperty('stored');
    expect(await drain(queue)).toEqual(['a']);
    await clock.advance(1000);
    expect(await drain(queue)).toEqual([]);
  });

  test('stores nothing and rejects with NQ_TIMEOUT when its time is over, not before', async () => {
    const { queue, clock } = openQueueOn({ capacity: 1 });
    await queue.push(event('a'));
    const late = watch(queue.push(event('b'), { timeoutMs: 60 }));
    await clock.advance(59);
    expect(late.state).toBe('pending');
    await clock.advance(1);
    expect(late.reason).toMatchObject({ code: 'NQ_TIMEOUT' });
    expect(late.reason).not.toHaveProperty('stored');
    expect(await drain(queue)).toEqual(['a']);
    await clock.advance(1000);
    expect(await drain(queue)).toEqual([]);
  });

  test('waits and is admitted in order once there is room, and newcomers do not overtake', async () => {
    const { queue, clock } = openQueueOn({ capacity: 1 });
    await queue.push(event('a'));
    const waiting = ['b', 'c', 'd'].map((id) => watch(queue.push(event(id))));
    await clock.advance(500);
    expect(waiting.map(({ state }) => state)).toEqual(['pending', 'pending', 'pending']);

    const got: string[] = [];
    for (let turn = 0; turn < 5; turn++) {
      if (turn === 1) waiting.push(watch(queue.push(event('e'))));
      got.push(...(await drain(queue)));
      await clock.settle();
    }
    expect(got).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(waiting.every(({ state }) => state === 'resolved')).toBe(true);
  });

  test('is admitted at once after a pop of the same queue, without waiting for the next try', async () => {
    const { queue, clock } = openQueueOn({ capacity: 1 });
    await queue.push(event('a'));
    const waiting = watch(queue.push(event('b')));
    await clock.advance(5000);
    await take(queue);
    await clock.settle();
    expect(waiting.state).toBe('resolved');
  });

  test('is admitted within 100 ms after room appears that nobody here made', async () => {
    const { queue, clock, backend } = openQueueOn({ capacity: 1 });
    await queue.push(event('a'));
    const waiting = watch(queue.push(event('b')));
    await clock.advance(5000);
    await backend.pop(1, 0, new AbortController().signal);
    await clock.advance(100);
    expect(waiting.state).toBe('resolved');
  });

  test('asks a full backend ever less often', async () => {
    const { queue, clock, callsOf } = openQueueOn({ capacity: 1 });
    await queue.push(event('a'));
    const waiting = watch(queue.push(event('b')));
    await clock.advance(10_000);
    expect(waiting.state).toBe('pending');
    expect(callsOf('push').length).toBeGreaterThan(10_000 / 100);
    expect(callsOf('push').length).toBeLessThan(10_000 / 50 + 20);
  });

  test('with timeoutMs 0 does not wait behind those who do, however many they are', async () => {
    const answer = deferred();
    const { queue, clock } = openQueueOn({ capacity: 1 }, (backend) => ({
      push: async (events) => {
        if (events.length > 1) await answer.promise;
        return backend.push(events);
      },
    }));
    await queue.push(event('a'));
    const waiting = watch(queue.pushMany(ids(1, 700).map(event)));
    await clock.settle();
    const once = watch(queue.push(event('z'), { timeoutMs: 0 }));
    answer.resolve();
    await clock.settle();
    expect(once.reason).toMatchObject({ code: 'NQ_FULL' });
    expect(waiting.state).toBe('pending');
    expect(await drain(queue)).not.toContain('z');
  });

  test('with timeoutMs 0 leaves those who wait in the line', async () => {
    const { queue, clock } = openQueueOn({ capacity: 1 });
    await queue.push(event('a'));
    const waiting = watch(queue.push(event('b')));
    await clock.advance(10);
    expect(await rejection(queue.push(event('c'), { timeoutMs: 0 }))).toMatchObject({ code: 'NQ_FULL' });
    expect(await drain(queue)).toEqual(['a', 'b']);
    expect(waiting.state).toBe('resolved');
  });
});

describe('push() with timeoutMs 0', () => {
  test.for([1, 0])('waits up to a second for the answer to its one request (stored: %d)', async (stored) => {
    const answer = deferred<number>();
    const { queue, clock } = openQueueOn({}, () => ({ push: () => answer.promise }));
    const pushed = watch(queue.push(event('a'), { timeoutMs: 0 }));
    await clock.advance(999);
    expect(pushed.state).toBe('pending');
    answer.resolve(stored);
    await clock.settle();
    expect(isNqError(pushed.reason) ? pushed.reason.code : pushed.state).toBe(stored === 1 ? 'resolved' : 'NQ_FULL');
  });

  test('on a driver that never answers rejects NQ_OUTCOME_UNKNOWN after a second; what was not sent NQ_UNAVAILABLE', async () => {
    const { queue, clock } = openQueueOn({}, () => ({ push: () => never() }));
    const sent = watch(queue.push(event('a'), { timeoutMs: 0 }));
    const many = watch(queue.pushMany([event('b')], { timeoutMs: 0 }));
    await clock.settle();
    const behind = watch(queue.push(event('c'), { timeoutMs: 0 }));
    await clock.advance(999);
    expect([sent, many, behind].map(({ state }) => state)).toEqual(['pending', 'pending', 'pending']);
    await clock.advance(1);
    expect(sent.reason).toMatchObject({ code: 'NQ_OUTCOME_UNKNOWN' });
    expect(many.reason).toMatchObject({ code: 'NQ_OUTCOME_UNKNOWN', stored: 0 });
    expect(behind.reason).toMatchObject({ code: 'NQ_UNAVAILABLE' });
  });

  test('has a second for each of its requests', async () => {
    const { queue, clock } = openQueueOn({ capacity: 5000 }, (memory) => ({
      push: (events) => new Promise((resolve) => void clock.schedule(() => resolve(memory.push(events)), 900)),
    }));
    const pushed = watch(
      queue.pushMany(
        Array.from({ length: 1500 }, () => ({ type: 't' })),
        { timeoutMs: 0 },
      ),
    );
    await clock.advance(2699);
    expect(pushed.state).toBe('pending');
    await clock.advance(1);
    expect(pushed.state).toBe('resolved');
  });
});

describe('push() with a signal', () => {
  const reason = new Error('enough');

  test('that is aborted already rejects with its reason and asks the driver for nothing', async () => {
    const { queue, callsOf } = openQueueOn();
    expect(await rejection(queue.push(event('a'), { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(await rejection(queue.pushMany([event('a')], { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(callsOf('push')).toEqual([]);
  });

  test('that aborts while it waits for room rejects with the reason and stores nothing', async () => {
    const { queue, clock } = openQueueOn({ capacity: 1 });
    await queue.push(event('a'));
    const { signal, abort } = countedSignal();
    const waiting = watch(queue.push(event('b'), { signal }));
    await clock.settle();
    abort(reason);
    await clock.settle();
    expect(waiting.reason).toBe(reason);
    expect(await drain(queue)).toEqual(['a']);
    await clock.advance(1000);
    expect(await drain(queue)).toEqual([]);
  });

  test('that aborts while its request is under way resolves if the event was stored', async () => {
    const answer = deferred();
    const { queue, clock } = openQueueOn({}, (backend) => ({
      push: async (events) => {
        const stored = await backend.push(events);
        await answer.promise;
        return stored;
      },
    }));
    const { signal, abort } = countedSignal();
    const pushed = watch(queue.push(event('a'), { signal }));
    await clock.settle();
    abort(reason);
    await clock.settle();
    expect(pushed.state).toBe('pending');
    answer.resolve();
    await clock.settle();
    expect(pushed.state).toBe('resolved');
    expect(clock.timers).toBe(0);
    expect(await drain(queue)).toEqual(['a']);
  });

  test('that aborts while its request is under way rejects with the reason if the event was not stored', async () => {
    const answer = deferred<number>();
    const { queue, clock, callsOf } = openQueueOn({}, () => ({ push: () => answer.promise }));
    const { signal, abort } = countedSignal();
    const pushed = watch(queue.push(event('a'), { signal }));
    await clock.settle();
    abort(reason);
    answer.resolve(0);
    await clock.advance(5000);
    expect(pushed.reason).toBe(reason);
    expect(callsOf('push')).toHaveLength(1);
    expect(clock.timers).toBe(0);
  });

  test('keeps the reason as it is, also for pushMany() and a reason that is an NqError', async () => {
    const { queue, clock } = openQueueOn({ capacity: 1 });
    const own = new NqError('NQ_STOPPED', 'mine');
    const { signal, abort } = countedSignal();
    const waiting = watch(queue.pushMany([event('a'), event('b')], { signal }));
    await clock.settle();
    abort(own);
    await clock.settle();
    expect(waiting.reason).toBe(own);
  });

  test.for(['abort', 'timeout'] as const)(
    'rejects NQ_OUTCOME_UNKNOWN if the driver does not answer within 1000 ms of the %s',
    async (how) => {
      const { queue, clock } = openQueueOn({}, () => ({ push: () => never() }));
      const { signal, abort } = countedSignal();
      const pushed = watch(queue.push(event('a'), how === 'abort' ? { signal } : { timeoutMs: 10 }));
      await clock.advance(10);
      abort(reason);
      await clock.advance(999);
      expect(pushed.state).toBe('pending');
      await clock.advance(1);
      expect(pushed.reason).toMatchObject({ code: 'NQ_OUTCOME_UNKNOWN' });
      const { cause } = pushed.reason as Error;
      expect(isNqError(cause, 'NQ_UNAVAILABLE') ? 'timeout' : cause).toBe(how === 'timeout' ? 'timeout' : reason);
      expect(clock.timers).toBe(0);
    },
  );

  test('is told that there is no answer, not that there is no room, where it waits behind a request that has none', async () => {
    const { queue, clock } = openQueueOn({}, () => ({ push: () => never() }));
    const sent = watch(queue.push(event('a'), { timeoutMs: 500 }));
    await clock.settle();
    const behind = watch(queue.push(event('b'), { timeoutMs: 100 }));
    await clock.advance(100);
    expect(behind.reason).toMatchObject({
      code: 'NQ_UNAVAILABLE',
      message: 'Cannot push: the backend has not answered in time',
    });
    expect(sent.state).toBe('pending');
  });

  test('is told that there is no room, where it waits behind a request that has no answer, if that was the last answer', async () => {
    const answered = { most: 2 };
    const { queue, clock, callsOf } = openQueueOn({ capacity: 1 }, (driver) => ({
      push: (events) => (answered.most-- > 0 ? driver.push(events) : never()),
    }));
    await queue.push(event('a'));
    watch(queue.push(event('b')));
    await clock.advance(10);
    expect(callsOf('push')).toHaveLength(3);
    const behind = watch(queue.push(event('c'), { timeoutMs: 100 }));
    await clock.advance(100);
    expect(behind.reason).toMatchObject({ code: 'NQ_TIMEOUT', message: expect.stringContaining('no room in time') });
  });

  test('is told that its turn did not come, where others before it are stored all the time', async () => {
    const { queue, clock } = openQueueOn({ capacity: 5000 }, (driver, { schedule }) => ({
      push: async (events) => {
        await new Promise<void>((resolve) => void schedule(resolve, 40));
        return driver.push(events);
      },
    }));
    const before = watch(queue.pushMany(ids(1, 2000).map(event)));
    await clock.settle();
    const behind = watch(queue.push(event('a'), { timeoutMs: 50 }));
    await clock.advance(50);
    expect(behind.reason).toMatchObject({ code: 'NQ_TIMEOUT', message: expect.stringContaining('no turn in time') });
    await clock.advance(1000);
    expect(before.state).toBe('resolved');
  });

  test('is told that there is no answer, although it was full before, where room was made since', async () => {
    const answered = { most: 2 };
    const { queue, clock } = openQueueOn({ capacity: 1 }, (driver) => ({
      push: (events) => (answered.most-- > 0 ? driver.push(events) : never()),
    }));
    await queue.push(event('a'));
    watch(queue.push(event('b')));
    await clock.settle();
    await take(queue);
    await clock.settle();
    const behind = watch(queue.push(event('c'), { timeoutMs: 100 }));
    await clock.advance(100);
    expect(behind.reason).toMatchObject({ code: 'NQ_UNAVAILABLE' });
  });

  test('leaves no listener and no timer behind, however it ends', async () => {
    const { queue, clock } = openQueueOn({ capacity: 1 });
    const { signal, abort, listeners } = countedSignal();
    await queue.push(event('a'), { signal, timeoutMs: 1000 });
    const full = watch(queue.push(event('b'), { signal, timeoutMs: 0 }));
    const late = watch(queue.push(event('c'), { signal, timeoutMs: 10 }));
    const aborted = watch(queue.push(event('d'), { signal, timeoutMs: 1000 }));
    await clock.settle();
    expect(listeners()).toBe(1);
    await clock.advance(10);
    expect(full.reason).toMatchObject({ code: 'NQ_FULL' });
    expect(late.reason).toMatchObject({ code: 'NQ_TIMEOUT' });
    abort(reason);
    await clock.settle();
    expect(aborted.reason).toBe(reason);
    expect(listeners()).toBe(0);
    await clock.advance(100);
    expect(clock.timers).toBe(0);
  });
});

describe('pushes at the same time', () => {
  test('cost few requests, and keep the order of the calls', async () => {
    const { queue, callsOf } = openQueueOn();
    const all = ids(1, 900);
    await Promise.all(all.map((id) => queue.push(event(id))));
    expect(callsOf('push').length).toBeLessThanOrEqual(3);
    expect(callsOf('push').flatMap(([events]) => (events as unknown[]).map(idOf))).toEqual(all);
  });

  test('have one request under way at a time; what comes meanwhile goes with the next', async () => {
    let underWay = 0;
    let most = 0;
    const answers = [deferred(), deferred()];
    let asked = 0;
    const { queue, clock, callsOf } = openQueueOn({}, (backend) => ({
      push: async (events) => {
        most = Math.max(most, ++underWay);
        await answers[asked++]?.promise;
        underWay--;
        return backend.push(events);
      },
    }));
    const first = watch(queue.push(event('a')));
    await clock.settle();
    const others = ['b', 'c', 'd'].map((id) => watch(queue.push(event(id))));
    await clock.settle();
    expect(callsOf('push')).toHaveLength(1);
    answers[0]?.resolve();
    await clock.settle();
    answers[1]?.resolve();
    await clock.settle();
    expect([first, ...others].map(({ state }) => state)).toEqual(['resolved', 'resolved', 'resolved', 'resolved']);
    expect(callsOf('push').map(([events]) => (events as unknown[]).map(idOf))).toEqual([['a'], ['b', 'c', 'd']]);
    expect(most).toBe(1);
  });

  test('share the failure of their request, and those that come after it are not touched', async () => {
    const answer = deferred();
    let asked = 0;
    const { queue, clock } = openQueueOn({}, (backend) => ({
      push: async (events) => {
        if (asked++ > 0) return backend.push(events);
        await answer.promise;
        throw new Error('gone');
      },
      classify: () => 'NQ_UNAVAILABLE',
    }));
    const failed = ['a', 'b'].map((id) => watch(queue.push(event(id))));
    await clock.settle();
    const after = watch(queue.push(event('c')));
    answer.resolve();
    await clock.settle();
    for (const one of failed) expect(one.reason).toMatchObject({ code: 'NQ_UNAVAILABLE', retryable: true });
    expect(after.state).toBe('resolved');
    expect(await drain(queue)).toEqual(['c']);
  });
});

describe('pushMany()', () => {
  test('stores in order, in requests that do not become larger than a million characters', async () => {
    const { queue, callsOf } = openQueueOn({ capacity: 100 });
    const text = 'x'.repeat(400_000);
    const pushed = queue.pushMany(Array.from({ length: 4 }, () => ({ type: 't', data: text })));
    await Promise.all([pushed, queue.push({ type: 't', data: text.repeat(2) }), queue.push({ type: 't' })]);
    expect(callsOf('push').map(([events]) => (events as unknown[]).length)).toEqual([2, 2, 2]);
  });

  test('stores in order, in requests of at most 500', async () => {
    const { queue, callsOf } = openQueueOn({ capacity: 2000 });
    await queue.pushMany(ids(1, 1200).map(event));
    expect(callsOf('push').map(([events]) => (events as unknown[]).length)).toEqual([500, 500, 200]);
    expect(await drain(queue)).toEqual(ids(1, 1200));
  });

  test('with timeoutMs 0 stores more than one request takes, if there is room', async () => {
    const { queue } = openQueueOn({ capacity: 2000 });
    await queue.pushMany(ids(1, 1200).map(event), { timeoutMs: 0 });
    expect((await queue.size()).ready).toBe(1200);
  });

  test('with timeoutMs 0 stores what there is room for, and says how many those are', async () => {
    const { queue } = openQueueOn({ capacity: 700 });
    const error = await rejection(queue.pushMany(ids(1, 1200).map(event), { timeoutMs: 0 }));
    expect(error).toMatchObject({ code: 'NQ_FULL', stored: 700 });
    expect(await drain(queue)).toEqual(ids(1, 700));
  });

  test('says how many are stored when its time is over', async () => {
    const { queue, clock } = openQueueOn({ capacity: 2 });
    const late = watch(queue.pushMany(ids(1, 5).map(event), { timeoutMs: 100 }));
    await clock.advance(50);
    await take(queue);
    await clock.advance(50);
    expect(late.reason).toMatchObject({ code: 'NQ_TIMEOUT', stored: 3 });
    expect((late.reason as Error).message).toContain('2 of 5');
    expect(await drain(queue)).toEqual(['e2', 'e3']);
  });

  test('of one event says how many are stored, too', async () => {
    const { queue } = openQueueOn({ capacity: 1 });
    await queue.push(event('a'));
    expect(await rejection(queue.pushMany([event('b')], { timeoutMs: 0 }))).toMatchObject({ stored: 0 });
  });

  test('says how many are stored when the backend fails halfway, and keeps the raw error as cause', async () => {
    const raw = new Error('gone');
    let asked = 0;
    const { queue } = openQueueOn({}, (backend) => ({
      push: (events) => (asked++ === 0 ? backend.push(events) : Promise.reject(raw)),
      classify: () => 'NQ_OUTCOME_UNKNOWN',
    }));
    const error = await rejection(queue.pushMany(ids(1, 600).map(event)));
    expect(error).toMatchObject({ code: 'NQ_OUTCOME_UNKNOWN', stored: 500, cause: raw });
  });

  test('keeps its place when it waits with a part: nobody gets in between', async () => {
    const { queue, clock } = openQueueOn({ capacity: 2 });
    const many = watch(queue.pushMany(ids(1, 4).map(event)));
    const one = watch(queue.push(event('z')));
    const got: string[] = [];
    for (let turn = 0; turn < 4; turn++) {
      await clock.advance(100);
      got.push(...(await drain(queue)));
    }
    expect(got).toEqual(['e1', 'e2', 'e3', 'e4', 'z']);
    expect([many.state, one.state]).toEqual(['resolved', 'resolved']);
  });

  test('of nothing resolves without asking the driver', async () => {
    const { queue, calls } = openQueueOn();
    await queue.pushMany([]);
    expect(calls).toEqual([]);
  });

  test('stores nothing at all if one of the events is wrong', async () => {
    const { queue, callsOf } = openQueueOn();
    expect(await rejection(queue.pushMany([event('a'), { type: '' }]))).toBeInstanceOf(TypeError);
    expect(await rejection(queue.pushMany([event('a'), { type: 't', data: () => {} }]))).toMatchObject({
      code: 'NQ_PAYLOAD',
    });
    expect(callsOf('push')).toEqual([]);
  });

  test.for([5, undefined, {}, 'ab'])('refuses %o instead of an array', async (events) => {
    const { queue } = openQueueOn();
    const error = await rejection(queue.pushMany(events as never));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain('Cannot push: events must be an array');
  });
});

describe('a driver that fails while pushing', () => {
  const raw = new Error('redis://:hunter2@host refused {"card":"4111"}');

  test.for(['NQ_OUTCOME_UNKNOWN', 'NQ_UNAVAILABLE', 'NQ_BACKEND'] as const)(
    'is named by classify(): %s, with the raw error in the cause alone',
    async (code) => {
      const { queue, callsOf } = openQueueOn({}, () => ({ push: () => Promise.reject(raw), classify: () => code }));
      const error = await rejection(queue.push({ type: 't', data: 'secret payload' }));
      expect(error).toMatchObject({ code, cause: raw });
      expect((error as Error).message).not.toMatch(/hunter2|4111|secret/);
      expect(callsOf('push')).toHaveLength(1);
      expect(callsOf('classify')).toEqual([[raw]]);
    },
  );

  test('may throw at once instead of rejecting, and the queue goes on', async () => {
    let asked = 0;
    const { queue } = openQueueOn({}, (backend) => ({
      push: (events) => {
        if (asked++ === 0) throw raw;
        return backend.push(events);
      },
    }));
    expect(await rejection(queue.push(event('a')))).toMatchObject({ code: 'NQ_BACKEND', cause: raw });
    await queue.push(event('b'));
    expect(await drain(queue)).toEqual(['b']);
  });

  test('may throw an NqError of its own, which stays as it is', async () => {
    const own = new NqError('NQ_PAYLOAD', 'too many headers');
    const { queue } = openQueueOn({}, () => ({ push: () => Promise.reject(own) }));
    expect(await rejection(queue.push(event('a')))).toBe(own);
  });

  test.for<[string, () => never]>([
    [
      'throws',
      () => {
        throw new Error('no idea');
      },
    ],
    ['answers a code that does not exist', () => 'NQ_NONSENSE' as never],
    ['answers nothing', () => undefined as never],
  ])('is NQ_BACKEND when classify() %s, and the queue goes on', async ([, classify]) => {
    let asked = 0;
    const { queue } = openQueueOn({}, (backend) => ({
      push: (events) => (asked++ === 0 ? Promise.reject(raw) : backend.push(events)),
      classify,
    }));
    const error = await rejection(queue.push(event('a')));
    expect(error).toMatchObject({ code: 'NQ_BACKEND', cause: raw, retryable: false });
    await queue.push(event('b'));
    expect(await drain(queue)).toEqual(['b']);
  });

  test.for<[string, (() => string) | undefined, string]>([
    ['says explain()', () => 'the disk is full', 'Cannot push: the disk is full'],
    ['no explain() says', undefined, 'Cannot push: the backend failed'],
    ['explain() does not say', () => '', 'Cannot push: the backend failed'],
    ['explain() says nothing of', () => undefined as never, 'Cannot push: the backend failed'],
    [
      'explain() throws at',
      () => {
        throw new Error('no idea');
      },
      'Cannot push: the backend failed',
    ],
  ])('tells what %s', async ([, explain, message]) => {
    const explained = explain === undefined ? {} : { explain };
    const { queue } = openQueueOn({}, () => ({ push: () => Promise.reject(raw), ...explained }));
    expect(await rejection(queue.push(event('a')))).toMatchObject({ message, cause: raw });
  });

  test('asks the backend for a single try although it was full for somebody who has given up by now', async () => {
    let room = 0;
    const { queue, clock, callsOf } = openQueueOn({}, (backend) => ({
      push: async (events) => (room === 0 ? 0 : backend.push(events)),
    }));
    const controller = new AbortController();
    const waiting = queue.push(event('a'), { signal: controller.signal }).catch((error: unknown) => error);
    await clock.settle();
    controller.abort(new Error('enough'));
    await waiting;
    room = 1;
    const asked = callsOf('push').length;
    await queue.push(event('b'), { timeoutMs: 0 });
    expect(callsOf('push')).toHaveLength(asked + 1);
  });

  test.for([undefined, -1, 2, 0.5, '1', NaN])(
    'is NQ_OUTCOME_UNKNOWN when it answers %o for one event, and the event is not sent again',
    async (answer) => {
      const { queue, clock, callsOf } = openQueueOn({}, () => ({ push: async () => answer as number }));
      const error = await rejection(queue.push(event('a')));
      expect(isNqError(error, 'NQ_OUTCOME_UNKNOWN')).toBe(true);
      await clock.advance(1000);
      expect(callsOf('push')).toHaveLength(1);
    },
  );
});
