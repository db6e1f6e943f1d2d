import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import type * as errors from '../src/errors.ts';
import { errorCodes, isNqError, NqError, type NqErrorCode } from '../src/index.ts';

const codes = Object.keys(errorCodes) as NqErrorCode[];

describe('errorCodes', () => {
  test('say of every code what happened, what to do, and whether to try again', () => {
    for (const code of codes) {
      const { meaning, action, retryable } = errorCodes[code];
      expect(code).toMatch(/^NQ_[A-Z]+(_[A-Z]+)*$/);
      expect(meaning).toMatch(/^[A-Z].*\.$/);
      expect(action).toMatch(/^[A-Z].*\.$/);
      expect(typeof retryable).toBe('boolean');
    }
  });

  // Programs depend on these: a code is never renamed, removed or reused.
  test('are these', () => {
    expect(codes.filter((code) => errorCodes[code].retryable).sort()).toEqual([
      'NQ_FULL',
      'NQ_HANDLER_FAILED',
      'NQ_HANDLER_TIMEOUT',
      'NQ_NO_HANDLER',
      'NQ_OUTCOME_UNKNOWN',
      'NQ_TIMEOUT',
      'NQ_UNAVAILABLE',
    ]);
    expect(codes.filter((code) => !errorCodes[code].retryable).sort()).toEqual([
      'NQ_ALREADY_SETTLED',
      'NQ_BACKEND',
      'NQ_CLOSED',
      'NQ_CONFIG',
      'NQ_LEASE_LOST',
      'NQ_NOT_INSTALLED',
      'NQ_PAYLOAD',
      'NQ_STOPPED',
      'NQ_UNSUPPORTED',
    ]);
  });
});

describe('NqError', () => {
  test('is an Error with a name, a code and a message', () => {
    const error = new NqError('NQ_FULL', 'Cannot push: no room');
    expect(error).toBeInstanceOf(Error);
    expect(String(error)).toBe('NqError: Cannot push: no room');
    expect(error.code).toBe('NQ_FULL');
    expect(error.stored).toBeUndefined();
    expect(error.stack).toContain('errors.test.ts');
  });

  test('keeps the cause, also an undefined one, and has none where none was given', () => {
    const cause = new Error('raw');
    expect(new NqError('NQ_BACKEND', 'm', { cause }).cause).toBe(cause);
    expect(Object.hasOwn(new NqError('NQ_BACKEND', 'm', { cause: undefined }), 'cause')).toBe(true);
    expect(Object.hasOwn(new NqError('NQ_BACKEND', 'm'), 'cause')).toBe(false);
    expect(Object.hasOwn(new NqError('NQ_BACKEND', 'm', { stored: 1 }), 'cause')).toBe(false);
  });

  test('says how many events of a pushMany() are stored', () => {
    expect(new NqError('NQ_TIMEOUT', 'm', { stored: 3 }).stored).toBe(3);
  });

  test('is shown by Node.js with what it says, and nothing else', () => {
    const shown = (error: NqError) =>
      inspect(error)
        .split('\n')
        .slice(1)
        .filter((line) => !/^ +at /.test(line));
    expect(shown(new NqError('NQ_FULL', 'm'))).toEqual(["  code: 'NQ_FULL'", '}']);
    expect(shown(new NqError('NQ_FULL', 'm', { stored: 0 }))).toEqual(["  code: 'NQ_FULL',", '  stored: 0', '}']);
    expect(Object.keys(new NqError('NQ_FULL', 'm', { cause: 1 }))).toEqual(['code']);
  });

  test.for(codes)('looks up whether %s is retryable', (code) => {
    expect(new NqError(code, 'm').retryable).toBe(errorCodes[code].retryable);
  });
});

describe('isNqError()', () => {
  test('knows an NqError, and its code where one is given', () => {
    const error: unknown = new NqError('NQ_FULL', 'm');
    expect(isNqError(error)).toBe(true);
    expect(isNqError(error, 'NQ_FULL')).toBe(true);
    expect(isNqError(error, 'NQ_CLOSED')).toBe(false);
  });

  test('knows the errors of another installed copy of this package', async () => {
    // Another specifier is another module.
    const specifier = '../src/errors.ts?another-copy';
    const copy = (await import(specifier)) as typeof errors;
    expect(copy.NqError).not.toBe(NqError);
    const foreign: unknown = new copy.NqError('NQ_CLOSED', 'm');
    expect(foreign).not.toBeInstanceOf(NqError);
    expect(isNqError(foreign, 'NQ_CLOSED')).toBe(true);
    expect(copy.isNqError(new NqError('NQ_FULL', 'm'), 'NQ_FULL')).toBe(true);
    // A copy may have it as a member of the error itself.
    expect(isNqError(Object.assign(new Error('m'), { [Symbol.for('@nq/error')]: true, code: 'NQ_FULL' }))).toBe(true);
  });

  test.for([undefined, null, 'NQ_FULL', 5, {}, new Error('NQ_FULL'), { code: 'NQ_FULL' }, () => {}])(
    'does not take %o for one',
    (value) => expect(isNqError(value)).toBe(false),
  );
});
