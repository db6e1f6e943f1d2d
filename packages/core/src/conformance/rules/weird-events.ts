import { isDeepStrictEqual, types } from 'node:util';
import type { QueueEvent } from '../../event.ts';

/** What an event is changed into, and what that is for people. */
export interface WeirdEvent {
  readonly what: string;
  readonly changes: Partial<QueueEvent>;
}

const allBytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);

/** Data that queues are known to lose or to mangle. */
export const weirdData: readonly WeirdEvent[] = (
  [
    ['no data', undefined],
    ['null', null],
    ['false', false],
    ['0', 0],
    ['an empty string', ''],
    ['an empty array', []],
    ['an empty object', {}],
    ['empty bytes', new Uint8Array()],
    ['all 256 bytes', allBytes],
    ['a part of a larger buffer', allBytes.subarray(200, 210)],
    ['a NUL in a string', 'a\0b'],
    ['characters outside of the basic plane', '🗝 𝔫𝔮 👩‍👩‍👧'],
    ['combining characters', 'e\u0301 and \u00e9, \u1e9b\u0323'],
    ['a lone surrogate', 'a\ud800b'],
    ['a byte order mark in front', '\ufeffa'],
    ['spaces at both ends', ' \t text\r\n '],
    ['line separators, quotes and backslashes', '\u2028\u2029"\\/\'`${x}'],
    ['text that looks like JSON', '{"a":1}'],
    ['text that looks like a number', '007'],
    ['text that looks like base64', 'AAEC'],
    ['text that looks like a date', '2026-01-01T00:00:00.000Z'],
    ['dates in an object', { at: '2026-01-01T00:00:00.000Z', day: '2026-01-01' }],
    ['large and small numbers', [Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 1e308, 5e-324, 0.1]],
    ['nested values', { list: [[], [null, false, 0, ''], { a: { b: { c: [1, { d: 2 }] } } }] }],
    ['members that are empty', { none: null, list: [], object: {}, text: '', zero: 0, no: false }],
    ['a member called __proto__', JSON.parse('{"__proto__":{"polluted":true},"constructor":1}')],
    ['members called like those of an event', { id: '1', type: 'x', time: 1, data: { data: 2 }, specversion: '1.0' }],
  ] as const
).map(([what, data]) => ({ what: `data: ${what}`, changes: { data } }));

/** Characters of two, three and four bytes: nine bytes, and four units of UTF-16. */
const wideCharacters = 'ü€🗝';

/**
 * Text of several chunks, whatever power of two their size is up to 64 KiB: as nine divides none of these, the borders of
 * nine chunks fall on every byte of {@link wideCharacters}, wherever the text begins. And text of 64 KiB that is shorter
 * when its units are counted instead of its bytes. And as many bytes.
 *
 * @param mostBytes how long an event may be at most.
 */
export function longData(mostBytes: number): readonly WeirdEvent[] {
  const chunkBytes = 2 ** 16;
  // As base64, a third longer.
  const manyBytes = Uint8Array.from(
    { length: Math.min(chunkBytes + 300, Math.floor(mostBytes / 2)) },
    (_, index) => index,
  );
  const texts = [
    { what: 'of many chunks, in characters of several bytes', characters: wideCharacters, bytes: 9 * chunkBytes },
    { what: 'of 64 KiB, in characters of two bytes', characters: 'ü', bytes: chunkBytes },
    { what: 'of more than 64 KiB, in characters of three bytes', characters: '€', bytes: chunkBytes + 2 },
    { what: 'of 64 KiB, in characters of four bytes', characters: '🗝', bytes: chunkBytes },
  ].map(({ what, characters, bytes }) => {
    const each = Buffer.byteLength(characters);
    const data = characters.repeat(Math.ceil(Math.min(bytes, mostBytes - each) / each));
    return { what: `data: text ${what}`, changes: { data } };
  });
  return [...texts, { what: 'data: more than 64 KiB of bytes', changes: { data: manyBytes } }];
}

/** Attributes that queues are known to lose or to mangle. */
export const weirdAttributes: readonly WeirdEvent[] = [
  ...(
    [
      ['empty', ''],
      ['a space', ' '],
      ['with a NUL', 'a\0b'],
      ['with braces and slashes', 'acct/{7}:*?#'],
      ['not in ASCII', 'ключ 🗝'],
      ['of characters that could be written as one', 'cafe\u0301'],
      ['with spaces at both ends', ' key '],
      ['long', 'k'.repeat(1000)],
      ['called __proto__', '__proto__'],
      ['called constructor', 'constructor'],
      ['called toString', 'toString'],
      ['like a number', '007'],
    ] as const
  ).map(([what, key]) => ({ what: `a key that is ${what}`, changes: { key } })),
  ...(
    [
      ['with names in capitals', { 'X-Trace': 'a', 'x-trace': 'b' }],
      ['whose names are not in ASCII', { 'ключ 🗝': 'a', ' spaced ': 'b' }],
      [
        'whose values are empty, spaced, in capitals or not in ASCII',
        { a: '', b: ' x ', c: 'line\r\nbreak', d: 'Ü 🗝' },
      ],
      [
        'called like attributes',
        { id: '1', type: 't', key: 'k', time: '0', data: 'd', source: '/shop', datacontenttype: 'x' },
      ],
      ['called like members of every object', JSON.parse('{"__proto__":"a","constructor":"b"}')],
      ['that are long', { long: 'h'.repeat(5000) }],
      ['that are many', Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`h${index}`, String(index)]))],
    ] as const
  ).map(([what, headers]) => ({ what: `headers ${what}`, changes: { headers } })),
  { what: 'a key and headers', changes: { key: 'acct-7', headers: { traceparent: '00-4bf9', tenant: '7' } } },
  { what: 'a type that is not in ASCII', changes: { type: 'заказ/created v2 🗝' } },
  { what: 'a type with spaces at both ends', changes: { type: ' order.created ' } },
  { what: 'a type that is long', changes: { type: `order.${'created.'.repeat(50)}` } },
  { what: 'a time to the millisecond', changes: { time: Date.UTC(2001, 1, 3, 4, 5, 6, 789) } },
  { what: 'a time before 1970', changes: { time: -1 } },
  { what: 'a time long before 1970', changes: { time: Date.UTC(1901, 1, 3) } },
  { what: 'a time of 0', changes: { time: 0 } },
];

/**
 * What is otherwise in an event that came than in the one that was pushed, in words; `undefined` if nothing is. Headers that
 * are empty are the same as none.
 */
export function differenceOf(
  came: QueueEvent,
  pushed: QueueEvent,
  sameData: (a: unknown, b: unknown) => boolean,
): string | undefined {
  if (came.id !== pushed.id) return 'the id';
  if (came.type !== pushed.type) return 'the type';
  if (came.key !== pushed.key) return came.key === undefined ? 'the key is gone' : 'the key';
  // Events travel with a precision of milliseconds.
  if (!(Math.abs(came.time - pushed.time) < 1)) return `the time, by ${came.time - pushed.time} ms`;
  if (!isDeepStrictEqual({ ...came.headers }, { ...pushed.headers })) {
    return came.headers === undefined ? 'the headers are gone' : 'the headers';
  }
  if (types.isUint8Array(pushed.data)) {
    // Whatever class of bytes: some clients answer a Buffer.
    const same = types.isUint8Array(came.data) && Buffer.compare(came.data, pushed.data) === 0;
    return same ? undefined : 'the bytes';
  }
  return sameData(came.data, pushed.data) ? undefined : 'the data';
}
