import { afterEach, describe, expect, test } from 'vitest';
import {
  createQueue,
  isNqError,
  type MessageQueue,
  openQueue,
  type QueueConfig,
  type QueueType,
  registerQueueType,
} from '../src/index.ts';
import { memoryDriver } from '../src/testing.ts';
import { rejection } from './support/promises.ts';

type Options = Readonly<Record<string, unknown>>;

const undo: (() => void)[] = [];
afterEach(() => {
  for (const takeBack of undo.splice(0)) takeBack();
});

/** Registers a type that notes with which options it was opened. */
function registered(changes: Partial<QueueType> = {}): { readonly opened: Options[]; readonly queue: MessageQueue } {
  const queue = createQueue(memoryDriver());
  const opened: Options[] = [];
  const type: QueueType = {
    type: 'memo',
    options: {
      queueKey: 'text',
      waitMs: 'ms',
      maxAttempts: 'count',
      isLazy: 'flag',
      mode: ['list', 'stream'],
      clock: 'value',
    },
    aliases: { queue_key: 'queueKey', addr: 'address' },
    open: (options) => {
      opened.push(options);
      return queue;
    },
    ...changes,
  };
  undo.push(registerQueueType(type));
  return { opened, queue };
}

const withAddress: Partial<QueueType> = {
  options: { address: 'text', password: 'text', db: 'count' },
  readAddress: ({ host, password, pathname }) => ({ address: host, password, ...(pathname > '/' && { db: 3 }) }),
};

const expectCode = async (config: unknown, code: string, message: string) => {
  const error = await rejection(openQueue(config as QueueConfig));
  expect(error).toMatchObject({ code });
  expect((error as Error).message).toContain(message);
};

describe('openQueue() with a URL', () => {
  test('opens a registered type with its parameters, each of its kind', async () => {
    const { opened, queue } = registered();
    const url = 'memo://?capacity=5&queueKey=a%3Ab&waitMs=1.5&maxAttempts=3&isLazy=true&mode=stream';
    expect(await openQueue(url)).toBe(queue);
    const options = { capacity: 5, queueKey: 'a:b', waitMs: 1.5, maxAttempts: 3, isLazy: true, mode: 'stream' };
    expect(opened).toEqual([options]);
    for (const bare of ['memo:', 'memo://', 'memo:///', 'memo:?']) await openQueue(bare);
    expect(opened.slice(1)).toEqual([{}, {}, {}, {}]);
  });

  test('reads the address where the type has one', async () => {
    const { opened } = registered(withAddress);
    await openQueue('memo://user:hunter2@host:6379/0?capacity=1');
    expect(opened).toEqual([{ address: 'host:6379', password: 'hunter2', db: 3, capacity: 1 }]);
  });

  test.for<[string, string]>([
    ['memo://?colour=red', 'unknown URL parameter "colour"; known are capacity, queueKey'],
    ['memo://?clock=1', '"clock" has no form in a URL: give it in extra'],
    ['memo://?queue_key=a', 'unknown URL parameter "queue_key"'],
    ['memo://?toString=1', 'unknown URL parameter "toString"'],
    ['memo://?__proto__=1', 'unknown URL parameter "__proto__"'],
    ['memo://?bufferSize=1', 'unknown URL parameter "bufferSize"'],
    ['memo://?capacity=1&capacity=1', '"capacity" is given twice'],
    ['memo://?mode=list&capacity=1&mode=stream', '"mode" is given twice'],
    ['memo://host?capacity=1', 'has no host and no path'],
    ['memo://host', 'has no host and no path'],
    ['memo://user@host', 'has no host and no path'],
    ['memo:///0', 'has no host and no path'],
    ['memo:path', 'has no host and no path'],
    ['memo://?capacity=1#part', 'has no part after #'],
    ['', 'expected a URL such as channel://?capacity=1000'],
    ['memo', 'expected a URL such as channel://?capacity=1000'],
    ['//memo', 'expected a URL such as channel://?capacity=1000'],
  ])('rejects NQ_CONFIG and opens nothing: %s', async ([url, message]) => {
    const { opened } = registered();
    await expectCode(url, 'NQ_CONFIG', message);
    expect(opened).toEqual([]);
  });

  test.for<[string, string]>([
    ['localhost:7901', 'got one without type://; types here are memo'],
    ['nq:hunter2@localhost', 'got one without type://; types here are memo'],
    ['nq:hunter2@localhost://', 'got one without type://; types here are memo'],
    ['http:/localhost', 'got one without type://; types here are memo'],
    ['memo://nq:100% hunter2@[host', 'percent-encoded'],
  ])('that begins with no type is told so, and shows nothing of it: %s', async ([url, message]) => {
    registered();
    await expectCode(url, 'NQ_CONFIG', message);
    expect(((await rejection(openQueue(url))) as Error).message).not.toMatch(/hunter2|nq:|npm install/);
  });

  test.for(['http://localhost', 'memmo://nq:hunter2@host'])(
    'of a type that is not here, what may be meant comes first, and the line that installs a package last: %s',
    async (url) => {
      registered();
      const scheme = url.slice(0, url.indexOf(':'));
      await expectCode(
        url,
        'NQ_NOT_INSTALLED',
        `got one of the type "${scheme}", which is not here; types here are memo`,
      );
      const { message } = (await rejection(openQueue(url))) as Error;
      expect(message.endsWith(`. If it is a package, run: npm install @nq/${scheme}`)).toBe(true);
      expect(message).not.toContain('hunter2');
    },
  );

  test('does not list a parameter that no URL can hold', async () => {
    registered();
    const error = await rejection(openQueue('memo://?x=1'));
    expect((error as Error).message).toMatch(/known are capacity, queueKey, waitMs, maxAttempts, isLazy, mode$/);
  });

  test('rejects NQ_CONFIG when a parameter repeats what the address says', async () => {
    const { opened } = registered(withAddress);
    await expectCode('memo://host/0?db=1', 'NQ_CONFIG', '"db" is given twice');
    expect(opened).toEqual([]);
  });

  test.for<[string, string, typeof TypeError | typeof RangeError]>([
    ['capacity=', 'capacity must be a number, got ""', TypeError],
    ['capacity=1e3', 'capacity must be a number, got "1e3"', TypeError],
    ['capacity=-1', 'capacity must be a whole number >= 0, got -1', RangeError],
    ['waitMs=-1.5', 'waitMs must be >= 0, got -1.5', RangeError],
    ['capacity=--1', 'capacity must be a number, got "--1"', TypeError],
    ['capacity=1.5', 'capacity must be a whole number >= 0, got 1.5', RangeError],
    ['waitMs=1s', 'waitMs must be a number, got "1s"', TypeError],
    ['isLazy=yes', 'isLazy must be true or false, got "yes"', TypeError],
    ['mode=set', 'mode must be one of list, stream, got "set"', RangeError],
  ])('refuses a malformed parameter and opens nothing: %s', async ([parameter, message, type]) => {
    const { opened } = registered();
    const error = await rejection(openQueue(`memo://?${parameter}`));
    expect(error).toBeInstanceOf(type);
    expect((error as Error).message).toBe(`Cannot open a queue of type memo: ${message}`);
    expect(opened).toEqual([]);
  });
});

describe('openQueue() with a URL whose scheme has an s behind a type', () => {
  const schemes: string[] = [];
  const readAddress = (url: URL): Options => {
    schemes.push(url.protocol);
    return {};
  };
  afterEach(() => schemes.splice(0));

  test('opens that type, which reads the scheme, if it says that this means TLS', async () => {
    const { queue } = registered({ secure: true, readAddress });
    expect(await openQueue('memos://somewhere')).toBe(queue);
    expect(schemes).toEqual(['memos:']);
  });

  test('is of a type of its own, if there is one', async () => {
    registered({ secure: true, readAddress });
    const { queue } = registered({ type: 'memos', readAddress });
    expect(await openQueue('memos://somewhere')).toBe(queue);
  });

  test('is of no type, if that type does not say so, or in a configuration', async () => {
    const install = 'npm install @nq/memos';
    registered({ readAddress });
    await expectCode('memos://somewhere', 'NQ_NOT_INSTALLED', install);
    undo.pop()?.();
    registered({ secure: true, readAddress });
    await expectCode({ type: 'memos' }, 'NQ_NOT_INSTALLED', install);
    expect(schemes).toEqual([]);
  });
});

describe('openQueue() with { type, bufferSize, extra }', () => {
  test('opens a registered type: bufferSize is the capacity, extra has options by name or alias', async () => {
    const { opened, queue } = registered();
    const clock = { any: 'value' };
    expect(await openQueue({ type: 'memo', bufferSize: 5, extra: { queue_key: 'k', isLazy: false, clock } })).toBe(
      queue,
    );
    await openQueue({ type: 'memo', extra: { queueKey: 'k', capacity: Infinity } });
    await openQueue({ type: 'memo' });
    expect(opened).toEqual([
      { capacity: 5, queueKey: 'k', isLazy: false, clock },
      { queueKey: 'k', capacity: Infinity },
      {},
    ]);
    expect(opened[0]?.['clock']).toBe(clock);
  });

  test('waits for a type that opens later', async () => {
    const queue = createQueue(memoryDriver());
    registered({ open: async () => queue });
    expect(await openQueue({ type: 'memo' })).toBe(queue);
  });

  test.for<[string, Record<string, unknown>, string]>([
    [
      'an unknown member',
      { type: 'memo', capacity: 5 },
      'unknown member "capacity"; known are type, bufferSize (its capacity), extra (its options)',
    ],
    [
      'an unknown member of extra',
      { type: 'memo', extra: { colour: 1 } },
      'unknown member of extra "colour"; known are capacity',
    ],
    ['an inherited name in extra', { type: 'memo', extra: { toString: 1 } }, 'unknown member of extra "toString"'],
    ['an alias of nothing', { type: 'memo', extra: { addr: 'x' } }, 'unknown member of extra "addr"'],
    [
      'an option and its alias',
      { type: 'memo', extra: { queue_key: 'a', queueKey: 'b' } },
      '"queueKey" is given twice',
    ],
    ['the capacity twice', { type: 'memo', bufferSize: 1, extra: { capacity: 1 } }, '"capacity" is given twice'],
  ])('rejects NQ_CONFIG and opens nothing: %s', async ([, config, message]) => {
    const { opened } = registered();
    await expectCode(config, 'NQ_CONFIG', message);
    expect(opened).toEqual([]);
  });

  test.for<[unknown, string, typeof TypeError | typeof RangeError]>([
    [null, 'Cannot open a queue: expected a URL or { type, bufferSize, extra }, got null', TypeError],
    [undefined, 'Cannot open a queue: expected a URL or { type, bufferSize, extra }, got undefined', TypeError],
    [5, 'Cannot open a queue: expected a URL or { type, bufferSize, extra }, got 5', TypeError],
    [{}, 'Cannot open a queue: type must be a non-empty string, got undefined', TypeError],
    [{ type: '' }, 'Cannot open a queue: type must be a non-empty string, got ""', TypeError],
    [{ type: 5 }, 'Cannot open a queue: type must be a non-empty string, got 5', TypeError],
    [{ type: 'memo', extra: null }, 'Cannot open a queue: extra must be an object', TypeError],
    [{ type: 'memo', extra: [] }, 'Cannot open a queue: extra must be an object', TypeError],
    [{ type: 'memo', extra: 'x' }, 'Cannot open a queue: extra must be an object', TypeError],
    [{ type: 'memo', bufferSize: '5' }, 'of type memo: bufferSize must be a number, got "5"', TypeError],
    [{ type: 'memo', bufferSize: -1 }, 'of type memo: bufferSize must be a whole number >= 0, got -1', RangeError],
    [
      { type: 'memo', extra: { queue_key: 5 } },
      'of type memo: extra.queue_key must be a string, got number',
      TypeError,
    ],
    [
      { type: 'memo', extra: { mode: 'set' } },
      'of type memo: extra.mode must be one of list, stream, got "set"',
      RangeError,
    ],
    [{ type: 'memo', extra: { waitMs: NaN } }, 'of type memo: extra.waitMs must be >= 0, got NaN', RangeError],
  ])('refuses %o and opens nothing: %s', async ([config, message, type]) => {
    const { opened } = registered();
    const error = await rejection(openQueue(config as QueueConfig));
    expect(error).toBeInstanceOf(type);
    expect((error as Error).message).toContain(message);
    expect(opened).toEqual([]);
  });
});

describe('a password', () => {
  test.for<[unknown]>([
    ['memo//:hunter2@host'],
    ['memo://:hunter2@host:port'],
    ['memo://:hunter2@host?colour=red'],
    ['memo://:hunter2@host?password=hunter2'],
    ['memo://:hunter2@host?db=x'],
    ['memo://:hunter2@host#part'],
    ['bare://:hunter2@host'],
    ['no-such-type://:hunter2@host'],
    [{ type: 'memo://:hunter2@host' }],
    [{ type: 'memo', extra: 'memo://:hunter2@host' }],
    [{ type: 'memo', extra: { password: 'hunter2', pasword: 'hunter2' } }],
    [{ type: 'memo', extra: { password: ['hunter2'] } }],
    [{ type: 'memo', extra: { password: 'hunter2', secret: 'hunter2' } }],
    [{ type: 'no-such-type', extra: { password: 'hunter2' } }],
  ])('is never in a message: %o', async ([config]) => {
    registered({ ...withAddress, aliases: { secret: 'password' } });
    registered({ type: 'bare' });
    const error = (await rejection(openQueue(config as QueueConfig))) as Error;
    expect(error).toBeInstanceOf(Error);
    expect(`${error.message} ${error.stack} ${String(error.cause)}`).not.toContain('hunter2');
  });
});

describe('registerQueueType()', () => {
  test('may be taken back, which leaves a later type of that name alone', async () => {
    const type: QueueType = { type: 'memo', options: {}, open: () => createQueue(memoryDriver()) };
    const takeBack = registerQueueType(type);
    takeBack();
    const { opened } = registered();
    takeBack();
    await openQueue('memo:');
    expect(opened).toHaveLength(1);
  });

  test('makes a type that is found before a package of that name', async () => {
    const { opened } = registered({ type: 'channel' });
    await openQueue('channel://?capacity=3');
    expect(opened).toEqual([{ capacity: 3 }]);
  });

  test('rejects NQ_CONFIG for a name that is taken', () => {
    registered();
    const register = () => registerQueueType({ type: 'memo', options: {}, open: () => createQueue(memoryDriver()) });
    expect(register).toThrow('the queue type "memo" is registered already');
    let caught: unknown;
    try {
      register();
    } catch (error) {
      caught = error;
    }
    expect(isNqError(caught, 'NQ_CONFIG')).toBe(true);
  });

  test.for([null, undefined, 'memo', {}, { type: 'memo', options: {} }, { type: 'memo', open: () => {} }, { type: 5 }])(
    'refuses %o',
    (type) => expect(() => registerQueueType(type as never)).toThrow(TypeError),
  );

  test.for(['', 'Memo', '1memo', 'me mo', '@nq/memo', 'me_mo', '-memo'])('refuses %o as a name', (type) => {
    const register = () => registerQueueType({ type, options: {}, open: () => createQueue(memoryDriver()) });
    expect(register).toThrow('Cannot register: type must match');
  });
});
