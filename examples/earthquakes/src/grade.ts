import type { Report } from './events.ts';
import { numberOf } from './events.ts';

/** How good a location is. */
export type Grade = 'A' | 'B' | 'C' | 'D';

/**
 * The largest residual of each grade, in seconds: the limits for the RMS in the solution quality of HYPO71 (Lee and Lahr,
 * 1975, U.S. Geological Survey Open-File Report 75-311), which looks at the errors of the location besides.
 */
const limits: readonly (readonly [Grade, number])[] = [
  ['A', 0.15],
  ['B', 0.3],
  ['C', 0.5],
];

/** Grades the solution of a report. @throws {Error} if the report has no magnitude or no residual. */
export function gradeOf(id: string, report: Report): Grade {
  const rms = numberOf(report?.rms);
  if (numberOf(report?.mag) === undefined) throw new Error(`report ${id} has no magnitude`);
  if (rms === undefined) throw new Error(`report ${id} has no residual (rms)`);
  return limits.find(([, limit]) => rms < limit)?.[0] ?? 'D';
}
