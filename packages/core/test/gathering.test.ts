import { describe, expect, test } from 'vitest';
import type { Gathering, QueueDriver } from '../src/index.ts';
import { NqError } from '../src/index.ts';
import { drain, event, openQueueOn } from './support/open-queue.ts';
import { deferred, rejection, watch } from './support/promises.ts';

const idOf = (encoded: unknown) => (JSON.parse(encoded as string) as { id: string }).id;

/** Places are named by the first letter of an id, a small one before a capital one. */
const gathering: Gathering<string> = {
  laneOf: (encoded) => idOf(encoded).charCodeAt(0),
  sizeOf: (encoded) => encoded.length,
  deadlineOf: () => 0,
  requestBytes: 1_000_000,
  most: 4,
  mostBytes: 1_000_000,
  timeoutMs: 1000,
};

function open(
  push?: (backend: QueueDriver<string>, events: readonly string[]) => Promise<number>,
  changes: Partial<Gathering<string>> = {},
) {
  return openQueueOn({ capacity: 100 }, (backend) => ({
    gathering: { ...gathering, ...changes },
    ...(push === undefined ? {} : { push: (events: readonly string[]) => push(backend, events) }),
  }));
}

/** The same, where nothing is stored before `held` ends. */
function openHeld(changes: Partial<Gathering<string>> = {}) {
  const held = deferred<void>();
  const push = async (backend: QueueDriver<string>, events: readonly string[]): Promise<number> => {
    await held.promise;
    return backend.push(events);
  };
  return { held, ...open(push, changes) };
}

describe('pushes to a backend of several places', () => {
  test('are gathered for each place, and no request is for two', async () => {
    const { queue, callsOf } = open();
    await Promise.all(['a1', 'b1', 'a2', 'b2'].map((id) => queue.push(event(id))));
    const requests = callsOf('push').map(([events]) => (events as readonly string[]).map(idOf));
    expect(requests).toEqual([
      ['a1', 'a2'],
      ['b1', 'b2'],
    ]);
    expect((await drain(queue)).toSorted()).toEqual(['a1', 'a2', 'b1', 'b2']);
  });

  test('do not wait for a place that does not answer', async () => {
    const held = deferred<void>();
    const { queue, clock } = open(async (backend, events) => {
      if (idOf(events[0]).startsWith('a')) await held.promise;
      return backend.push(events);
    });
    const slow = watch(queue.push(event('a1')));
    const fast = watch(queue.push(event('b1')));
    await clock.settle();
    expect([slow.state, fast.state]).toEqual(['pending', 'resolved']);
    held.resolve();
    await clock.settle();
    expect(slow.state).toBe('resolved');
  });

  test('say of a batch that fails in part how many are stored', async () => {
    const { queue } = open(async (backend, events) => {
      if (idOf(events[0]).startsWith('b')) throw new NqError('NQ_UNAVAILABLE', 'no leader');
      return backend.push(events);
    });
    const failed = rejection(queue.pushMany(['a1', 'b1', 'a2', 'c1'].map(event)));
    expect(await failed).toMatchObject({ code: 'NQ_UNAVAILABLE', stored: 3 });
    expect((await drain(queue)).toSorted()).toEqual(['a1', 'a2', 'c1']);
  });

  test('say that nobody knows where that is true of one place, whatever is true of the others', async () => {
    const { queue } = open(async (_backend, events) => {
      const isA = idOf(events[0]).startsWith('a');
      throw new NqError(isA ? 'NQ_UNAVAILABLE' : 'NQ_OUTCOME_UNKNOWN', 'a test');
    });
    expect(await rejection(queue.pushMany(['a1', 'b1'].map(event)))).toMatchObject({
      code: 'NQ_OUTCOME_UNKNOWN',
      stored: 0,
    });
  });

  test('that are not to wait are refused while too many are on their way, and not afterwards', async () => {
    const { held, queue, clock } = openHeld();
    const waiting = watch(queue.pushMany(['a1', 'b1', 'c1', 'd1'].map(event)));
    expect(await rejection(queue.push(event('e1'), { timeoutMs: 0 }))).toMatchObject({ code: 'NQ_FULL' });
    held.resolve();
    await clock.settle();
    expect(waiting.state).toBe('resolved');
    await queue.push(event('e2'), { timeoutMs: 0 });
    expect((await drain(queue)).toSorted()).toEqual(['a1', 'b1', 'c1', 'd1', 'e2']);
  });

  test('that have not waited for their answer do not count any more, and not twice when it comes', async () => {
    const { held, queue, clock } = openHeld({ most: 1 });
    const once = { timeoutMs: 0 };
    const left = rejection(queue.push(event('a1'), once));
    await clock.advance(1001);
    expect(await left).toMatchObject({ code: 'NQ_OUTCOME_UNKNOWN' });
    const other = watch(queue.push(event('b1'), once));
    expect(await rejection(queue.push(event('c1'), once))).toMatchObject({ code: 'NQ_FULL' });
    held.resolve();
    await clock.settle();
    expect(other.state).toBe('resolved');
    const next = [queue.push(event('d1'), once), queue.push(event('e1'), once)].map(watch);
    await clock.settle();
    expect(next.map(({ state }) => state)).toEqual(['resolved', 'rejected']);
  });

  test('without a limit of their own have that of the backend: what was not sent is not stored', async () => {
    const { held, queue, clock } = openHeld();
    const sent = watch(queue.push(event('a1')));
    await clock.settle();
    const behind = rejection(queue.push(event('a2')));
    await clock.advance(1001);
    expect(await behind).toMatchObject({ code: 'NQ_UNAVAILABLE' });
    held.resolve();
    await clock.settle();
    expect(sent.state).toBe('resolved');
    expect(await drain(queue)).toEqual(['a1']);
  });

  test('make requests that are no larger than they may be', async () => {
    const { queue, callsOf } = open(undefined, { sizeOf: () => 400, requestBytes: 1000 });
    await queue.pushMany(['a1', 'a2', 'a3', 'a4', 'a5'].map(event));
    expect(callsOf('push').map(([events]) => (events as unknown[]).length)).toEqual([2, 2, 1]);
  });

  test('that are not to wait are refused when too many bytes are under way, and one that is alone never', async () => {
    const { held, queue, clock } = openHeld({ mostBytes: 1 });
    const first = watch(queue.push(event('a1'), { timeoutMs: 0 }));
    await clock.settle();
    expect(await rejection(queue.push(event('b1'), { timeoutMs: 0 }))).toMatchObject({ code: 'NQ_FULL' });
    held.resolve();
    await clock.settle();
    expect(first.state).toBe('resolved');
    await queue.push(event('b2'), { timeoutMs: 0 });
    expect((await drain(queue)).toSorted()).toEqual(['a1', 'b2']);
  });

  test('that are too large together go again at once in smaller requests, and none is refused for that', async () => {
    const { queue, callsOf, clock } = open(async (backend, events) => (events.length > 1 ? 0 : backend.push(events)));
    const pushes = ['a1', 'a2', 'a3'].map((id) => watch(queue.push(event(id), { timeoutMs: 0 })));
    await clock.settle();
    expect(pushes.map(({ state }) => state)).toEqual(['resolved', 'resolved', 'resolved']);
    expect(callsOf('push').map(([events]) => (events as unknown[]).length)).toEqual([3, 2, 1, 2, 1, 1]);
    expect([await drain(queue), clock.now()]).toEqual([['a1', 'a2', 'a3'], 0]);
  });

  test('that have a second longer than the one that a request was given up for go again with the next', async () => {
    const held = deferred<void>();
    let isAway = true;
    const { queue, clock } = open(
      async (backend, events) => {
        if (idOf(events[0]) === 'a0') await held.promise;
        if (isAway) throw new NqError('NQ_UNAVAILABLE', 'no leader');
        return backend.push(events);
      },
      { timeoutMs: 60_000, deadlineOf: (encoded) => (idOf(encoded) === 'a3' ? 5000 : 0) },
    );
    const first = rejection(queue.push(event('a0')));
    await clock.settle();
    const early = [rejection(queue.push(event('a1'))), rejection(queue.push(event('a2')))];
    await clock.advance(5000);
    const late = watch(queue.push(event('a3')));
    held.resolve();
    const codes = (await Promise.all([first, ...early])).map((error) => (error as NqError).code);
    expect(codes).toEqual(['NQ_UNAVAILABLE', 'NQ_UNAVAILABLE', 'NQ_UNAVAILABLE']);
    isAway = false;
    await clock.settle();
    expect([late.state, await drain(queue)]).toEqual(['resolved', ['a3']]);
  });
});
