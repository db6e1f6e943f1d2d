import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type OptionKind, readOption, readParameter } from '../src/queue-option.ts';

const action = 'Cannot open';
const modes: readonly string[] = ['list', 'stream'];
const names: OptionKind = { fromText: (text) => text.split(',') };

describe('readOption()', () => {
  test.for<[unknown, OptionKind]>([
    [0, 'count'],
    [Infinity, 'count'],
    [0.5, 'ms'],
    [Infinity, 'ms'],
    ['', 'text'],
    ['x', 'text'],
    [true, 'flag'],
    [false, 'flag'],
    ['list', modes],
    [{ any: 'thing' }, 'value'],
    [undefined, 'value'],
    [['a'], names],
    ['a,b', names],
  ])('answers %o as it is for %o', ([value, kind]) => {
    expect(readOption(action, 'n', value, kind)).toBe(value);
  });

  test.for<[unknown, OptionKind, string, typeof TypeError | typeof RangeError]>([
    ['5', 'count', 'n must be a number, got "5"', TypeError],
    [1.5, 'count', 'n must be a whole number >= 0, got 1.5', RangeError],
    [-1, 'count', 'n must be a whole number >= 0, got -1', RangeError],
    [-1, 'ms', 'n must be >= 0, got -1', RangeError],
    ['1s', 'ms', 'n must be a number, got "1s"', TypeError],
    [5, 'text', 'n must be a string, got number', TypeError],
    [null, 'text', 'n must be a string, got null', TypeError],
    ['true', 'flag', 'n must be true or false, got "true"', TypeError],
    [1, 'flag', 'n must be true or false, got 1', TypeError],
    ['set', modes, 'n must be one of list, stream, got "set"', RangeError],
    [undefined, modes, 'n must be one of list, stream, got undefined', TypeError],
  ])('refuses %o for %o: %s', ([value, kind, message, type]) => {
    expect(() => readOption(action, 'n', value, kind)).toThrow(new type(`Cannot open: ${message}`));
  });
});

describe('readParameter()', () => {
  test.for<[string, OptionKind, unknown]>([
    ['0', 'count', 0],
    ['007', 'count', 7],
    ['5000', 'count', 5000],
    ['Infinity', 'count', Infinity],
    ['1.5', 'ms', 1.5],
    ['', 'text', ''],
    ['5', 'text', '5'],
    ['true', 'flag', true],
    ['false', 'flag', false],
    ['stream', modes, 'stream'],
  ])('reads %o for %o as %o', ([text, kind, value]) => {
    expect(readParameter(action, 'n', text, kind)).toBe(value);
  });

  test('reads what its kind makes of a text', () => {
    expect(readParameter(action, 'n', 'a,b', names)).toEqual(['a', 'b']);
  });

  test.for(['', ' ', '1e3', '0x10', '+1', '.5', '5.', '1_000', '1,5', 'NaN', '-Infinity', 'infinity', '5 ', '٣'])(
    'does not take %o for a number',
    (text) => {
      expect(() => readParameter(action, 'n', text, 'count')).toThrow(TypeError);
      expect(() => readParameter(action, 'n', text, 'ms')).toThrow('Cannot open: n must be a number, got');
    },
  );

  test('reads back any number that people write', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat({ max: 999 }), (whole, part) => {
        expect(readParameter(action, 'n', `${whole}`, 'count')).toBe(whole);
        expect(readParameter(action, 'n', `${whole}.${part}`, 'ms')).toBe(Number(`${whole}.${part}`));
      }),
    );
  });

  test('refuses a part of a thing that is counted', () => {
    expect(() => readParameter(action, 'n', '1.5', 'count')).toThrow(RangeError);
  });

  test.for(['', '1', '0', 'yes', 'TRUE'])('does not take %o for a flag', (text) => {
    expect(() => readParameter(action, 'n', text, 'flag')).toThrow(
      new TypeError(`Cannot open: n must be true or false, got "${text}"`),
    );
  });

  test('refuses a word that is not among those known', () => {
    expect(() => readParameter(action, 'n', 'LIST', modes)).toThrow(RangeError);
  });
});
