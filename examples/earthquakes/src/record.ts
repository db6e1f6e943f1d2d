import type { QueueEvent } from '@nq/core';
import { alertMagnitude, numberOf, type Report } from './events.ts';
import { type Grade, gradeOf } from './grade.ts';
import { entryOf } from './once.ts';

/** What is recorded of an event that was handled: a line of the audit log. */
export interface EventRecord {
  readonly id: string;
  readonly type: string;
  readonly key?: string | undefined;
  /** As people write it; a number that no calendar has stays one. */
  readonly time: string | number;
  /** The run and the line of the input that the event comes from, if one has dispatched it. */
  readonly entry?: string | undefined;
}

/** The same of a report. */
export interface ReportRecord extends EventRecord {
  readonly magnitude: number;
  readonly grade: Grade;
  /** Whether it is cause for alarm. */
  readonly alert: boolean;
  /** Where, in words. */
  readonly place?: string | undefined;
}

export function recordOf(event: QueueEvent): EventRecord {
  const { id, type, key, time } = event;
  return { id, type, key, time: timeOf(time), entry: entryOf(event) };
}

/** @throws {Error} if the report has no magnitude or no residual. */
export function reportRecordOf(event: QueueEvent<Report>): ReportRecord {
  const { id, data } = event;
  const grade = gradeOf(id, data);
  // Without a magnitude there is no grade.
  const magnitude = numberOf(data?.mag) as number;
  const place = typeof data?.place === 'string' ? data.place : undefined;
  return { ...recordOf(event), magnitude, grade, alert: magnitude >= alertMagnitude, place };
}

/** Whether `record` is that of a report. */
export function isReportRecord(record: EventRecord | ReportRecord): record is ReportRecord {
  return 'grade' in record;
}

function timeOf(time: number): string | number {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : date.toISOString();
}
