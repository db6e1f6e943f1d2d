import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Heap } from '../src/heap.ts';

const byValue = (a: number, b: number) => a - b;

describe('a Heap', () => {
  test('is empty at first', () => {
    const heap = new Heap(byValue);
    expect(heap.length).toBe(0);
    expect(heap.peek()).toBeUndefined();
    expect(heap.take()).toBeUndefined();
    expect(heap.length).toBe(0);
  });

  test('gives its items in order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (items) => {
        const heap = new Heap(byValue);
        for (const item of items) heap.add(item);
        expect(heap.length).toBe(items.length);
        expect(items.map(() => heap.take())).toEqual(items.toSorted(byValue));
        expect(heap.length).toBe(0);
      }),
    );
  });

  test('gives the smallest of what it holds, in any sequence of adding and taking', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 20 }))), (steps) => {
        const heap = new Heap(byValue);
        let model: number[] = [];
        for (const item of steps) {
          const taken = item === null ? heap.take() : heap.add(item);
          expect(taken).toBe(item === null ? model[0] : undefined);
          model = item === null ? model.slice(1) : [...model, item].sort(byValue);
          expect(heap.peek()).toBe(model[0]);
          expect(heap.length).toBe(model.length);
        }
      }),
    );
  });

  test('orders by what it is given, and keeps the items themselves', () => {
    const heap = new Heap<{ readonly at: number }>((a, b) => b.at - a.at);
    const items = [{ at: 1 }, { at: 3 }, { at: 2 }];
    for (const item of items) heap.add(item);
    expect([heap.take(), heap.take(), heap.take()]).toEqual([{ at: 3 }, { at: 2 }, { at: 1 }]);
  });
});
