import { describe, expect, test } from 'vitest';
import { Results } from '../src/results.ts';
import { summarize, type SummaryParts } from '../src/summary.ts';

/** Of a run with 3 events, of which `handled` were handled and one is dead. */
function parts(handled = 2): SummaryParts {
  return {
    lines: { read: 3, broken: 0 },
    found: 0,
    dispatchedByType: new Map([['a', 3]]),
    tally: {
      results: new Results(),
      handled,
      duplicates: 0,
      deadLettered: 1,
      deadLetters: [],
      left: 0,
      failed: 0,
      retries: { inPlace: 0, redelivered: 0 },
      timeInQueueMs: undefined,
      stop: { completed: 0, returned: 0, abandoned: 0, deadLetters: 0 },
      audit: { path: 'audit', lines: handled },
      workers: [],
      problems: ['what a crew found'],
    },
    elapsedMs: 100,
    endedBy: undefined,
    problems: [],
  };
}

describe('summarize()', () => {
  test('adds up, and keeps the problems that were found before', () => {
    const expected = { accounted: 3, expected: 3, eventsPerSecond: 30, problems: ['what a crew found'] };
    expect(summarize(parts())).toMatchObject(expected);
  });

  test('finds that an event is missing', () => {
    expect(summarize(parts(1)).problems).toContain('only 2 of 3 events are accounted for');
  });

  test('finds that an event counts twice', () => {
    expect(summarize(parts(3)).problems).toContain('4 of 3 events are accounted for');
  });
});
