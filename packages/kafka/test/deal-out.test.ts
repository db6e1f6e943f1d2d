import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dealOut, type Member } from '../src/deal-out.ts';

const topics = ['orders', 'invoices'];
const partitions = fc.record({ orders: fc.nat(20), invoices: fc.nat(20) });
const claims = fc.uniqueArray(fc.nat(25), { maxLength: 25 });
const members = fc
  .array(
    fc.record({
      topics: fc.subarray(topics, { minLength: 1 }),
      owned: fc.dictionary(fc.constantFrom(...topics), claims),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((all) =>
    all.map((one, index): Member => ({
      id: `m${index}`,
      topics: one.topics,
      owned: new Map(Object.entries(one.owned)),
      claimsAll: false,
    })),
  );

const listed = (counts: { readonly orders: number; readonly invoices: number }) =>
  new Map(Object.entries(counts).map(([topic, count]) => [topic, Array.from({ length: count }, (_, index) => index)]));

const sizeOf = (dealt: ReturnType<typeof dealOut>, id: string, topic: string): number =>
  dealt.get(id)?.get(topic)?.length ?? 0;

describe('partitions', () => {
  test('are dealt out once each, to members that read their topic, as evenly as can be', () => {
    fc.assert(
      fc.property(members, partitions, (all, counts) => {
        const dealt = dealOut(all, listed(counts));
        for (const topic of topics) {
          const readers = all.filter((member) => member.topics.includes(topic));
          const given = all.flatMap(({ id }) => dealt.get(id)?.get(topic) ?? []);
          const count = counts[topic as keyof typeof counts];
          expect(given.toSorted((a, b) => a - b)).toEqual(
            readers.length === 0 ? [] : Array.from({ length: count }, (_, n) => n),
          );
          const sizes = readers.map(({ id }) => sizeOf(dealt, id, topic));
          expect(Math.max(0, ...sizes) - Math.min(Infinity, ...sizes)).toBeLessThanOrEqual(1);
          for (const { id } of all.filter((member) => !readers.includes(member)))
            expect(sizeOf(dealt, id, topic)).toBe(0);
        }
      }),
    );
  });

  test('stay where they are when nobody joins or leaves', () => {
    fc.assert(
      fc.property(members, partitions, (all, counts) => {
        const first = dealOut(all, listed(counts));
        const again = all.map((member) => ({ ...member, owned: first.get(member.id) ?? new Map<string, number[]>() }));
        const second = dealOut(again, listed(counts));
        const sorted = (dealt: typeof first) =>
          all.map(({ id }) =>
            topics.map(
              (topic) =>
                dealt
                  .get(id)
                  ?.get(topic)
                  ?.toSorted((a, b) => a - b) ?? [],
            ),
          );
        expect(sorted(second)).toEqual(sorted(first));
      }),
    );
  });

  test('are the same whatever the order of the members', () => {
    fc.assert(
      fc.property(members, partitions, (all, counts) => {
        expect(dealOut(all.toReversed(), listed(counts))).toEqual(dealOut(all, listed(counts)));
      }),
    );
  });

  test('stay as they are named: of those that a member has, it gives up the last ones', () => {
    const owned = new Map([['orders', [3, 1, 0, 2]]]);
    const one = (id: string, had: ReadonlyMap<string, readonly number[]>) => {
      return { id, topics: ['orders'], owned: had, claimsAll: false };
    };
    const dealt = dealOut([one('old', owned), one('new', new Map())], listed({ orders: 4, invoices: 0 }));
    expect(dealt.get('old')?.get('orders')).toEqual([3, 1]);
  });

  test('move from a member to one that joins only as far as is fair', () => {
    const owned = new Map([['orders', [0, 1, 2, 3, 4, 5]]]);
    const dealt = dealOut(
      [
        { id: 'old', topics: ['orders'], owned, claimsAll: false },
        { id: 'new', topics: ['orders'], owned: new Map(), claimsAll: false },
      ],
      listed({ orders: 6, invoices: 0 }),
    );
    expect(dealt.get('old')?.get('orders')).toEqual([0, 1, 2]);
    expect(dealt.get('new')?.get('orders')).toEqual([3, 4, 5]);
  });

  test('go all to one of those who claim them, of its topics only', () => {
    const owned = new Map<string, readonly number[]>();
    const one = (id: string, claimsAll: boolean) => ({ id, topics: ['orders'], owned, claimsAll });
    const dealt = dealOut(
      [one('a', false), one('c', true), one('b', true), { ...one('d', false), topics: ['orders', 'invoices'] }],
      listed({ orders: 3, invoices: 2 }),
    );
    expect(dealt).toEqual(
      new Map([
        ['a', new Map()],
        ['b', new Map([['orders', [0, 1, 2]]])],
        ['c', new Map()],
        ['d', new Map([['invoices', [0, 1]]])],
      ]),
    );
  });

  test('stay with the one that has claimed them, whoever claims them too', () => {
    const one = (id: string, owned: readonly number[]) => {
      return { id, topics: ['orders'], owned: new Map([['orders', owned]]), claimsAll: true };
    };
    const dealt = dealOut([one('a', []), one('b', [0, 1, 2])], listed({ orders: 3, invoices: 0 }));
    expect(dealt.get('b')?.get('orders')).toEqual([0, 1, 2]);
  });
});
