import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { PassingMap } from '../src/passing-map.ts';

describe('a PassingMap', () => {
  test('finds each entry until it is taken out, however many have passed', () => {
    const map = new PassingMap<number, string>();
    for (let key = 0; key < 3000; key++) {
      map.set(key, `entry ${key}`);
      if (key < 100) continue;
      expect(map.get(key - 100)).toBe(`entry ${key - 100}`);
      map.delete(key - 100);
      expect(map.get(key - 100)).toBeUndefined();
      expect(map.size).toBe(100);
    }
    expect([...map.values()]).toEqual(Array.from({ length: 100 }, (_, at) => `entry ${2900 + at}`));
  });

  test('has one entry for a key, the last one', () => {
    const map = new PassingMap<string, number>();
    map.set('a', 1);
    map.set('a', 2);
    expect([map.size, map.get('a')]).toEqual([1, 2]);
  });

  test('keeps nothing alive that was taken out, also when it is old itself', () => {
    expect(bytesKeptBy(new PassingMap())).toBeLessThan(bytesKeptBy(new Map()) / 4);
  });
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options?: { readonly type: 'minor' }) => void;

/** How much memory is in use that frequent collections do not free, when many have passed through `map` and few are in it. */
function bytesKeptBy(map: Pick<PassingMap<number, unknown>, 'set' | 'delete'>): number {
  collect();
  const before = getHeapStatistics().used_heap_size;
  for (let key = 1; key <= 20_000; key++) {
    map.set(
      key,
      Array.from({ length: 20 }, () => ({ key })),
    );
    map.delete(key - 100);
    if (key % 1000 === 0) collect({ type: 'minor' });
  }
  return getHeapStatistics().used_heap_size - before;
}
