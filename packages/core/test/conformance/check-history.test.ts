import { describe, expect, test } from 'vitest';
import { checkHistory, type Expectations, showAnomaly } from '../../src/conformance/history/check-history.ts';
import type { HistoryRecord } from '../../src/conformance/history/history.ts';
import { a, expectations, fixtures } from './history-fixtures.ts';
import { cut, done, nothing, push, settle, taken } from './history-records.ts';

const kinds = (history: readonly HistoryRecord[], changes: Partial<Expectations> = {}): string[] =>
  checkHistory(history, { ...expectations, ...changes }).anomalies.map(({ kind }) => kind);

describe.each(Object.entries(fixtures))('%s', (anomaly, list) => {
  test.each(list)('$what', ({ history, changes, kinds: expected = [] }) => {
    expect(kinds(history, changes)).toEqual(expected);
  });

  test('has histories of both kinds', () => {
    const broken = list.filter((fixture) => fixture.kinds?.includes(anomaly) === true);
    expect([broken.length > 0, broken.length < list.length]).toEqual([true, true]);
  });
});

describe('the verdict', () => {
  const verdict = (history: readonly HistoryRecord[], changes: Partial<Expectations>) =>
    checkHistory(history, { ...expectations, ...changes });

  test('is sound for a history in which enough happened', () => {
    const { verdict: said, counts } = verdict(done('a', 0), { minimum: { stored: 1, acknowledged: 1 } });
    expect(said).toBe('sound');
    expect(counts).toEqual({
      stored: 1,
      uncertain: 0,
      handOuts: 1,
      redeliveries: 0,
      acknowledged: 1,
      cutsFelt: 0,
      ordered: 1,
    });
  });

  test('is unknown for a history in which too little happened, and says what', () => {
    const { verdict: said, missing } = verdict(done('a', 0), { minimum: { redeliveries: 1, stored: 1 } });
    expect(said).toBe('unknown');
    expect(missing).toEqual(['redeliveries was 0, at least 1 are needed']);
  });

  test('is unknown when nobody knows whether the queue was empty: what did not come is not lost then', () => {
    const { verdict: said, anomalies } = verdict([push('a', 0, 1)], { drained: false });
    expect([said, anomalies]).toEqual(['unknown', []]);
  });

  test('is unknown for an empty history that had to prove something', () => {
    expect(verdict([], { minimum: { stored: 1 } }).verdict).toBe('unknown');
  });

  test('is broken, whatever is missing', () => {
    const history = [push('a', 0, 1, 'refused'), a, settle('ack', a, 4, 5)];
    expect(verdict(history, { drained: false, minimum: { stored: 5 } }).verdict).toBe('broken');
  });

  test('counts a cut only if a call failed in it', () => {
    const felt = [push('a', 0, 4, 'unknown'), cut(2, 5)];
    const unfelt = [push('b', 6, 7, 'unknown'), cut(8, 9), ...done('c', 10)];
    expect(verdict([...felt, ...unfelt], {}).counts.cutsFelt).toBe(1);
  });

  test('counts what can be judged in its order: no pop that brought nothing may have had an earlier event', () => {
    const history = [push('a', 0, 1), push('b', 2, 3), nothing(4, 9, 5), ...taken('b', 12), ...taken('a', 20)];
    const ordered = (changes: Partial<Expectations>): number => verdict(history, changes).counts.ordered;
    expect([5, 2].map((patienceMs) => ordered({ patienceMs }))).toEqual([1, 2]);
    expect((['key', 'none'] as const).map((order) => ordered({ order }))).toEqual([2, 0]);
  });

  test('comes with a proof that people can read', () => {
    const [anomaly] = verdict([push('a', 0, 1, 'refused'), a], {}).anomalies;
    expect(anomaly && showAnomaly(anomaly)).toBe(
      'phantom: a came out although its push rejected NQ_UNAVAILABLE, which says that it is not stored [process 0 push(a) rejected NQ_UNAVAILABLE | process 1 pop(5000 ms) a (attempt 1)]',
    );
  });

  test.for([
    ['may have been stored twice, if it comes with the same attempt again', 1, ', or it was stored twice'],
    ['was stored once, if it comes with another attempt', 2, ''],
  ] as const)('says that what comes after it was settled %s', ([, attempt, more]) => {
    const again = { ...a, began: 6, ended: 7, beganMs: 6, endedMs: 7, handOut: { ...a.handOut, number: 6, attempt } };
    const { anomalies } = verdict([push('a', 0, 1), a, settle('ack', a, 4, 5), again as typeof a], {});
    expect(anomalies.map(({ observed }) => observed)).toEqual([
      `a came out again after it was settled for good${more}`,
    ]);
  });

  test('says where in what a producer has pushed an event was lost', () => {
    const { anomalies } = verdict([...done('a', 0), push('b', 10, 11), ...done('c', 20), push('d', 30, 31)], {});
    expect(anomalies.map(({ observed }) => observed)).toEqual([
      expect.stringContaining('in the middle'),
      expect.stringContaining('at the end'),
    ]);
  });
});
