import { describe, expect, test } from 'vitest';
import { type QueueDriver, type QueueEvent } from '../src/index.ts';
import { memoryDriver, type MemoryDriverOptions, virtualClock } from '../src/testing.ts';
import { watch } from './support/promises.ts';

const { signal } = new AbortController();
const event = (id: string): QueueEvent => ({ id, type: 't', data: id, time: 0 });

function setUp(options: MemoryDriverOptions = {}) {
  const clock = virtualClock();
  const driver = memoryDriver({ clock, ...options });
  const push = (...ids: string[]) => driver.push(ids.map((id) => driver.encode(event(id))));
  const pop = async (max = 100, waitMs = 0) =>
    (await driver.pop(max, waitMs, signal)).map(({ event: { id }, attempt }) => `${id}${attempt}`);
  return { clock, driver, push, pop };
}

const back = (receipt: unknown, changes: object = {}) => ({
  receipt,
  delayMs: 0,
  reason: '',
  deadLetter: false,
  ...changes,
});
const receiptsOf = async (driver: QueueDriver<string>, max = 100) =>
  (await driver.pop(max, 0, signal)).map(({ receipt }) => receipt);

describe('memoryDriver()', () => {
  test('stores the first events, in order, as far as there is room', async () => {
    const { driver, push, pop } = setUp({ capacity: 3 });
    expect(await push('a', 'b')).toBe(2);
    expect(await push('c', 'd')).toBe(1);
    expect(await push('e')).toBe(0);
    expect(await pop(2)).toEqual(['a1', 'b1']);
    expect(await push('e', 'f', 'g')).toBe(2);
    expect(await pop()).toEqual(['c1', 'e1', 'f1']);
    expect(await driver.size()).toMatchObject({ ready: 0, inFlight: 5 });
  });

  test('counts delayed events as taking room, leased ones not, and never refuses a return', async () => {
    const { driver, push } = setUp({ capacity: 2 });
    await push('a', 'b');
    const [a, b] = await receiptsOf(driver);
    expect(await push('c', 'd', 'e')).toBe(2);
    expect(await driver.nack([back(a), back(b, { delayMs: 5 })])).toEqual([true, true]);
    expect(await driver.size()).toMatchObject({ ready: 3, delayed: 1, inFlight: 0 });
    expect(await push('x')).toBe(0);
    await receiptsOf(driver, 3);
    expect(await push('y', 'z')).toBe(1);
  });

  test('leases an event to one only, and for as long as it says', async () => {
    const { clock, driver, push, pop } = setUp({ leaseMs: 100 });
    await push('a');
    const [receipt] = await receiptsOf(driver);
    expect(await pop()).toEqual([]);
    await clock.advance(99);
    expect(await pop()).toEqual([]);
    await clock.advance(1);
    expect(await pop()).toEqual(['a2']);
    expect(await driver.ack([receipt])).toEqual([false]);
    expect(await driver.nack([back(receipt)])).toEqual([false]);
    expect(await driver.extend?.([receipt], 50)).toEqual([false]);
    expect(await driver.size()).toMatchObject({ inFlight: 1 });
  });

  test('hands out what is due by the time it is asked, also if its timer has had no turn', async () => {
    const virtual = virtualClock();
    let ahead = 0;
    // A timer that never comes: who asks in a loop leaves no turn to it.
    const driver = memoryDriver({ leaseMs: 100, clock: { ...virtual, now: () => virtual.now() + ahead } });
    await driver.push(['a', 'b'].map((id) => driver.encode(event(id))));
    const [a] = await receiptsOf(driver);
    await driver.nack([back(a, { delayMs: 50 })]);
    const pop = async () => (await driver.pop(9, 0, signal)).map(({ event: { id }, attempt }) => `${id}${attempt}`);
    ahead = 50;
    expect(await pop()).toEqual(['a2']);
    ahead = 100;
    expect(await pop()).toEqual(['b2']);
  });

  test('does not put off the end of a delay by being asked', async () => {
    const clock = virtualClock();
    let scheduled = 0;
    const counting = {
      ...clock,
      schedule: (callback: () => void, delayMs: number) => {
        scheduled++;
        return clock.schedule(callback, delayMs);
      },
    };
    const driver = memoryDriver({ clock: counting });
    await driver.push([driver.encode(event('a'))]);
    const [a] = await receiptsOf(driver);
    await driver.nack([back(a, { delayMs: 50 })]);
    scheduled = 0;
    for (let turn = 0; turn < 10; turn++) await driver.pop(1, 0, signal);
    expect(scheduled).toBe(0);
    await clock.advance(50);
    expect(await driver.size()).toMatchObject({ ready: 1, delayed: 0 });
  });

  test('extends a lease from now on', async () => {
    const { clock, driver, push, pop } = setUp({ leaseMs: 100 });
    await push('a');
    const [receipt] = await receiptsOf(driver);
    await clock.advance(90);
    expect(await driver.extend?.([receipt], 200)).toEqual([true]);
    await clock.advance(199);
    expect(await pop()).toEqual([]);
    await clock.advance(1);
    expect(await pop()).toEqual(['a2']);
  });

  test('answers an acknowledgement once, each on its own', async () => {
    const { driver, push } = setUp();
    await push('a', 'b');
    const [a, b] = await receiptsOf(driver);
    expect(await driver.ack([b])).toEqual([true]);
    expect(await driver.ack([a, b, 'nonsense'])).toEqual([true, false, false]);
  });

  test('puts returned events back in their place, also several and in any order', async () => {
    const { driver, push, pop } = setUp();
    await push('a', 'b', 'c', 'd');
    const [a, b, c] = await receiptsOf(driver, 3);
    await driver.nack([back(c), back(a)]);
    await driver.nack([back(b)]);
    expect(await pop()).toEqual(['a2', 'b2', 'c2', 'd1']);
  });

  test('keeps a delayed event for so long, and then in its place', async () => {
    const { clock, driver, push, pop } = setUp();
    await push('a', 'b');
    const [a] = await receiptsOf(driver, 1);
    await driver.nack([back(a, { delayMs: 50 })]);
    await clock.advance(49);
    expect(await driver.size()).toMatchObject({ ready: 1, delayed: 1 });
    await clock.advance(1);
    expect(await pop()).toEqual(['a2', 'b1']);
  });

  test('waits for the first event, woken by whatever makes one ready', async () => {
    const { clock, driver, push } = setUp({ leaseMs: 100 });
    const waiting = () => watch(driver.pop(9, 1000, signal));
    const pushed = waiting();
    await clock.settle();
    await push('a');
    await clock.settle();
    expect(pushed.value).toHaveLength(1);

    const nacked = waiting();
    await driver.nack([back(pushed.value?.[0]?.receipt)]);
    await clock.settle();
    expect(nacked.value).toHaveLength(1);

    const expired = waiting();
    await clock.advance(99);
    expect(expired.state).toBe('pending');
    await clock.advance(1);
    expect(expired.value).toHaveLength(1);

    const nothing = waiting();
    await driver.ack([expired.value?.[0]?.receipt]);
    await clock.advance(999);
    expect(nothing.state).toBe('pending');
    await clock.advance(1);
    expect(nothing.value).toEqual([]);
  });

  test('ends a wait early when the signal aborts, and when it closes', async () => {
    const { clock, driver } = setUp();
    const controller = new AbortController();
    const aborted = watch(driver.pop(1, 1000, controller.signal));
    const closed = watch(driver.pop(1, 1000, signal));
    await clock.settle();
    controller.abort();
    await clock.settle();
    expect([aborted.value, closed.state]).toEqual([[], 'pending']);
    expect(await driver.pop(1, 1000, controller.signal)).toEqual([]);
    await driver.close();
    await clock.settle();
    expect(closed.value).toEqual([]);
    expect(clock.timers).toBe(0);
  });

  test('leaves no timer behind when it is closed, whatever comes after', async () => {
    const { clock, driver, push } = setUp();
    await push('a', 'b');
    const [a, b] = await receiptsOf(driver);
    await driver.nack([back(a, { delayMs: 50 })]);
    expect(clock.timers).toBe(1);
    await driver.close();
    expect(clock.timers).toBe(0);
    await driver.nack([back(b)]);
    for (let turn = 0; turn < 2; turn++) await driver.pop(1, 1000, signal);
    expect(clock.timers).toBe(0);
  });

  test('keeps dead letters, oldest first', async () => {
    const { clock, driver, push, pop } = setUp({ capacity: 3 });
    await push('a', 'b', 'c');
    const [a, b, c] = await receiptsOf(driver);
    await clock.advance(5);
    await driver.nack([back(b, { deadLetter: true, reason: 'no' }), back(a, { deadLetter: true, delayMs: 9 })]);
    await driver.nack([back(c, { deadLetter: true })]);
    const { deadLetters } = driver;
    expect(await deadLetters?.list({ limit: 2 })).toEqual([
      { event: event('b'), attempts: 1, reason: 'no', deadAt: 5 },
      { event: event('a'), attempts: 1, reason: '', deadAt: 5 },
    ]);
    expect(await deadLetters?.count()).toBe(3);
    expect(await driver.size()).toMatchObject({ ready: 0, inFlight: 0, delayed: 0 });
    const waiting = watch(driver.pop(9, 1000, signal));
    expect(await deadLetters?.replay(['a', 'x'])).toBe(1);
    await clock.settle();
    expect(waiting.value).toMatchObject([{ attempt: 1, waitedMs: 0, event: { id: 'a' } }]);
    expect(await deadLetters?.remove(['b'])).toBe(1);
    expect(await deadLetters?.replay()).toBe(1);
    expect(await pop()).toEqual(['c1']);
    expect(await deadLetters?.count()).toBe(0);
  });

  test('counts without changing anything', async () => {
    const { clock, driver, push, pop } = setUp();
    await push('a', 'b');
    await clock.advance(7);
    const size = { ready: 2, inFlight: 0, delayed: 0, oldestAgeMs: 7, exact: true };
    expect([await driver.size(), await driver.size()]).toEqual([size, size]);
    expect(await pop()).toEqual(['a1', 'b1']);
  });

  test('refuses an event that is larger than it says', () => {
    const { driver } = setUp({ maxPayloadBytes: 200 });
    expect(driver.capabilities.maxPayloadBytes).toBe(200);
    expect(() => driver.encode({ ...event('a'), data: 'x'.repeat(200) })).toThrow('more than the 200 allowed');
  });

  test('declares what it is made of', () => {
    expect(setUp({ capacity: Infinity }).driver).toMatchObject({
      capacity: Infinity,
      capabilities: { capacity: 'none' },
    });
    expect(setUp({ capacity: 5, leaseMs: 7 }).driver).toMatchObject({
      capacity: 5,
      capabilities: { capacity: 'hard', lease: { ms: 7, extend: true } },
    });
  });

  test.for<[string, unknown, typeof TypeError | typeof RangeError]>([
    ['capacity', { capacity: 0 }, RangeError],
    ['leaseMs', { leaseMs: 0 }, RangeError],
    ['maxPayloadBytes', { maxPayloadBytes: '1' }, TypeError],
    ['unknown option "lease"', { lease: 5 }, TypeError],
  ])('refuses %s of %o', ([message, options, type]) => {
    const make = () => memoryDriver(options as never);
    expect(make).toThrow(type);
    expect(make).toThrow(`Cannot make a memory driver: ${message}`);
  });
});
