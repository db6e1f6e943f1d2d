import { describe, expect, test } from 'vitest';
import { ratios } from '../src/harness/samples.ts';
import {
  casesOf,
  describeAsked,
  describeMeasured,
  describeMet,
  evaluate,
  type Target,
} from '../src/harness/targets.ts';
import { samplesOf, speedOf } from './fixtures.ts';

const ratio: Target = {
  row: '1',
  what: 'ours ÷ theirs',
  numerator: speedOf('ours'),
  denominator: speedOf('theirs'),
  asked: { atLeast: 1.5 },
};
const bound: Target = { row: '2', what: 'size', numerator: speedOf('ours'), asked: { atMost: 10 }, unit: 'B' };

describe('ratios()', () => {
  test('are taken within one round', () => {
    const samples = [...samplesOf('ours', '20.1.0', [10, 40]), ...samplesOf('theirs', '20.1.0', [5, 10])];
    expect(ratios(samples, '20.1.0', speedOf('ours'), speedOf('theirs'))).toEqual([2, 4]);
  });

  test('leave out rounds in which one of the two is missing', () => {
    const samples = [...samplesOf('ours', '20.1.0', [10, 40, 90]), ...samplesOf('theirs', '20.1.0', [5, 10]).slice(1)];
    expect(ratios(samples, '20.1.0', speedOf('ours'), speedOf('theirs'))).toEqual([4]);
  });

  test('never compare one Node with another', () => {
    const samples = [...samplesOf('ours', '20.1.0', [10]), ...samplesOf('theirs', '24.1.0', [5])];
    expect(ratios(samples, '20.1.0', speedOf('ours'), speedOf('theirs'))).toEqual([]);
  });
});

describe('evaluate()', () => {
  const evaluateOne = (target: Target, ours: readonly number[], theirs: readonly number[] = []) =>
    evaluate([target], ['20.1.0'], [...samplesOf('ours', '20.1.0', ours), ...samplesOf('theirs', '20.1.0', theirs)])[0];

  test('holds the median of the ratios against what was asked', () => {
    expect(evaluateOne(ratio, [1, 3, 2], [1, 1, 1])).toMatchObject({
      met: true,
      spread: { median: 2, min: 1, max: 3 },
    });
    expect(evaluateOne(ratio, [1, 9, 1], [1, 1, 1])).toMatchObject({ met: false, spread: { median: 1 } });
  });

  test('takes the bound itself as met', () => {
    expect([evaluateOne(ratio, [3], [2])?.met, evaluateOne(bound, [10])?.met]).toEqual([true, true]);
  });

  test('holds a single reading against an upper bound', () => {
    expect([evaluateOne(bound, [9])?.met, evaluateOne(bound, [11])?.met]).toEqual([true, false]);
  });

  test('does not call a target met that was not measured', () => {
    expect(evaluateOne(ratio, [1])).toMatchObject({ spread: undefined, met: undefined });
  });

  test('adds up readings of the same round, where a quantity is a sum', () => {
    const samples = [...samplesOf('in', '20.1.0', [1, 2]), ...samplesOf('out', '20.1.0', [10, 20, 30])];
    const numerator = { ...speedOf('in'), plus: speedOf('out') };
    const target: Target = { row: '1', what: 'in and out', numerator };
    expect(evaluate([target], ['20.1.0'], samples)).toMatchObject([{ spread: { min: 11, max: 22, count: 2 } }]);
    expect(casesOf(target)).toEqual(['in', 'out']);
  });

  test('asks nothing of a comparison', () => {
    const { asked: _, ...comparison } = ratio;
    expect(evaluateOne(comparison, [1], [1])).toMatchObject({ met: undefined, spread: { median: 1 } });
  });

  test('tells each Node by itself, in their order', () => {
    const verdicts = evaluate([ratio, bound], ['20.1.0', '24.1.0'], []);
    expect(verdicts.map(({ target, node }) => [target.row, node])).toEqual([
      ['1', '20.1.0'],
      ['1', '24.1.0'],
      ['2', '20.1.0'],
      ['2', '24.1.0'],
    ]);
  });
});

test('a verdict is told in words', () => {
  const spread = { median: 1.234, min: 1, max: 12.34, count: 3 };
  expect(describeMeasured({ target: ratio, node: '20.1.0', spread, met: false })).toBe('1.23 (1.00–12.3)');
  expect(describeMeasured({ target: bound, node: '20.1.0', spread, met: true })).toBe('1.23 (1–12.3) B');
  expect(describeMeasured({ target: bound, node: '20.1.0', spread: undefined, met: undefined })).toBe('not measured');
  expect([describeAsked(ratio), describeAsked(bound)]).toEqual(['≥ 1.50', '≤ 10 B']);
  expect([true, false, undefined].map((met) => describeMet({ target: ratio, node: '', spread, met }))).toEqual([
    'met',
    'missed',
    '',
  ]);
});
