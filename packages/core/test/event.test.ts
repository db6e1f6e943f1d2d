import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createEvent, decodeEvent, newEventId } from '../src/index.ts';
import { virtualClock } from '../src/testing.ts';

const failure = (input: unknown): unknown => {
  try {
    return createEvent(input as never);
  } catch (error) {
    return error;
  }
};

describe('newEventId()', () => {
  test('gives a different id each time', () => {
    expect(new Set(Array.from({ length: 5000 }, newEventId)).size).toBe(5000);
  });

  test('begins with the same random prefix in one process', () => {
    const prefix = (id: string) => id.slice(0, 25);
    expect(prefix(newEventId())).toMatch(/^[0-9a-f]{24}-$/);
    expect(prefix(newEventId())).toBe(prefix(newEventId()));
  });
});

describe('createEvent()', () => {
  test('fills in what is missing: an id, and the time of the clock', () => {
    const clock = virtualClock({ startDate: 1_700_000_000_000 });
    const event = createEvent({ type: 't', data: 1 }, clock);
    expect(event).toEqual({ id: event.id, type: 't', data: 1, time: 1_700_000_000_000 });
    expect(event.id).not.toBe(createEvent({ type: 't' }).id);
  });

  test('keeps what is there, and answers the same object if nothing is missing', () => {
    const input = { id: 'a', type: 't', key: 'k', data: null, headers: { a: 'b' }, time: 0 };
    expect(createEvent(input)).toBe(input);
    expect(createEvent({ ...input, time: undefined } as never)).toMatchObject({
      id: 'a',
      key: 'k',
      headers: { a: 'b' },
    });
    expect(createEvent({ id: 'mine', type: 't' }).id).toBe('mine');
    expect(createEvent({ time: 5, type: 't' }).time).toBe(5);
  });

  test('does not change its input', () => {
    const input = Object.freeze({ type: 't', data: Object.freeze({ a: 1 }) });
    expect(createEvent(input)).not.toBe(input);
    expect(Object.keys(input)).toEqual(['type', 'data']);
  });

  test('accepts any text in id, type, key and headers, also an empty key', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', minLength: 1 }),
        fc.string({ unit: 'binary' }),
        fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })),
        (text, key, headers) => {
          const input = { id: text, type: text, key, headers, time: 0 };
          expect(createEvent(input)).toBe(input);
        },
      ),
    );
  });

  test.for<[string, unknown]>([
    ['event must be an object, as in push({ type, data }), got null', null],
    ['event must be an object, as in push({ type, data }), got a string', 'order'],
    ['event must be an object, as in push({ type, data }), got undefined', undefined],
    ['event.type must be a non-empty string, got undefined', {}],
    ['event.type must be a non-empty string, got ""', { type: '' }],
    ['event.type must be a non-empty string, got 5', { type: 5 }],
    ['event.id must be a non-empty string, got ""', { type: 't', id: '' }],
    ['event.id must be a non-empty string, got null', { type: 't', id: null }],
    ['event.key must be a string, got 7', { type: 't', key: 7 }],
    ['event.time must be milliseconds since the Unix epoch, got NaN', { type: 't', time: NaN }],
    ['event.time must be milliseconds since the Unix epoch, got Infinity', { type: 't', time: Infinity }],
    ['event.time must be milliseconds since the Unix epoch, got an object', { type: 't', time: new Date(0) }],
    ['event.headers must be an object of strings, got a string', { type: 't', headers: 'x' }],
    ['event.headers must be an object of strings, got null', { type: 't', headers: null }],
    ['event.headers must be an object of strings, got an array', { type: 't', headers: ['a'] }],
    ['event.headers["a b"] must be a string, got 5', { type: 't', headers: { ok: 'x', 'a b': 5 } }],
    ['event.headers["n"] must be a string, got undefined', { type: 't', headers: { n: undefined } }],
  ])('refuses with a TypeError: %s', ([message, input]) => {
    const error = failure(input);
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toBe(`Cannot push: ${message}`);
  });

  test.for<[string, unknown]>([
    ['"payload"', { type: 't', payload: { card: 4111 } }],
    ['"detail"', { id: 'a', type: 't', time: 0, detail: 0 }],
    ['"partitionkey"', { type: 't', partitionkey: 'k', data: undefined }],
    ['"Data"', Object.assign(Object.create({ inherited: 1 }), { type: 't', Data: 1 })],
    ['a string of 41 characters', { type: 't', ['x'.repeat(41)]: 1 }],
  ])('refuses what it does not know in an event without data, which it may have been meant as: %s', ([name, input]) => {
    const known = 'id, type, key, data, headers, time';
    expect(failure(input)).toEqual(
      new TypeError(`Cannot push: event has no data, and ${name} is no member of an event; known are ${known}`),
    );
  });

  test('takes an event with data that carries something else, which does not travel, or what is undefined or inherited', () => {
    const known = { id: 'a', type: 't', key: 'k', data: null, headers: { h: '1' } };
    const { time, ...copied } = createEvent({ ...known, traceId: 'x' } as never);
    expect(copied).toStrictEqual(known);
    expect(time).toBeGreaterThan(0);
    expect(createEvent({ type: 't', payload: undefined } as never).data).toBeUndefined();
    expect(createEvent(Object.assign(Object.create({ inherited: 1 }), { type: 't' })).type).toBe('t');
    expect(createEvent({ type: 't', data: undefined, key: 'k', headers: {}, id: 'a', time: 0 }).key).toBe('k');
  });

  test('accepts every event that was read, also one without data', () => {
    const texts = [
      '{"specversion":"1.0","id":"1","source":"/shop","type":"t","subject":"s","traceparent":"p"}',
      '{"specversion":"1.0","id":"1","source":"/shop","type":"t","partitionkey":"k","data_base64":"AA=="}',
      '{"type":"t"}',
      '{"type":"t","payload":1}',
    ];
    for (const text of texts) {
      const event = decodeEvent(text);
      expect(createEvent(event)).toBe(event);
      expect(createEvent({ ...event, headers: { ...event.headers, nqreason: 'no' } }).id).toBe(event.id);
    }
  });

  test.for<[string, unknown]>([
    ['function', () => {}],
    ['symbol', Symbol('s')],
    ['bigint', 5n],
  ])('rejects data that is a %s with NQ_PAYLOAD', ([kind, data]) => {
    const error = failure({ type: 't', data });
    expect(error).toMatchObject({ code: 'NQ_PAYLOAD' });
    expect((error as Error).message).toContain(`got a ${kind}`);
  });

  test('never shows what data or a long value holds', () => {
    const secret = `4111${'1'.repeat(60)}`;
    const inputs = [
      { type: [secret] },
      { type: 't', key: { secret } },
      { type: 't', headers: { n: { secret } } },
      secret,
    ];
    for (const input of inputs) expect(String(failure(input))).not.toContain('4111');
  });
});
