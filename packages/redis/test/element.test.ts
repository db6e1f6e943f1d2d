import { createEvent } from '@nq/core';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeElement, encodeElement, pushTimeOf } from '../src/element.ts';
import { countHandOut } from '../src/scripts/lua-parts.ts';
import { offer, useServer } from './support/server.ts';

const time = Date.UTC(2026, 10, 27);
const decode = (text: string | Buffer) => decodeElement(Buffer.from(text), { key: 'AccountID' });

describe('an element', () => {
  const event = createEvent({ id: 'e-1', type: 'order.created', key: 'acct-7', data: { total: 42 }, time });

  test('is CloudEvents JSON with the time of the push in front', () => {
    const text = encodeElement(event, 1000, Infinity);
    expect(text).toMatch(/^\{"nqtime":1000,"/);
    expect(JSON.parse(text)).toMatchObject({ nqtime: 1000, specversion: '1.0', id: 'e-1', partitionkey: 'acct-7' });
  });

  test.each(['', '"nqattempt":4,'])('comes back as it was, also with %s in front', (front) => {
    const text = `{${front}${encodeElement(event, 1000, Infinity).slice(1)}`;
    expect(decode(text)).toEqual({ event, handOuts: front === '' ? 0 : 4, pushedAt: 1000 });
  });

  test('whose time is not there has not been pushed by us', () => {
    const found = decode('{"type":"order.created","AccountID":"acct-7","total":42}');
    expect(found).toMatchObject({ handOuts: 0, pushedAt: undefined, event: { type: 'order.created', key: 'acct-7' } });
  });

  test.each<[string, number, number | undefined]>([
    ['{"nqattempt":999999999,"type":"a"}', 999_999_999, undefined],
    ['{"nqattempt":9999999999,"type":"a"}', 0, undefined],
    ['{"nqattempt":-1,"type":"a"}', 0, undefined],
    ['{"nqattempt":1.5,"type":"a"}', 0, undefined],
    ['{"nqattempt":"7","type":"a"}', 0, undefined],
    ['{"nqattempt": 7,"type":"a"}', 0, undefined],
    ['{"nqattempt":7,"nqattempt":8,"type":"a"}', 7, undefined],
    ['{"nqattempt":7,"nqattempt":9999999999,"type":"a"}', 7, undefined],
    ['{"nqtime":5,"nqattempt":8,"type":"a"}', 0, 5],
    ['{"nqattempt":2,"nqtime":999999999999999,"type":"a"}', 2, 999_999_999_999_999],
    ['{"nqtime":9999999999999999,"type":"a"}', 0, undefined],
    ['{"type":"a","nqattempt":7,"nqtime":5}', 0, undefined],
    [' {"nqattempt":7,"type":"a"}', 0, undefined],
  ])('%s counts %d hand-outs', (text, handOuts, pushedAt) => {
    expect(decode(text)).toMatchObject({ handOuts, pushedAt, event: { type: 'a' } });
  });

  test.each<[string, string | Buffer, number]>([
    ['nothing', '', 0],
    ['no members', '{}', 0],
    ['only a count', '{"nqattempt":3}', 0],
    ['a count and a comma', '{"nqattempt":3,}', 3],
    ['only a time', '{"nqtime":3,}', 0],
    ['an array', '[{"type":"a"}]', 0],
    ['a string', '"type"', 0],
    ['null', 'null', 0],
    ['no type', '{"nqattempt":3,"id":"x"}', 3],
    ['a type that is a number', '{"type":1}', 0],
    ['half an object', '{"type":"a"', 0],
    ['two objects', '{"type":"a"}{"type":"b"}', 0],
    ['a byte that is no UTF-8', Buffer.from('{"type":"a","name":"M\xfcller"}', 'latin1'), 0],
    ['a byte that is no UTF-8, behind a count', Buffer.from('{"nqattempt":2,"type":"\xff"}', 'latin1'), 2],
    [
      'a surrogate in UTF-8',
      Buffer.concat([Buffer.from('{"type":"a","x":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]),
      0,
    ],
    ['bytes', Buffer.from([0, 1, 2, 255]), 0],
  ])('of %s is no event', (_what, text, handOuts) => {
    expect(decode(text)).toEqual({ handOuts, flaw: expect.stringMatching(/^Cannot read the event: /) });
  });

  test('may hold the replacement character, which is UTF-8 like any other', () => {
    expect(decode('{"type":"a","x":"\u{fffd}"}')).toMatchObject({ event: { data: { x: '\u{fffd}' } } });
  });

  test.each([
    ['{"nqattempt":3,"nqtime":77,"type"', 77],
    ['{"nqtime":77,', 77],
    ['{"type":"a","nqtime":77,', undefined],
    ['', undefined],
  ])('that begins with %s was pushed at %s', (text, pushedAt) => {
    expect(pushTimeOf(text)).toBe(pushedAt);
  });
});

describe.skipIf(offer.missing !== undefined)(`counting hand-outs in Lua on ${offer.name}`, () => {
  const server = useServer();
  let client: Redis;
  beforeAll(() => {
    client = new Redis(server().url);
  });
  afterAll(() => client.disconnect());

  const lua = `${countHandOut} return {handedOut(ARGV[1]), asPushed(ARGV[1])}`;
  const run = async (text: string): Promise<[string, string]> => (await client.eval(lua, 0, text)) as [string, string];

  test.each([
    ['{"type":"a"}', '{"nqattempt":1,"type":"a"}'],
    ['{"nqattempt":1,"type":"a"}', '{"nqattempt":2,"type":"a"}'],
    ['{"nqattempt":9,"nqtime":3,"type":"a"}', '{"nqattempt":10,"nqtime":3,"type":"a"}'],
    ['{"nqattempt":999999999,"type":"a"}', '{"nqattempt":1000000000,"type":"a"}'],
    ['{"nqattempt":9999999999,"type":"a"}', '{"nqattempt":1,"nqattempt":9999999999,"type":"a"}'],
    [' { "type":"a"}', '{"nqattempt":1,"type":"a"}'],
    ['{}', '{}'],
    ['{ }', '{ }'],
    ['', ''],
    ['[1]', '[1]'],
    ['no JSON', 'no JSON'],
    ['{"nqattempt":3}', '{"nqattempt":1,"nqattempt":3}'],
    ['{"nqattempt":-3,"type":"a"}', '{"nqattempt":1,"nqattempt":-3,"type":"a"}'],
  ])('makes of %s %s', async (text, expected) => {
    expect((await run(text))[0]).toBe(expected);
  });

  test('counts by one whatever the event is, keeps the rest of it byte by byte, and takes the count off again', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.nat(1000),
        fc.boolean(),
        async (data, n, ours) => {
          const plain = ours
            ? encodeElement(createEvent({ id: 'i', type: 't', data, time }), 5, Infinity)
            : JSON.stringify({ type: 't', ...data, id: 'i' });
          const before = n === 0 ? plain : `{"nqattempt":${n},${plain.slice(1)}`;
          const [after, asPushed] = await run(before);
          expect(after).toBe(`{"nqattempt":${n + 1},${plain.slice(1)}`);
          expect(asPushed).toBe(plain);
          // Also of what is no event, as where data that is foreign says that its type is a number.
          expect(decode(after).handOuts).toBe(n + 1);
        },
      ),
      { numRuns: 300 },
    );
  });
});
