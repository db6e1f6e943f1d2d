import type { Dispatcher, Handler, Middleware, QueueEvent } from '@nq/core';
import type { AuditLog } from './audit-log.ts';
import { alertMagnitude, type Events, numberOf, type Report, reportTypes, type ReportType } from './events.ts';
import { gradeOf } from './grade.ts';
import type { OncePerEvent } from './once.ts';
import type { Results } from './results.ts';

/** How often handlers were run again. */
export interface Retries {
  inPlace: number;
  redelivered: number;
}

/** What handlers work with. */
export interface HandlerParts {
  readonly results: Results;
  readonly retries: Retries;
  readonly audit: AuditLog;
  readonly once: OncePerEvent;
  /** Is told that the audit log cannot be written: no later event could be recorded either. */
  readonly onAuditFailed: (error: unknown) => void;
}

/**
 * Registers the handlers of the known reports, and those of all other types.
 *
 * @returns a function that makes sure that `type` has its handlers. The first event of a type decides which.
 */
export function registerHandlers(
  dispatcher: Dispatcher<Events>,
  parts: HandlerParts,
): (type: string, isReport: boolean) => void {
  const { results, audit, onAuditFailed } = parts;

  // What can fail comes first, and what counts last: an event that is tried again has not been counted.
  const gradeSolution = ({ id, data }: QueueEvent<Report>): void => void gradeOf(id, data);

  const writeReport = (event: QueueEvent<Report>): Promise<void> => {
    const { id, data } = event;
    const magnitude = numberOf(data?.mag);
    return append(event, { magnitude, grade: gradeOf(id, data), alert: isAlarming(magnitude) });
  };
  const writeEvent: Handler = (event) => append(event, {});
  const append = ({ id, type, key, time }: QueueEvent, more: Readonly<Record<string, unknown>>): Promise<void> =>
    audit.append({ id, type, key, time: timeOf(time), ...more }).catch((error: unknown) => {
      onAuditFailed(error);
      throw error;
    });

  const raiseAlert = (event: QueueEvent<Report>): void => {
    const magnitude = numberOf(event.data?.mag);
    if (isAlarming(magnitude)) results.alert(event, magnitude);
  };

  const countReport = (event: QueueEvent<Report>): void => {
    results.count(event);
    results.countGrade(gradeOf(event.id, event.data));
  };
  const countEvent: Handler = (event) => results.count(event);

  dispatcher.use(countRetries(parts.retries));
  dispatcher.use(parts.once.middleware);

  for (const handler of [writeEvent, countEvent]) dispatcher.onUnknownType(handler);

  const known = new Set<string>();
  const register = (type: string, isReport: boolean): void => {
    if (known.has(type)) return;
    known.add(type);
    if (!isReport) return;
    for (const handler of [gradeSolution, writeReport, raiseAlert, countReport])
      dispatcher.on(type as ReportType, handler);
  };
  for (const type of reportTypes) register(type, true);
  return register;
}

function countRetries(retries: Retries): Middleware {
  return (_event, { attempt, retry }, next) => {
    if (retry > 0) retries.inPlace++;
    else if (attempt > 1) retries.redelivered++;
    return next();
  };
}

function isAlarming(magnitude: number | undefined): magnitude is number {
  return magnitude !== undefined && magnitude >= alertMagnitude;
}

/** As people write it; a number that no calendar has stays one. */
function timeOf(time: number): string | number {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : date.toISOString();
}
