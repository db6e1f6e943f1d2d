import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeEvent, encodeEvent, isNqError, type QueueEvent } from '../src/index.ts';
import { decodeSimpleEvent, encodeEventBehind } from '../src/parts.ts';
import { virtualClock } from '../src/testing.ts';

const base: QueueEvent = { id: 'a', type: 't', data: 1, time: 1_700_000_000_123 };
const wire = (event: QueueEvent) => JSON.parse(encodeEvent(event)) as Record<string, unknown>;
const cloudEvent = (members: Record<string, unknown>) =>
  JSON.stringify({ specversion: '1.0', id: 'a', source: '/s', type: 't', ...members });

function failure(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected it to throw');
}

/** Anything that JSON has, with odd names and strings: -0, which it has not, is 0. */
const json = fc.jsonValue({ stringUnit: 'binary' }).map((value): unknown => JSON.parse(JSON.stringify(value)));
const text = fc.string({ unit: 'binary' });
/** Any UTF-16, lone surrogates and NUL included. */
const utf16 = fc.array(fc.integer({ min: 0, max: 0xff_ff })).map((units) => String.fromCharCode(...units));
const anyText = fc.oneof(
  text,
  utf16,
  fc.constantFrom('\0', '\uD800', '\uDC00a', 'é', 'e\u0301', '👩‍👩‍👧', '__proto__', ''),
);
const headerName = fc.oneof(
  anyText,
  fc.constantFrom(
    ...['id', 'type', 'time', 'data', 'data_base64', 'specversion', 'partitionkey', 'datacontenttype', 'nqheaders'],
    ...[
      'source',
      'subject',
      'dataschema',
      'traceparent',
      'toJSON',
      'constructor',
      'hasOwnProperty',
      '0',
      'UPPER',
      'a-b',
    ],
  ),
);
const headerValue = fc.oneof(anyText, fc.constantFrom('/nq', 'null', '1.0'));
const headers = fc
  .array(fc.tuple(headerName, headerValue), { minLength: 1 })
  .map((entries) => Object.fromEntries(entries));
const time = fc.integer({ min: Date.UTC(0, 0, 1) - 1900 * 365.2425 * 86_400_000, max: Date.UTC(9999, 11, 31) });

const anyEvent: fc.Arbitrary<QueueEvent> = fc.record(
  {
    id: anyText.filter((id) => id !== ''),
    type: anyText.filter((type) => type !== ''),
    key: anyText,
    data: fc.oneof(json, anyText, fc.constantFrom(null, false, 0, '', [], {}, undefined), fc.uint8Array()),
    headers,
    time,
  },
  { requiredKeys: ['id', 'type', 'data', 'time'], noNullPrototype: true },
);

describe('encodeEvent() and decodeEvent()', () => {
  test('carry any event there and back', () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        expect(decodeEvent(encodeEvent(event))).toStrictEqual(event);
      }),
      { numRuns: 1000 },
    );
  });

  test('carry headers and members of data whose names objects treat in their own way', () => {
    const odd = Object.fromEntries(['__proto__', 'constructor', 'toString', '2', '1'].map((name) => [name, name]));
    const { data, headers: carried } = decodeEvent(encodeEvent({ ...base, data: odd, headers: odd }));
    expect(Object.entries(data as object).sort()).toEqual(Object.entries(odd).sort());
    expect(Object.entries(carried ?? {}).sort()).toEqual(Object.entries(odd).sort());
  });

  test('carry each of the 256 bytes, and bytes that are a part of a larger buffer', () => {
    const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    expect(decodeEvent(encodeEvent({ ...base, data: all })).data).toEqual(all);
    const part = new Uint8Array(all.buffer, 65, 3);
    const { data } = decodeEvent(encodeEvent({ ...base, data: part }));
    expect(data).toEqual(Uint8Array.of(65, 66, 67));
    expect(Object.getPrototypeOf(data)).toBe(Uint8Array.prototype);
    expect(decodeEvent(encodeEvent({ ...base, data: new Uint8Array(0) })).data).toEqual(new Uint8Array(0));
  });

  test('make of data what JSON makes of it, below the top level', () => {
    const data = { date: new Date(0), none: undefined, list: [undefined, NaN], nested: { toJSON: () => 'short' } };
    expect(decodeEvent(encodeEvent({ ...base, data })).data).toEqual(JSON.parse(JSON.stringify(data)));
    expect(decodeEvent(encodeEvent({ ...base, data: new Date(0) })).data).toBe('1970-01-01T00:00:00.000Z');
  });

  test('carry an object as a copy', () => {
    const data = { n: 1 };
    expect(decodeEvent(encodeEvent({ ...base, data })).data).not.toBe(data);
  });
});

describe('decodeSimpleEvent()', () => {
  const outcome = (read: () => QueueEvent | undefined): unknown => {
    try {
      return read();
    } catch (error) {
      return (error as Error).message;
    }
  };
  const read = (value: string): unknown => {
    const bytes = Buffer.from(value);
    return outcome(() => decodeSimpleEvent(bytes, bytes.toString('latin1', 0, 256), 1));
  };

  test('says what decodeEvent() says, or nothing', () => {
    // Most of what can be wrong stands at the end.
    const edit = fc.record({
      fromEnd: fc.oneof(fc.nat({ max: 2 }), fc.nat({ max: 200 })),
      removed: fc.nat({ max: 3 }),
      added: fc.constantFrom(
        '',
        '"',
        '\\',
        '}',
        '{',
        ',',
        '"x":1,',
        ',"id":"b"',
        ',"data":2',
        '\n',
        '\0',
        '2',
        '2}',
        'é',
      ),
    });
    const ascii = fc.string({ minLength: 1 });
    const event = fc.record(
      { id: ascii, type: ascii, key: ascii, data: fc.oneof(json, anyText, fc.constant(undefined)), time },
      { requiredKeys: ['id', 'type', 'data', 'time'] },
    );
    fc.assert(
      fc.property(event, fc.array(edit, { maxLength: 2 }), (one, edits) => {
        let value = encodeEvent(one);
        for (const { fromEnd, removed, added } of edits) {
          const place = Math.max(0, value.length - fromEnd);
          value = value.slice(0, place) + added + value.slice(place + removed);
        }
        fc.pre(value.startsWith('{'));
        const simple = read(value);
        // Lone surrogates are not in UTF-8.
        const arrived = Buffer.from(value).toString();
        expect(simple).toStrictEqual(simple === undefined ? undefined : outcome(() => decodeEvent(arrived)));
      }),
      { numRuns: 3000 },
    );
  });

  test('reads events as encodeEvent() writes them', () => {
    const events = [
      base,
      { ...base, key: 'k' },
      { ...base, data: { n: [1, 'é', null] } },
      { ...base, data: undefined },
    ];
    for (const event of events) expect(read(encodeEvent(event))).toStrictEqual(decodeEvent(encodeEvent(event)));
  });

  test('leaves what has something behind its end to who tells it, also where the head ends there', () => {
    const { length } = encodeEvent({ ...base, id: '', data: undefined });
    for (const end of [255, 256, 257]) {
      const event = { ...base, id: 'x'.repeat(end - length), data: undefined };
      expect(read(encodeEvent(event))).toStrictEqual(end > 256 ? undefined : event);
      expect(read(`${encodeEvent(event)}{"n":1}}`)).toBeUndefined();
    }
  });

  test('leaves what is not UTF-8 to who tells it', () => {
    const bytes = Buffer.concat([
      Buffer.from(encodeEvent({ ...base, data: 'x' }).slice(0, -2)),
      Buffer.of(0xff, 0x22, 0x7d),
    ]);
    expect(decodeSimpleEvent(bytes, bytes.toString('latin1'), 1)).toBeUndefined();
  });
});

describe('encodeEvent()', () => {
  test('writes structured CloudEvents 1.0 JSON', () => {
    const event = { ...base, key: 'k', data: { n: 1 }, headers: { traceparent: '00-1', 'x-odd': 'y' } };
    expect(wire(event)).toEqual({
      specversion: '1.0',
      id: 'a',
      source: '/nq',
      type: 't',
      time: '2023-11-14T22:13:20.123Z',
      partitionkey: 'k',
      traceparent: '00-1',
      nqheaders: '{"x-odd":"y"}',
      data: { n: 1 },
    });
  });

  test('writes bytes as data_base64', () => {
    expect(wire({ ...base, data: Uint8Array.of(0, 255) })).toMatchObject({
      datacontenttype: 'application/octet-stream',
      data_base64: 'AP8=',
    });
    expect(wire({ ...base, data: Uint8Array.of(1) })).not.toHaveProperty('data');
  });

  test('writes neither data nor a content type where there is no data', () => {
    expect(Object.keys(wire({ ...base, data: undefined }))).toEqual(['specversion', 'id', 'source', 'type', 'time']);
    expect(wire({ ...base, data: null })).toMatchObject({ data: null });
  });

  test('writes source, subject and dataschema from headers of these names', () => {
    const attributes = { source: '/shop', subject: 'order/1', dataschema: 'https://example.com/schema' };
    expect(wire({ ...base, headers: attributes })).toMatchObject(attributes);
  });

  test('always has the required attributes, and only names and values that attributes can have', () => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        const { data: _, data_base64: __, ...attributes } = wire(event);
        expect(attributes).toMatchObject({ specversion: '1.0', id: event.id, type: event.type });
        expect(attributes['source']).not.toBe('');
        expect(attributes['time']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        for (const [name, value] of Object.entries(attributes)) {
          expect(name).toMatch(/^[a-z0-9]+$/);
          expect(typeof value).toBe('string');
        }
      }),
    );
  });

  test('lets no header change an attribute of the event', () => {
    const own = { id: 'x', type: 'x', time: 'x', specversion: 'x', partitionkey: 'x', data: 'x', datacontenttype: 'x' };
    expect(wire({ ...base, headers: own })).toMatchObject({ id: 'a', type: 't', specversion: '1.0', data: 1 });
    expect(wire({ ...base, headers: own })).not.toHaveProperty('partitionkey');
  });

  test('counts maxBytes in bytes of UTF-8, not in characters', () => {
    const event = { ...base, data: '€'.repeat(100) };
    const bytes = Buffer.byteLength(encodeEvent(event));
    expect(bytes).toBe(encodeEvent(event).length + 200);
    expect(encodeEvent(event, { maxBytes: bytes })).toBe(encodeEvent(event));
    const error = failure(() => encodeEvent(event, { maxBytes: bytes - 1 }));
    expect(isNqError(error, 'NQ_PAYLOAD')).toBe(true);
    expect(error.message).toBe(`Cannot encode event "a": ${bytes} bytes are more than the ${bytes - 1} allowed`);
  });

  test.for<[string, QueueEvent]>([
    ['few attributes', { ...base, data: '€'.repeat(100) }],
    ['headers', { ...base, data: '€'.repeat(100), headers: { region: 'eu' } }],
    ['bytes', { ...base, data: new Uint8Array(100) }],
  ])('is written behind other members, which do not count as bytes of it: with %s', ([, event]) => {
    const alone = encodeEvent(event);
    const bytes = Buffer.byteLength(alone);
    expect(encodeEventBehind('{"a":1,', event, { maxBytes: bytes })).toBe(`{"a":1,${alone.slice(1)}`);
    const error = failure(() => encodeEventBehind('{"a":1,', event, { maxBytes: bytes - 1 }));
    expect(error.message).toBe(`Cannot encode event "a": ${bytes} bytes are more than the ${bytes - 1} allowed`);
  });

  test('tells events apart that follow one another, of one type or of one time', () => {
    const times = [1000, 2000, 1000];
    const events: QueueEvent[] = ['a', 'b', 'a'].flatMap((type) =>
      times.map((at, index) => ({ id: `${type}-${index}`, type, time: at, data: index })),
    );
    expect(events.map((event) => decodeEvent(encodeEvent(event)))).toEqual(events);
  });

  const cycle: Record<string, unknown> = { secret: 'hunter2' };
  cycle['self'] = cycle;
  const raw = new Error('hunter2');

  test.for<[string, unknown]>([
    ['holds a bigint', { secret: 'hunter2', n: 1n }],
    ['is a bigint', 1n],
    ['holds itself', cycle],
    ['is a function', () => 'hunter2'],
    ['is a symbol', Symbol('hunter2')],
    ['has a toJSON() that gives nothing', { secret: 'hunter2', toJSON: () => undefined }],
    [
      'has a toJSON() that throws',
      {
        toJSON: () => {
          throw raw;
        },
      },
    ],
    ['is NaN, which JSON makes null', NaN],
    ['is Infinity, which JSON makes null', Infinity],
  ])('rejects NQ_PAYLOAD when data %s, with the raw error in the cause alone', ([, data]) => {
    const error = failure(() => encodeEvent({ ...base, data }));
    expect(isNqError(error, 'NQ_PAYLOAD')).toBe(true);
    expect(error.message).toBe('Cannot encode event "a": its data cannot be written as JSON');
    expect(error.cause).toBeInstanceOf(Error);
  });

  class Secret extends Map<string, string> {}
  const ofClass: [string, object][] = [
    ['Map', new Map([['hunter2', 1]])],
    ['Map', new Secret([['hunter2', 'x']])],
    ['Set', new Set(['hunter2'])],
    ['WeakMap', new WeakMap()],
    ['Error', new RangeError('hunter2')],
    ['RegExp', /hunter2/],
    ['ArrayBuffer', new ArrayBuffer(2)],
    ['SharedArrayBuffer', new SharedArrayBuffer(2)],
    ['Float64Array', Float64Array.of(1)],
    ['Uint8ClampedArray', Uint8ClampedArray.of(1)],
    ['DataView', new DataView(new ArrayBuffer(1))],
    ['Promise', Promise.resolve('hunter2')],
    ['String', Object('hunter2') as object],
    ['Number', Object(1) as object],
  ];

  test.for(ofClass)(
    'rejects NQ_PAYLOAD for data of class %s, which JSON would make something else of',
    ([name, data]) => {
      const error = failure(() => encodeEvent({ ...base, data }));
      expect(isNqError(error, 'NQ_PAYLOAD')).toBe(true);
      expect(error.message).toBe(`Cannot encode event "a": its data is of class ${name}, which JSON does not carry`);
    },
  );

  test('takes objects that say themselves what they are in JSON, those of other classes, and those without a class', () => {
    class Order {
      readonly total = 5;
    }
    const map = Object.assign(new Map([['a', 1]]), { toJSON: () => ({ a: 1 }) });
    expect(wire({ ...base, data: map })['data']).toEqual({ a: 1 });
    expect(wire({ ...base, data: new Order() })['data']).toEqual({ total: 5 });
    expect(wire({ ...base, data: Object.assign(Object.create(null) as object, { b: 2 }) })['data']).toEqual({ b: 2 });
    expect(wire({ ...base, data: [new Map()] })['data']).toEqual([{}]);
  });

  test('asks toJSON() once', () => {
    let asked = 0;
    const data = { toJSON: () => ++asked };
    expect(wire({ ...base, data })).toMatchObject({ data: 1 });
  });

  test('rejects NQ_PAYLOAD for a time that RFC 3339 cannot write', () => {
    const first = Date.parse('0000-01-01T00:00:00.000Z');
    const last = Date.parse('9999-12-31T23:59:59.999Z');
    for (const ok of [first, last]) expect(decodeEvent(encodeEvent({ ...base, time: ok })).time).toBe(ok);
    for (const bad of [first - 1, last + 1, NaN, Infinity]) {
      expect(
        isNqError(
          failure(() => encodeEvent({ ...base, time: bad })),
          'NQ_PAYLOAD',
        ),
      ).toBe(true);
    }
  });
});

describe('decodeEvent() of a CloudEvents event', () => {
  test('reads what others write: source, subject, dataschema and extensions are headers', () => {
    const event = decodeEvent(
      cloudEvent({
        source: 'https://example.com/shop',
        subject: 'order/1',
        dataschema: 'https://example.com/schema',
        datacontenttype: 'application/json; charset=utf-8',
        partitionkey: 'acct-7',
        time: '2023-11-14T23:13:20.5+01:00',
        traceparent: '00-1',
        sequence: 12,
        sampled: true,
        nothing: null,
        data: { total: 5 },
      }),
    );
    expect(event).toEqual({
      id: 'a',
      type: 't',
      key: 'acct-7',
      data: { total: 5 },
      headers: {
        source: 'https://example.com/shop',
        subject: 'order/1',
        dataschema: 'https://example.com/schema',
        traceparent: '00-1',
        sequence: '12',
        sampled: 'true',
      },
      time: 1_700_000_000_500,
    });
  });

  test('writes them again as they were', () => {
    const members = { source: '/shop', subject: 'x', traceparent: '00-1', time: '2023-11-14T22:13:20.000Z' };
    expect(wire(decodeEvent(cloudEvent(members)))).toMatchObject(members);
  });

  test('takes the time of the clock where there is none', () => {
    const clock = virtualClock({ startDate: 42 });
    expect(decodeEvent(cloudEvent({}), { clock }).time).toBe(42);
    expect(decodeEvent(cloudEvent({ time: 7 }), { clock }).time).toBe(7);
  });

  test('has undefined data where there is none', () => {
    expect(decodeEvent(cloudEvent({}))).toMatchObject({ id: 'a', data: undefined });
  });

  test('reads base64 with and without padding, of either alphabet', () => {
    for (const base64 of ['+/8=', '+/8', '-_8', '-_8=']) {
      expect(decodeEvent(cloudEvent({ data_base64: base64 })).data).toEqual(Uint8Array.of(0xfb, 0xff));
    }
  });

  test.for<[string, Record<string, unknown>, string]>([
    ['another version', { specversion: '0.3' }, 'specversion must be "1.0", got "0.3"'],
    ['a version that is no string', { specversion: 1 }, 'specversion must be "1.0", got 1'],
    ['a version that has no text', { specversion: { toString: 0 } }, 'specversion must be "1.0", got object'],
    ['a version that is none', { specversion: 'hunter2' }, 'specversion must be "1.0", got string'],
    ['no id', { id: undefined }, 'id must be a non-empty string, got undefined'],
    ['an empty id', { id: '' }, 'id must be a non-empty string, got string'],
    ['a numeric id', { id: 5 }, 'id must be a non-empty string, got number'],
    ['a numeric partitionkey', { partitionkey: 5 }, 'partitionkey must be a string, got number'],
    ['a data_base64 that is no string', { data_base64: [1] }, 'data_base64 must be a string, got an array'],
    ['a data_base64 that is no base64', { data_base64: 'hunter2!!!' }, 'data_base64 is not base64'],
    ['a data_base64 with a digit too many', { data_base64: 'AAAAA' }, 'data_base64 is not base64'],
    ['a data_base64 with padding too much', { data_base64: 'AAA==' }, 'data_base64 is not base64'],
    ['a time that is none', { time: 'hunter2' }, 'time must be an RFC 3339 time'],
    ['a time that is a year', { time: '2024' }, 'time must be an RFC 3339 time'],
    ['a time in words', { time: '1 May 2024 10:00' }, 'time must be an RFC 3339 time'],
    ['a time without a time of day', { time: '2024-05-01' }, 'time must be an RFC 3339 time'],
    ['a time without an offset', { time: '2024-05-01T10:00:00' }, 'time must be an RFC 3339 time'],
    ['a time of no month', { time: '2024-13-01T10:00:00Z' }, 'time must be an RFC 3339 time'],
    ['a time of the wrong type', { time: { hunter2: 1 } }, 'time must be an RFC 3339 time'],
    ['an extension that is an object', { trace: { hunter2: 1 } }, 'attribute "trace" must not be an object'],
    ['an extension that is an array', { trace: ['hunter2'] }, 'attribute "trace" must not be an object'],
    ['nqheaders that are not JSON', { nqheaders: 'hunter2' }, 'nqheaders is not JSON'],
    ['nqheaders that hold no strings', { nqheaders: '{"a":["hunter2"]}' }, 'nqheaders must hold strings'],
  ])('rejects NQ_PAYLOAD for %s, without payload in the message', ([, members, message]) => {
    const error = failure(() => decodeEvent(cloudEvent(members)));
    expect(isNqError(error, 'NQ_PAYLOAD')).toBe(true);
    expect(error.message).toContain(`Cannot read the event: ${message}`);
    expect(error.message).not.toContain('hunter2');
  });
});

describe('decodeEvent() of foreign plain JSON', () => {
  const clock = virtualClock({ startDate: 99 });
  const foreign = (value: unknown, key?: string) =>
    decodeEvent(JSON.stringify(value), { clock, ...(key !== undefined && { foreign: { key } }) });

  test('takes the data member as data', () => {
    expect(foreign({ type: 't', id: 'x', data: { a: 1 }, other: 2, time: 5 })).toEqual({
      id: 'x',
      type: 't',
      data: { a: 1 },
      time: 5,
    });
    expect(foreign({ type: 't', data: null }).data).toBeNull();
  });

  test('takes the whole object as data where there is no data member', () => {
    const whole = { type: 't', amount: 5, nested: { a: 1 } };
    expect(foreign(whole).data).toEqual(whole);
  });

  test('makes an id and a time where there are none', () => {
    const event = foreign({ type: 't' });
    expect(event.time).toBe(99);
    expect(event.id).not.toBe('');
    expect(foreign({ type: 't' }).id).not.toBe(event.id);
    for (const id of ['', null, {}, [], true]) expect(foreign({ type: 't', id }).id).toMatch(/^[0-9a-f]{24}-/);
  });

  test('reads an id that is a string or a number', () => {
    expect(foreign({ type: 't', id: 'x' }).id).toBe('x');
    expect(foreign({ type: 't', id: 0 }).id).toBe('0');
    expect(foreign({ type: 't', id: 12.5 }).id).toBe('12.5');
  });

  test.for([
    '{"type":"t","id":1e999}',
    '{"type":"t","id":9007199254740993}',
    '{"type":"t","key":-9007199254740993}',
    '{"type":"t","key":1e30}',
  ])('rejects NQ_PAYLOAD for %s, a number that is no longer the one that was written', (written) => {
    const error = failure(() => decodeEvent(written));
    expect(isNqError(error, 'NQ_PAYLOAD')).toBe(true);
    expect(error.message).toMatch(/: (id|key) is a number that is too large to be exact: write it as a string$/);
  });

  test('writes a time in its own way, whatever way it was read in', () => {
    const written = cloudEvent({ time: '2024-01-01T02:00:00+02:00' });
    const first = decodeEvent(written);
    expect(decodeEvent(written)).toEqual(first);
    expect(wire(first)['time']).toBe('2024-01-01T00:00:00.000Z');
  });

  test('reads times of either kind', () => {
    expect(foreign({ type: 't', time: '1970-01-01T00:00:01Z' }).time).toBe(1000);
    expect(foreign({ type: 't', time: '1970-01-01t02:00:01.25+02:00' }).time).toBe(1250);
    expect(foreign({ type: 't', time: '1970-01-01T00:00:01z' }).time).toBe(1000);
    expect(foreign({ type: 't', time: 1000 }).time).toBe(1000);
    expect(foreign({ type: 't', time: null }).time).toBe(99);
  });

  test('finds the key in the member that the options name', () => {
    const value = { type: 't', key: 'k', AccountID: 7 };
    expect(foreign(value).key).toBe('k');
    expect(foreign(value, 'AccountID').key).toBe('7');
    expect(foreign(value, 'absent')).not.toHaveProperty('key');
    expect(foreign({ type: 't', key: null })).not.toHaveProperty('key');
    expect(foreign({ type: 't', key: '' }).key).toBe('');
  });

  test('may be anything that has a type', () => {
    fc.assert(
      fc.property(fc.dictionary(text, json), fc.string({ minLength: 1 }), (members, type) => {
        const { specversion: _, time: __, key: ___, ...rest } = members;
        const value = { ...rest, type };
        const event = foreign(value);
        expect(event.type).toBe(type);
        expect(event.data).toEqual(Object.hasOwn(value, 'data') ? (value as Record<string, unknown>)['data'] : value);
      }),
    );
  });

  test.for<[string, string, string]>([
    ['no JSON', '{"type":"hunter2', 'not JSON'],
    ['no JSON, short', 'hunter2', 'not JSON'],
    ['no JSON inside', '{"type":hunter2}', 'not JSON'],
    ['empty', '', 'not JSON'],
    ['an array', '["hunter2"]', 'expected a JSON object with a type, got an array'],
    ['null', 'null', 'expected a JSON object with a type, got null'],
    ['a string', '"hunter2"', 'expected a JSON object with a type, got string'],
    ['without a type', '{"event":"hunter2"}', 'type must be a non-empty string, got undefined'],
    ['of an empty type', '{"type":"","x":"hunter2"}', 'type must be a non-empty string, got ""'],
    ['of a type that is no string', '{"type":["hunter2"]}', 'type must be a non-empty string, got an array'],
    ['of a null type', '{"type":null}', 'type must be a non-empty string, got null'],
    ['with an object as key', '{"type":"t","key":{"hunter2":1}}', 'key must be a string or a number, got object'],
    ['with a time that is none', '{"type":"t","time":"hunter2"}', 'time must be'],
  ])('rejects NQ_PAYLOAD for what is %s, without payload in the message or the cause', ([, value, message]) => {
    const error = failure(() => decodeEvent(value));
    expect(isNqError(error, 'NQ_PAYLOAD')).toBe(true);
    expect(error.message).toContain(`Cannot read the event: ${message}`);
    expect(`${error.message} ${String(error.cause)}`).not.toContain('hunter2');
  });

  test('never throws anything but NQ_PAYLOAD, whatever the text', () => {
    const outcome = (value: string) => {
      try {
        return typeof decodeEvent(value).type;
      } catch (error) {
        return isNqError(error) ? error.code : error;
      }
    };
    const names = fc.constantFrom('type', 'id', 'time', 'specversion', 'data', 'data_base64', 'nqheaders', 'key');
    const oneOfThese = fc.oneof(json, fc.constantFrom('1.0', 't'));
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          fc.dictionary(names, oneOfThese).map((value) => JSON.stringify(value)),
        ),
        (value) => {
          expect(['string', 'NQ_PAYLOAD']).toContain(outcome(value));
        },
      ),
      { numRuns: 500 },
    );
  });
});
