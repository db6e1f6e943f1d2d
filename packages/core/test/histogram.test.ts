import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Histogram } from '../src/histogram.ts';

const recorded = (values: readonly number[]) => {
  const histogram = new Histogram();
  for (const value of values) histogram.record(value);
  return histogram.snapshot();
};

/** The value of the rank that a quantile stands for. */
const exact = (values: readonly number[], share: number) =>
  values.toSorted((a, b) => a - b)[Math.ceil(share * values.length) - 1] as number;

describe('a Histogram', () => {
  test('is all 0 at first', () => {
    expect(recorded([])).toEqual({ count: 0, p50: 0, p90: 0, p99: 0, max: 0 });
  });

  test('counts, and keeps the greatest value exactly', () => {
    expect(recorded([1, 7.25, 3])).toMatchObject({ count: 3, max: 7.25 });
  });

  test('is exact for one value', () => {
    for (const value of [0.0004, 0.0019, 0.5, 5, 1234.5]) {
      expect(recorded([value])).toEqual({ count: 1, p50: value, p90: value, p99: value, max: value });
    }
  });

  test('tells a quantile no lower than it is, and at most 1/16 higher', () => {
    /** From one microsecond to 17 minutes, evenly over the orders of magnitude. */
    const ms = fc.integer({ min: 0, max: 9_000_000 }).map((exponent) => 10 ** (exponent / 1e6 - 3));
    const bounded = fc.array(ms, { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(bounded, (values) => {
        const { p50, p90, p99 } = recorded(values);
        for (const [share, told] of [
          [0.5, p50],
          [0.9, p90],
          [0.99, p99],
        ] as const) {
          const ratio = told / exact(values, share);
          expect(ratio).toBeGreaterThanOrEqual(1 - 1e-9);
          expect(ratio).toBeLessThanOrEqual(1 + 1 / 16 + 1e-9);
        }
      }),
    );
  });

  test('tells a quantile below a microsecond to within that microsecond', () => {
    const { p50 } = recorded([0, 0.0002, 0.0009, 1, 1]);
    expect(p50).toBeLessThanOrEqual(0.0011);
    expect(p50).toBeGreaterThanOrEqual(0.0009);
  });

  test('puts the quantiles in order', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -5, max: 1e12, noNaN: true })), (values) => {
        const { p50, p90, p99, max } = recorded(values);
        expect([p50, p90, p99, max].toSorted((a, b) => a - b)).toEqual([p50, p90, p99, max]);
        expect(p50).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  test('knows of what took longer than 18 minutes only that it did, and the longest', () => {
    const day = 86_400_000;
    const { p50, max } = recorded([day, day, 2 * day]);
    expect(p50).toBeGreaterThan(1_000_000);
    expect(p50).toBeLessThan(1_100_000);
    expect(max).toBe(2 * day);
  });

  test('is not disturbed by a snapshot', () => {
    const histogram = new Histogram();
    histogram.record(5);
    expect(histogram.snapshot()).toEqual(histogram.snapshot());
    histogram.record(5);
    expect(histogram.snapshot().count).toBe(2);
  });
});
