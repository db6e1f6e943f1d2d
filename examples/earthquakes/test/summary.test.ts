import { describe, expect, test } from 'vitest';
import { Results } from '../src/results.ts';
import { summarize, type SummaryParts } from '../src/summary.ts';

const none = { count: 0, p50: 0, p90: 0, p99: 0, max: 0 };

/** Of a run with 3 events, of which 2 were handled and one is dead. */
function parts(change: { readonly handled?: number; readonly auditLines?: number } = {}): SummaryParts {
  const { handled = 2, auditLines = 2 } = change;
  return {
    lines: { read: 3, broken: 0 },
    found: 0,
    dispatchedByType: new Map([['a', 3]]),
    results: new Results(),
    retries: { inPlace: 0, redelivered: 0 },
    stats: {
      handled,
      failed: 0,
      timedOut: 0,
      retried: 0,
      deadLettered: 1,
      kept: 0,
      unknownType: 0,
      unsettled: 0,
      dropped: 0,
      ranInline: 0,
      ready: 0,
      inFlight: 0,
      delayed: 0,
      running: 0,
      workers: 1,
      timeInQueueMs: none,
      handlerMs: none,
    },
    elapsedMs: 100,
    deadLettered: 1,
    deadLetters: [],
    left: 0,
    stop: { completed: 0, returned: 0, abandoned: 0, deadLetters: 0 },
    audit: { path: 'audit', lines: auditLines },
    endedBy: undefined,
    problems: [],
  };
}

describe('summarize()', () => {
  test('finds no problem where everything adds up', () => {
    expect(summarize(parts())).toMatchObject({ accounted: 3, expected: 3, eventsPerSecond: 30, problems: [] });
  });

  test('finds that an event is missing', () => {
    const { problems } = summarize(parts({ handled: 1, auditLines: 1 }));
    expect(problems).toEqual(['only 2 of 3 events are accounted for']);
  });

  test('finds that the audit log misses an event', () => {
    expect(summarize(parts({ auditLines: 1 })).problems).toEqual(['the audit log has 1 line for 2 handled events']);
  });
});
