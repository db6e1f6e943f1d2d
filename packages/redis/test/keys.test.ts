import { isNqError } from '@nq/core';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ListKeys, listKeysOf, type QueueKeys, streamKeysOf } from '../src/keys.ts';
import { notOurs, offer, useServer } from './support/server.ts';

const all = ({ memory, base, ...keys }: QueueKeys): string[] => [
  ...Object.values(keys).toSorted((a, b) => Number(a.startsWith(base)) - Number(b.startsWith(base))),
  memory('push', 'x'),
  memory('consume', 'y'),
  memory('letters', 'z'),
];

function keysOrNone(key: string): ListKeys | undefined {
  try {
    return listKeysOf(key);
  } catch (error) {
    if (isNqError(error, 'NQ_CONFIG')) return undefined;
    throw error;
  }
}

describe('the keys of a queue', () => {
  test('are the one of the user, and others beside it', () => {
    expect(all(listKeysOf('notification:events'))).toEqual([
      'notification:events',
      '{notification:events}:nq:held:',
      '{notification:events}:nq:leases',
      '{notification:events}:nq:delayed',
      '{notification:events}:nq:dead',
      '{notification:events}:nq:staged',
      '{notification:events}:nq:push:x',
      '{notification:events}:nq:consume:y',
      '{notification:events}:nq:letters:z',
    ]);
  });

  test('of a stream are those of its group', () => {
    expect(all(streamKeysOf('events', 'orders'))).toEqual([
      'events',
      '{events}:nq:orders:held:',
      '{events}:nq:orders:leases',
      '{events}:nq:orders:delayed',
      '{events}:nq:orders:dead',
      '{events}:nq:orders:',
      '{events}:nq:orders:returned',
      '{events}:nq:orders:replayed',
      '{events}:nq:push:x',
      '{events}:nq:consume:y',
      '{events}:nq:letters:z',
    ]);
  });

  test.each([
    ['{shop}:orders', '{shop}:orders:nq:held:'],
    ['orders:{shop}', 'orders:{shop}:nq:held:'],
    ['a{b}c{d}', 'a{b}c{d}:nq:held:'],
    ['{x}', '{x}{}:nq:held:'],
    ['{x}{}', '{x}{}{}:nq:held:'],
    ['{{a}', '{{a}{}:nq:held:'],
    ['{a}}', '{a}}:nq:held:'],
    ['a{b', '{a{b}:nq:held:'],
    ['{', '{{}:nq:held:'],
    [' ', '{ }:nq:held:'],
    ['ключ', '{ключ}:nq:held:'],
  ])('of %s begin as it does', (key, held) => {
    expect(listKeysOf(key).held).toBe(held);
  });

  test('are no others’: two queues have none in common', () => {
    const text = fc.string({ minLength: 1, maxLength: 6, unit: fc.constantFrom('{', '}', 'a') });
    fc.assert(
      fc.property(text, text, (key, other) => {
        const [keys, others] = [keysOrNone(key), keysOrNone(other)];
        if (key === other || keys === undefined || others === undefined) return;
        expect(all(keys).filter((name) => all(others).includes(name))).toEqual([]);
      }),
      { numRuns: 20_000 },
    );
  });

  test.each(['a}b', '}', '{}', '{}a', 'a{}b{c}', '}{', ' }'])(
    'cannot be in one slot for %s, which is refused',
    (key) => {
      expect(() => listKeysOf(key)).toThrow(`got ${JSON.stringify(key)}`);
      expect(keysOrNone(key)).toBeUndefined();
    },
  );
});

describe.skipIf(notOurs !== undefined)(`in a cluster, by CLUSTER KEYSLOT of ${notOurs ?? offer.name}`, () => {
  const server = useServer('cluster-enabled yes');
  let client: Redis;
  beforeAll(() => {
    client = new Redis(server().url, { enableAutoPipelining: true });
  });
  afterAll(() => client.disconnect());

  async function slots(keys: readonly string[]): Promise<number> {
    return new Set(await Promise.all(keys.map((key) => client.cluster('KEYSLOT', key)))).size;
  }

  test.each(['a}b', '}', '{}', '{}a', 'a{}b{c}', '}{', ' }'])(
    'neither a tag nor a beginning leads where %s is',
    async (key) => {
      expect(await slots([key, `{${key}}:nq:held`])).toBe(2);
    },
  );

  test('the keys of any queue are in one slot, or it is refused because no tag could be', async () => {
    const text = fc.string({ minLength: 1, maxLength: 12, unit: fc.constantFrom('{', '}', 'a', 'b', ':') });
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.oneof(text, fc.string({ minLength: 1, unit: 'binary' })), async (key) => {
        const keys = keysOrNone(key);
        refused += keys === undefined ? 1 : 0;
        expect(await slots(keys === undefined ? [key] : all(keys))).toBe(1);
      }),
      { numRuns: 300 },
    );
    expect(refused).toBeGreaterThan(3);
  });
});
