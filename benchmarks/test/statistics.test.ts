import { describe, expect, test } from 'vitest';
import { randomNumbers, shuffled } from '../src/harness/random.ts';
import { median, percentile, spreadOf } from '../src/harness/statistics.ts';

describe('median()', () => {
  test('is the middle value, whatever the order', () => expect(median([9, 1, 5])).toBe(5));
  test('is the mean of the two in the middle of an even number', () => expect(median([4, 1, 2, 9])).toBe(3));
  test('refuses to make one up', () => expect(() => median([])).toThrow(RangeError));
  test('leaves its argument alone', () => {
    const values = Object.freeze([2, 1]);
    expect(median(values)).toBe(1.5);
  });
});

describe('spreadOf()', () => {
  test('tells median, extremes and how many there were', () => {
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3, count: 3 });
  });
  test('is nothing without values', () => expect(spreadOf([])).toBeUndefined());
});

describe('percentile()', () => {
  const values = Float64Array.from({ length: 1001 }, (_, index) => 1000 - index);
  test.for([
    [0, 0],
    [0.5, 500],
    [0.99, 990],
    [0.999, 999],
    [1, 1000],
  ])('%f of 0 to 1000 is %i', ([p, expected]) => expect(percentile(values, p as number)).toBe(expected));
});

describe('shuffled()', () => {
  const items = Array.from({ length: 100 }, (_, index) => index);
  test('keeps every item', () => {
    expect(shuffled(items, randomNumbers(1)).toSorted((a, b) => a - b)).toEqual(items);
  });
  test('gives the same order for the same seed, and another for another', () => {
    const order = shuffled(items, randomNumbers(7));
    expect(shuffled(items, randomNumbers(7))).toEqual(order);
    expect(shuffled(items, randomNumbers(8))).not.toEqual(order);
  });
});
