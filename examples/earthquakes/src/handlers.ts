import type { Dispatcher, Handler, Middleware, QueueEvent } from '@nq/core';
import type { AuditLog } from './audit-log.ts';
import { type Events, isFeature, type Report, reportTypes } from './events.ts';
import { gradeOf } from './grade.ts';
import type { OncePerEvent } from './once.ts';
import { type EventRecord, recordOf, reportRecordOf } from './record.ts';
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

/** Registers the handlers of reports, and those of all other events. */
export function registerHandlers(dispatcher: Dispatcher<Events>, parts: HandlerParts): void {
  const { results, audit, onAuditFailed } = parts;

  // What can fail comes first, and what counts last: an event that is tried again has not been counted.
  const gradeSolution = ({ id, data }: QueueEvent<Report>): void => void gradeOf(id, data);

  const writeReport = (event: QueueEvent<Report>): Promise<void> => write(reportRecordOf(event));
  const writeEvent: Handler = (event) => write(recordOf(event));
  const write = (record: EventRecord): Promise<void> =>
    audit.append(record).catch((error: unknown) => {
      onAuditFailed(error);
      throw error;
    });

  const raiseAlert = (event: QueueEvent<Report>): void => {
    const record = reportRecordOf(event);
    if (record.alert) results.alert(record);
  };

  const countReport = (event: QueueEvent<Report>): void => results.countReport(reportRecordOf(event));
  const countEvent: Handler = (event) => results.count(recordOf(event));

  dispatcher.use(countRetries(parts.retries));
  dispatcher.use(parts.once.middleware);

  const ofReports = [gradeSolution, writeReport, raiseAlert, countReport];
  for (const type of reportTypes) {
    for (const handler of ofReports) dispatcher.on(type, handler);
  }
  // Of any other type there may be features, which are reports, and events that are none.
  for (const handler of ofReports) {
    dispatcher.onUnknownType((event) => (isFeature(event) ? handler(event as QueueEvent<Report>) : undefined));
  }
  for (const handler of [writeEvent, countEvent]) {
    dispatcher.onUnknownType((event, context) => (isFeature(event) ? undefined : handler(event, context)));
  }
}

function countRetries(retries: Retries): Middleware {
  return (_event, { attempt, retry }, next) => {
    if (retry > 0) retries.inPlace++;
    else if (attempt > 1) retries.redelivered++;
    return next();
  };
}
