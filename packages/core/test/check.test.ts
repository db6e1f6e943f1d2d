import { describe as group, expect, test } from 'vitest';
import {
  checkCount,
  checkFunction,
  checkMs,
  checkOneOf,
  checkOptions,
  checkWaiting,
  describe,
  WaitingCheck,
} from '../src/check.ts';

const action = 'Cannot test';

group('describe()', () => {
  test.for<[unknown, string]>([
    [undefined, 'undefined'],
    [null, 'null'],
    [true, 'true'],
    [-0.5, '-0.5'],
    [NaN, 'NaN'],
    [5n, '5n'],
    ['a "b"', '"a \\"b\\""'],
    ['x'.repeat(40), `"${'x'.repeat(40)}"`],
    ['x'.repeat(41), 'a string of 41 characters'],
    [[1, 2], 'an array'],
    [{ secret: 1 }, 'an object'],
    [new Map([['secret', 1]]), 'an object'],
    [() => 'secret', 'a function'],
    [Symbol('secret'), 'a symbol'],
  ])('says of %o: %s', ([value, words]) => expect(describe(value)).toBe(words));
});

group('checkMs()', () => {
  test.for([0, 0.5, 1e12, Infinity])('accepts %d', (value) => {
    expect(() => checkMs(action, 'ms', value)).not.toThrow();
  });

  test.for([-1, -0.001, NaN, -Infinity])('refuses %d as out of range', (value) => {
    expect(() => checkMs(action, 'ms', value)).toThrow(new RangeError(`Cannot test: ms must be >= 0, got ${value}`));
  });

  test.for([undefined, null, '5', 5n, {}])('refuses %o, which is no number', (value) => {
    expect(() => checkMs(action, 'ms', value)).toThrow(TypeError);
    expect(() => checkMs(action, 'ms', value)).toThrow('Cannot test: ms must be a number, got');
  });

  test('knows another least value', () => {
    expect(() => checkMs(action, 'ms', 1, 1)).not.toThrow();
    expect(() => checkMs(action, 'ms', 0.9, 1)).toThrow(new RangeError('Cannot test: ms must be >= 1, got 0.9'));
  });
});

group('checkCount()', () => {
  test('accepts whole numbers in range, their ends included', () => {
    for (const value of [1, 2, 3]) expect(() => checkCount(action, 'n', value, 1, 3)).not.toThrow();
    expect(() => checkCount(action, 'n', Number.MAX_SAFE_INTEGER, 0)).not.toThrow();
  });

  test.for([0, 4, 1.5, NaN, Infinity, -Infinity])('refuses %d from 1 to 3', (value) => {
    const error = new RangeError(`Cannot test: n must be a whole number from 1 to 3, got ${value}`);
    expect(() => checkCount(action, 'n', value, 1, 3)).toThrow(error);
  });

  test('accepts Infinity only where it is the greatest value', () => {
    expect(() => checkCount(action, 'n', Infinity, 0, Infinity)).not.toThrow();
    expect(() => checkCount(action, 'n', Infinity, 0)).toThrow(
      new RangeError('Cannot test: n must be a whole number >= 0, got Infinity'),
    );
    expect(() => checkCount(action, 'n', -Infinity, -Infinity, Infinity)).toThrow(RangeError);
  });

  test.for([undefined, null, '5', [5]])('refuses %o, which is no number', (value) => {
    expect(() => checkCount(action, 'n', value, 0)).toThrow(TypeError);
    expect(() => checkCount(action, 'n', value, 0)).toThrow('Cannot test: n must be a number, got');
  });
});

group('checkFunction()', () => {
  test('accepts functions and nothing else', () => {
    expect(() => checkFunction(action, 'f', () => {})).not.toThrow();
    expect(() => checkFunction(action, 'f', undefined)).toThrow(
      new TypeError('Cannot test: f must be a function, got undefined'),
    );
  });
});

group('checkOneOf()', () => {
  test('accepts the words allowed and nothing else', () => {
    expect(() => checkOneOf(action, 'w', 'b', ['a', 'b'])).not.toThrow();
    expect(() => checkOneOf(action, 'w', 'c', ['a', 'b'])).toThrow(
      new RangeError('Cannot test: w must be one of a, b, got "c"'),
    );
    expect(() => checkOneOf(action, 'w', '', ['a', 'b'])).toThrow(RangeError);
  });

  test.for([undefined, null, 5, true, ['a'], {}])('refuses %o, which is no word, with a TypeError', (value) => {
    expect(() => checkOneOf(action, 'w', value, ['a', 'b'])).toThrow(TypeError);
    expect(() => checkOneOf(action, 'w', value, ['a', 'b'])).toThrow('Cannot test: w must be one of a, b, got');
  });
});

group('checkOptions()', () => {
  test('accepts known members, all or none', () => {
    expect(() => checkOptions(action, {}, ['a'])).not.toThrow();
    expect(() => checkOptions(action, { a: undefined, b: 1 }, ['a', 'b'])).not.toThrow();
  });

  test('refuses an unknown member, and says which are known', () => {
    expect(() => checkOptions(action, { a: 1, timeoutMS: 2 }, ['a', 'timeoutMs'])).toThrow(
      new TypeError('Cannot test: unknown option "timeoutMS"; known are a, timeoutMs'),
    );
  });

  test.for([null, undefined, 5, 'a', [], () => {}])('refuses %o', (options) => {
    expect(() => checkOptions(action, options, ['a'])).toThrow(TypeError);
    expect(() => checkOptions(action, options, ['a'])).toThrow('Cannot test: options must be an object, got');
  });
});

group('checkWaiting()', () => {
  const { signal } = new AbortController();

  test.for([{}, { timeoutMs: 0 }, { timeoutMs: Infinity, signal }, { timeoutMs: undefined, signal: undefined }])(
    'accepts %o',
    (options) => expect(() => checkWaiting(action, options)).not.toThrow(),
  );

  test.for<[string, unknown, typeof TypeError | typeof RangeError]>([
    ['options must be an object, got null', null, TypeError],
    ['timeoutMs must be >= 0, got -1', { timeoutMs: -1 }, RangeError],
    ['timeoutMs must be >= 0, got NaN', { timeoutMs: NaN }, RangeError],
    ['timeoutMs must be a number, got null', { timeoutMs: null }, TypeError],
    ['unknown option "timeout"; known are timeoutMs, signal', { timeout: 5 }, TypeError],
    ['signal must be an AbortSignal, got null', { signal: null }, TypeError],
    ['signal must be an AbortSignal, got an object', { signal: { aborted: false } }, TypeError],
    ['signal must be an AbortSignal, got an object', { signal: new AbortController() }, TypeError],
  ])('refuses: %s', ([message, options, type]) => {
    expect(() => checkWaiting(action, options as never)).toThrow(new type(`Cannot test: ${message}`));
    expect(() => new WaitingCheck().begin(action, options as never)).toThrow(new type(`Cannot test: ${message}`));
  });
});

group('WaitingCheck', () => {
  test('throws the reason of a signal that is aborted, at the first call and at any later one', () => {
    const check = new WaitingCheck();
    const reason = new Error('enough');
    const caught = (options: { readonly signal: AbortSignal }) => {
      try {
        check.begin(action, options);
      } catch (error) {
        return error;
      }
      return 'nothing';
    };
    expect(caught({ signal: AbortSignal.abort(reason) })).toBe(reason);
    const controller = new AbortController();
    const options = { signal: controller.signal };
    expect([caught(options), caught(options)]).toEqual(['nothing', 'nothing']);
    controller.abort(reason);
    expect(caught(options)).toBe(reason);
  });

  test('refuses wrong options each time, and looks at other options anew', () => {
    const check = new WaitingCheck();
    const wrong = { timeoutMs: -1 };
    const good = { timeoutMs: 5 };
    const misspelt = { timeout: 5 } as never;
    for (let time = 0; time < 2; time++) {
      expect(() => check.begin(action, wrong)).toThrow(RangeError);
      expect(() => check.begin(action, good)).not.toThrow();
      expect(() => check.begin(action, misspelt)).toThrow('unknown option "timeout"');
      expect(() => check.begin(action, misspelt)).toThrow('unknown option "timeout"');
    }
    good.timeoutMs = NaN;
    expect(() => check.begin(action, good)).toThrow(RangeError);
  });
});
