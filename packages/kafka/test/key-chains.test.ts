import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KeyChains, type Link } from '../src/key-chains.ts';

interface Item extends Link<Item> {
  readonly key: string;
  readonly number: number;
}

describe('chains of keys', () => {
  test('let only the first of each key be handed out, in the order in which they came', () => {
    const command = fc.oneof(fc.record({ add: fc.constantFrom('a', 'b', 'c') }), fc.record({ remove: fc.nat() }));
    fc.assert(
      fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
        const chains = new KeyChains<Item>();
        const waiting = new Map<string, number[]>();
        const heads: Item[] = [];
        let number = 0;
        const [told, expected]: unknown[][] = [[], []];
        for (const one of commands) {
          if ('add' in one) {
            const item: Item = { key: one.add, number: number++, following: undefined };
            const line = waiting.get(item.key) ?? [];
            waiting.set(item.key, [...line, item.number]);
            const isFirst = chains.add(item.key, item);
            told?.push(isFirst);
            expected?.push(line.length === 0);
            if (isFirst) heads.push(item);
          } else {
            const [head] = heads.splice(one.remove % Math.max(1, heads.length), 1);
            if (head === undefined) continue;
            const line = waiting.get(head.key) as number[];
            waiting.set(head.key, line.slice(1));
            const next = chains.remove(head.key, head);
            told?.push(head.number, next?.number);
            expected?.push(line[0], line[1]);
            if (next !== undefined) heads.push(next);
          }
          told?.push(chains.size);
          expected?.push([...waiting.values()].filter((line) => line.length > 0).length);
        }
        expect(told).toEqual(expected);
      }),
    );
  });
});
