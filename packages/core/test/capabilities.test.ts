import { describe, expect, test } from 'vitest';
import { type Capabilities, defineCapabilities } from '../src/index.ts';

const sound: Capabilities = {
  order: 'fifo',
  strictRetry: true,
  ack: 'individual',
  nackDelay: true,
  deadLetter: false,
  lease: { ms: 30_000, extend: true },
  capacity: 'hard',
  size: 'exact',
  multiInstance: false,
  groups: false,
  durable: 'none',
  isolation: 'copy',
  definiteTimeout: true,
  fairness: true,
  replay: false,
  maxPayloadBytes: Infinity,
};

describe('defineCapabilities()', () => {
  test('gives an equal copy, frozen all the way', () => {
    const defined = defineCapabilities(sound);
    expect(defined).toEqual(sound);
    expect(defined).not.toBe(sound);
    expect(defined.lease).not.toBe(sound.lease);
    expect(Object.isFrozen(defined) && Object.isFrozen(defined.lease)).toBe(true);
  });

  test.for<Partial<Capabilities>>([
    { order: 'key', ack: 'cumulative', capacity: 'none', size: 'approximate', durable: 'broker' },
    { order: 'none', size: 'none', durable: 'process', isolation: 'reference', maxPayloadBytes: 1 },
    { lease: false, groups: 'earliest' },
    { lease: { ms: Infinity, extend: false }, groups: 'latest' },
  ])('accepts %o', (changes) => {
    expect(defineCapabilities({ ...sound, ...changes })).toEqual({ ...sound, ...changes });
  });

  test.for(Object.keys(sound))('refuses to do without %s', (name) => {
    const { [name as keyof Capabilities]: _, ...rest } = sound;
    expect(() => defineCapabilities(rest as Capabilities)).toThrow(`Cannot declare capabilities: ${name} must be`);
  });

  test('refuses a member that it does not know', () => {
    expect(() => defineCapabilities({ ...sound, delay: true } as never)).toThrow(
      new RegExp('Cannot declare capabilities: unknown option "delay"; known are .*nackDelay'),
    );
  });

  test.for<[string, Record<string, unknown>, typeof TypeError | typeof RangeError]>([
    ['strictRetry', { strictRetry: 'yes' }, TypeError],
    ['replay', { replay: 1 }, TypeError],
    ['order', { order: 'lifo' }, RangeError],
    ['ack', { ack: true }, TypeError],
    ['durable', { durable: 'disk' }, RangeError],
    ['groups', { groups: true }, TypeError],
    ['groups', { groups: 'first' }, RangeError],
    ['lease', { lease: true }, TypeError],
    ['lease', { lease: null }, TypeError],
    ['lease', { lease: { ms: 1000 } }, TypeError],
    ['lease.ms', { lease: { ms: 0, extend: true } }, RangeError],
    ['lease.ms', { lease: { ms: '5', extend: true } }, TypeError],
    ['maxPayloadBytes', { maxPayloadBytes: 0 }, RangeError],
    ['maxPayloadBytes', { maxPayloadBytes: '1kB' }, TypeError],
  ])('refuses %s with a wrong value: %o', ([name, changes, type]) => {
    const define = () => defineCapabilities({ ...sound, ...changes } as never);
    expect(define).toThrow(type);
    expect(define).toThrow(`Cannot declare capabilities: ${name} must be`);
  });

  test('says that groups may also be false', () => {
    expect(() => defineCapabilities({ ...sound, groups: true } as never)).toThrow(
      new TypeError('Cannot declare capabilities: groups must be false or one of earliest, latest, got true'),
    );
  });

  test.for([null, undefined, 5, []])('refuses %o', (capabilities) => {
    expect(() => defineCapabilities(capabilities as never)).toThrow(TypeError);
  });
});
