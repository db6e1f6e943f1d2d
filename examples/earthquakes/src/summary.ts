import type { StopReport } from '@nq/core';
import type { Tally } from './crew.ts';
import { formatCount, formatNumberOf } from './format.ts';
import type { Grade } from './grade.ts';
import type { Retries } from './handlers.ts';
import type { Alert, KeyStatistics } from './results.ts';

/** How many dead letters are shown. */
export const shownDeadLetters = 5;

/** What a run came to; with `--json` it is printed as it is. */
export interface Summary {
  readonly lines: { readonly read: number; readonly broken: number };
  /** Events that were in the queue before the run. */
  readonly found: number;
  readonly dispatched: number;
  readonly handled: number;
  readonly duplicates: number;
  readonly deadLettered: number;
  /** Events that are neither, because the run was ended early. */
  readonly left: number;
  /** `handled`, `deadLettered` and `left` together. */
  readonly accounted: number;
  /** `found` and `dispatched` together: what has to be accounted for. */
  readonly expected: number;
  readonly types: readonly TypeCounts[];
  readonly keys: readonly KeyStatistics[];
  readonly alerts: number;
  readonly strongest: Alert | undefined;
  readonly grades: Readonly<Record<Grade, number>>;
  readonly elapsedMs: number;
  readonly eventsPerSecond: number;
  readonly timeInQueueMs: Tally['timeInQueueMs'];
  /** How often a handler failed. */
  readonly failed: number;
  readonly retries: Retries & { readonly total: number };
  /** The oldest dead letters of this run. */
  readonly deadLetters: readonly { readonly id: string; readonly attempts: number; readonly reason: string }[];
  readonly stop: StopReport;
  readonly audit: Tally['audit'];
  readonly workers: Tally['workers'];
  /** The signal that ended the run, if one did. */
  readonly endedBy: string | undefined;
  /** What went wrong, in sentences. */
  readonly problems: readonly string[];
}

/** The counts of one type of event. */
interface TypeCounts {
  readonly type: string;
  readonly dispatched: number;
  readonly handled: number;
  readonly alerts: number;
}

/** What a summary is made of. */
export interface SummaryParts {
  readonly lines: { readonly read: number; readonly broken: number };
  readonly found: number;
  readonly dispatchedByType: ReadonlyMap<string, number>;
  readonly tally: Tally;
  readonly elapsedMs: number;
  readonly endedBy: string | undefined;
  readonly problems: readonly string[];
}

/** Adds up, and finds what does not add up. */
export function summarize(parts: SummaryParts): Summary {
  const { lines, found, dispatchedByType, tally, elapsedMs } = parts;
  const { results, handled, deadLettered, left, retries } = tally;
  const dispatched = [...dispatchedByType.values()].reduce((sum, count) => sum + count, 0);
  const accounted = handled + deadLettered + left;
  const expected = found + dispatched;

  const problems = [...parts.problems, ...tally.problems];
  if (lines.broken > 0) problems.push(`${formatNumberOf(lines.broken, 'line')} of the input could not be dispatched`);
  if (accounted !== expected) {
    const only = accounted < expected ? 'only ' : '';
    problems.push(`${only}${formatCount(accounted)} of ${formatNumberOf(expected, 'event')} are accounted for`);
  }

  const types = new Set([...dispatchedByType.keys(), ...results.handledByType.keys()]);
  return {
    lines,
    found,
    dispatched,
    handled,
    duplicates: tally.duplicates,
    deadLettered,
    left,
    accounted,
    expected,
    types: [...types]
      .map((type) => ({
        type,
        dispatched: dispatchedByType.get(type) ?? 0,
        handled: results.handledByType.get(type) ?? 0,
        alerts: results.alertsByType.get(type) ?? 0,
      }))
      .sort((a, b) => b.dispatched - a.dispatched),
    keys: [...results.byKey.values()].sort((a, b) => b.handled - a.handled),
    alerts: results.alerts,
    strongest: results.strongest,
    grades: Object.fromEntries(results.grades) as Record<Grade, number>,
    elapsedMs,
    eventsPerSecond: elapsedMs === 0 ? 0 : ((handled + deadLettered) * 1000) / elapsedMs,
    timeInQueueMs: tally.timeInQueueMs,
    failed: tally.failed,
    retries: { ...retries, total: retries.inPlace + retries.redelivered },
    deadLetters: tally.deadLetters.map(({ event: { id }, attempts, reason }) => ({ id, attempts, reason })),
    stop: tally.stop,
    audit: tally.audit,
    workers: tally.workers,
    endedBy: parts.endedBy,
    problems,
  };
}
