import { describe, expect, test } from 'vitest';
import { createQueue, type DeadLetters, type QueueDriver } from '../src/index.ts';
import { memoryDriver, virtualClock } from '../src/testing.ts';
import { event, openQueueOn } from './support/open-queue.ts';
import { rejection } from './support/promises.ts';

/** A queue whose driver answers one method as `script` says, and two deliveries that were taken from it. */
async function handedOut(script: Partial<Record<keyof QueueDriver, () => Promise<unknown>>>) {
  const { queue } = openQueueOn({}, () => script as object);
  await queue.pushMany(['a', 'b'].map(event));
  const deliveries = await queue.popMany(2);
  return { queue, deliveries };
}

const wrongSettlements: [string, unknown][] = [
  ['undefined', undefined],
  ['true', true],
  ['a string', 'hunter2'],
  ['an array of 1', [true]],
  ['an array of 3', [true, true, true]],
  ['an array that holds 0', [true, 0]],
  ['an array that holds a string', [true, 'hunter2']],
  ['an array that holds undefined', Array.from({ length: 2 })],
];

describe.each(['ack', 'nack'] as const)(
  'a driver whose %s() does not say of each lease whether it was ours',
  (verb) => {
    test.for(wrongSettlements)('has its author told what came: %s', async ([got, answer]) => {
      const { deliveries } = await handedOut({ [verb]: async () => answer });
      const settled = await Promise.allSettled(deliveries.map((delivery) => delivery[verb]()));
      // An answer that is right for one lease counts for it.
      const wrong = Array.isArray(answer) && answer.length === 2 && answer[0] === true ? settled.slice(1) : settled;
      expect(settled.length - wrong.length).toBe(settled.filter(({ status }) => status === 'fulfilled').length);
      const message = `Cannot ${verb}: driver.${verb} must answer an array of 2 booleans, got ${got}`;
      for (const one of wrong) expect(one).toMatchObject({ reason: { code: 'NQ_OUTCOME_UNKNOWN', message } });
    });

    test('leaves the delivery as it was: settling it again may succeed', async () => {
      const answers: unknown[] = [undefined, [true]];
      const { deliveries } = await handedOut({ [verb]: async () => answers.shift() });
      const [first] = deliveries;
      expect(await rejection(first?.[verb]() ?? Promise.resolve())).toMatchObject({ code: 'NQ_OUTCOME_UNKNOWN' });
      expect(first?.signal.aborted).toBe(false);
      await first?.[verb]();
    });
  },
);

describe('a driver whose extend() does not say whether the lease was ours', () => {
  test.for<[string, unknown]>([
    ['undefined', undefined],
    ['true', true],
    ['an array of 0', []],
    ['an array of 2', [true, true]],
    ['an array that holds 1', [1]],
  ])('has its author told what came: %s', async ([got, answer]) => {
    const { deliveries } = await handedOut({ extend: async () => answer });
    expect(await rejection(deliveries[0]?.extend(5) ?? Promise.resolve())).toMatchObject({
      code: 'NQ_OUTCOME_UNKNOWN',
      message: `Cannot extend: driver.extend must answer an array of 1 boolean, got ${got}`,
    });
    expect(deliveries[0]?.signal.aborted).toBe(false);
  });
});

describe('a driver whose pop() does not answer leases', () => {
  const right = { receipt: 1, event: event('a'), attempt: 1 };

  test.for<[string, unknown]>([
    ['an array of leases, got undefined', undefined],
    ['an array of leases, got an object', right],
    ['an array of leases, got a string', 'hunter2'],
    ['leases { receipt, event, attempt }, got null', [null]],
    ['leases { receipt, event, attempt }, got a string', [right, 'hunter2']],
    ['leases { receipt, event, attempt }, got one whose receipt is undefined', [{ ...right, receipt: undefined }]],
    ['leases { receipt, event, attempt }, got one whose event is undefined', [{ ...right, event: undefined }]],
    ['leases { receipt, event, attempt }, got one whose event is a string', [{ ...right, event: '{"card":4111}' }]],
    ['leases { receipt, event, attempt }, got one whose event.id is undefined', [{ ...right, event: { type: 't' } }]],
    ['leases { receipt, event, attempt }, got one whose event.type is 5', [{ ...right, event: { id: 'a', type: 5 } }]],
    ['leases { receipt, event, attempt }, got one whose attempt is a string', [{ ...right, attempt: '1' }]],
    ['leases { receipt, event, attempt }, got one whose attempt is NaN', [{ ...right, attempt: Number.NaN }]],
    ['leases { receipt, event, attempt }, got one whose attempt is 0', [{ ...right, attempt: 0 }]],
    ['leases { receipt, event, attempt }, got one whose attempt is 1.5', [{ ...right, attempt: 1.5 }]],
  ])('has its author told: %s', async ([expected, answer]) => {
    const { queue } = openQueueOn({}, () => ({ pop: async () => answer as never }));
    expect(await rejection(queue.pop())).toMatchObject({
      code: 'NQ_BACKEND',
      message: `Cannot pop: driver.pop must answer ${expected}`,
    });
  });
});

describe('a driver whose push() does not say how many events are stored', () => {
  test.for<[string, unknown]>([
    ['undefined', undefined],
    ['3', 3],
    ['-1', -1],
    ['true', true],
    ['an array', ['hunter2']],
    ['a string', 'hunter2'],
  ])('has its author told what came: %s', async ([got, answer]) => {
    const { queue } = openQueueOn({}, () => ({ push: async () => answer as never }));
    expect(await rejection(queue.pushMany(['a', 'b'].map(event)))).toMatchObject({
      code: 'NQ_OUTCOME_UNKNOWN',
      message: `Cannot push: driver.push must answer how many of 2 events it has stored, got ${got}`,
    });
  });
});

describe('a driver whose size() does not count', () => {
  const right = { ready: 0, inFlight: 0, delayed: 0, oldestAgeMs: 0, exact: true };

  test.for<[string, unknown]>([
    ['undefined', undefined],
    ['5', 5],
    ['null', null],
    ['an object whose ready is undefined', {}],
    ['an object whose inFlight is a string', { ...right, inFlight: '5' }],
    ['an object whose delayed is null', { ...right, delayed: null }],
    ['an object whose oldestAgeMs is undefined', { ...right, oldestAgeMs: undefined }],
    ['an object whose ready is NaN', { ...right, ready: Number.NaN }],
    ['an object whose inFlight is -1', { ...right, inFlight: -1 }],
    ['an object whose delayed is 1.5', { ...right, delayed: 1.5 }],
    ['an object whose oldestAgeMs is NaN', { ...right, oldestAgeMs: Number.NaN }],
    ['an object whose oldestAgeMs is -1', { ...right, oldestAgeMs: -1 }],
    ['an object whose oldestAgeMs is Infinity', { ...right, oldestAgeMs: Infinity }],
    ['an object whose exact is undefined', { ...right, exact: undefined }],
  ])('has its author told what came: %s', async ([got, answer]) => {
    const { queue } = openQueueOn({}, () => ({ size: async () => answer as never }));
    expect(await rejection(queue.size())).toMatchObject({
      code: 'NQ_BACKEND',
      message: `Cannot count: driver.size must answer { ready, inFlight, delayed, oldestAgeMs, exact }, got ${got}`,
    });
  });
});

/** A queue of a driver whose dead letters answer one method as the test says. */
function withLetters(method: keyof DeadLetters, answer: unknown) {
  return openQueueOn({}, ({ deadLetters }) => ({
    deadLetters: { ...deadLetters, [method]: async () => answer } as never,
  }));
}

describe.each([
  ['count', 'count'],
  ['replay', 'replay'],
  ['remove', 'remove'],
] as const)('a driver whose deadLetters.%s() does not count', (method, verb) => {
  test.for<[string, unknown]>([
    ['undefined', undefined],
    ['a string', '5'],
    ['NaN', Number.NaN],
    ['-1', -1],
    ['1.5', 1.5],
    ['Infinity', Infinity],
  ])('has its author told what came: %s', async ([got, answer]) => {
    const { queue } = withLetters(method, answer);
    expect(await rejection(queue.deadLetters[method]())).toMatchObject({
      code: method === 'count' ? 'NQ_BACKEND' : 'NQ_OUTCOME_UNKNOWN',
      message: `Cannot ${verb} dead letters: driver.deadLetters.${method} must answer a whole number >= 0, got ${got}`,
    });
  });

  test('0 is a count', async () => {
    expect(await withLetters(method, 0).queue.deadLetters[method]()).toBe(0);
  });
});

describe('a driver whose deadLetters.list() does not list', () => {
  const right = { event: { ...event('a'), time: 1 }, attempts: 1, reason: 'no', deadAt: 1 };

  test.for<[string, unknown]>([
    ['an array, got undefined', undefined],
    ['an array, got 5', 5],
    ['an array, got an object', right],
    ['dead letters { event, attempts, reason, deadAt }, got null', [right, null]],
    ['dead letters { event, attempts, reason, deadAt }, got undefined', Array.from({ length: 1 })],
    ['dead letters { event, attempts, reason, deadAt }, got one whose event is a string', [{ ...right, event: 'x' }]],
    ['dead letters { event, attempts, reason, deadAt }, got one whose attempts is NaN', [{ ...right, attempts: NaN }]],
    [
      'dead letters { event, attempts, reason, deadAt }, got one whose reason is undefined',
      [{ ...right, reason: undefined }],
    ],
    ['dead letters { event, attempts, reason, deadAt }, got one whose deadAt is a string', [{ ...right, deadAt: '1' }]],
  ])('has its author told: %s', async ([expected, answer]) => {
    const { queue } = withLetters('list', answer);
    expect(await rejection(queue.deadLetters.list())).toMatchObject({
      code: 'NQ_BACKEND',
      message: `Cannot list dead letters: driver.deadLetters.list must answer ${expected}`,
    });
  });

  test('what is right is answered as it is', async () => {
    const answer = [right];
    expect(await withLetters('list', answer).queue.deadLetters.list()).toBe(answer);
  });
});

describe('a driver that declares dead letters', () => {
  test.for<[unknown, string]>([
    [undefined, 'driver.deadLetters must be there, for capabilities.deadLetter is true'],
    [null, 'driver.deadLetters must be there, for capabilities.deadLetter is true'],
    [5, 'driver.deadLetters.count must be a function, got undefined'],
    [{}, 'driver.deadLetters.count must be a function, got undefined'],
    [{ count() {}, list() {}, replay() {} }, 'driver.deadLetters.remove must be a function, got undefined'],
  ])('and has %o for them is refused', ([deadLetters, message]) => {
    const driver = Object.defineProperty(memoryDriver({ clock: virtualClock() }), 'deadLetters', {
      value: deadLetters,
    });
    expect(() => createQueue(driver)).toThrow(new TypeError(`Cannot create a queue: ${message}`));
  });
});

describe('a driver without capabilities', () => {
  test.for<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['an array', []],
    ['a function', () => {}],
  ])('is refused, and what came is named: %s', ([got, capabilities]) => {
    const driver = Object.defineProperty(memoryDriver({ clock: virtualClock() }), 'capabilities', {
      value: capabilities,
    });
    expect(() => createQueue(driver)).toThrow(
      new TypeError(`Cannot create a queue: driver.capabilities must be an object, got ${got}`),
    );
  });
});
