import { checkCount, checkMs, checkOneOf, describe } from './check.ts';

/**
 * What an option of a queue type is: a whole number, a duration in milliseconds, text, yes or no, one of some words, a value
 * of the program that no URL can hold, or one that a URL holds as text.
 */
export type OptionKind = 'count' | 'ms' | 'text' | 'flag' | 'value' | readonly string[] | ValueFromText;

/** A value of the program, which is not looked at, or what the text of a URL stands for. */
export interface ValueFromText {
  /** @throws {TypeError} {RangeError} if the text stands for nothing. Whoever opens the queue may refuse what it answers, too. */
  readonly fromText: (text: string) => unknown;
}

/** A decimal number, as `Number()` would read it, but nothing else that `Number()` reads: no '', no '0x10', no '1e3'. */
const decimal = /^-?\d+(\.\d+)?$/;

/** The value that `text`, a URL parameter, stands for. @throws {TypeError} {RangeError} naming `name` if it stands for none. */
export function readParameter(action: string, name: string, text: string, kind: OptionKind): unknown {
  if (kind === 'count' || kind === 'ms') {
    const number = text === 'Infinity' ? Infinity : decimal.test(text) ? Number(text) + 0 : NaN;
    if (Number.isNaN(number)) throw new TypeError(`${action}: ${name} must be a number, got ${describe(text)}`);
    return readOption(action, name, number, kind);
  }
  if (typeof kind === 'object' && 'fromText' in kind) return kind.fromText(text);
  if (kind !== 'flag') return readOption(action, name, text, kind);
  if (text !== 'true' && text !== 'false')
    throw new TypeError(`${action}: ${name} must be true or false, got ${describe(text)}`);
  return text === 'true';
}

/** `value`, if it is of `kind`. @throws {TypeError} {RangeError} naming `name` if it is not. */
export function readOption(action: string, name: string, value: unknown, kind: OptionKind): unknown {
  if (typeof kind === 'object' && 'fromText' in kind) return value;
  switch (kind) {
    case 'value':
      break;
    case 'count':
      checkCount(action, name, value, 0, Infinity);
      break;
    case 'ms':
      checkMs(action, name, value);
      break;
    case 'text':
      // A text may be a password: what came instead is told by its type alone.
      if (typeof value !== 'string')
        throw new TypeError(`${action}: ${name} must be a string, got ${value === null ? 'null' : typeof value}`);
      break;
    case 'flag':
      if (typeof value !== 'boolean')
        throw new TypeError(`${action}: ${name} must be true or false, got ${describe(value)}`);
      break;
    default:
      checkOneOf(action, name, value, kind);
  }
  return value;
}
