import type { Grade } from './grade.ts';
import { type EventRecord, isReportRecord, type ReportRecord } from './record.ts';

/** What is counted of the events of one key; for reports the key is the network. */
export interface KeyStatistics {
  /** Empty for events without a key. */
  readonly key: string;
  handled: number;
  alerts: number;
  /** The largest magnitude; `undefined` where no event was a report. */
  largestMagnitude: number | undefined;
}

/** A report that is cause for alarm. */
export interface Alert {
  readonly id: string;
  readonly magnitude: number;
  readonly place: string;
}

/** What was found out. Every event counts once, whatever the number of its hand-outs: see `OncePerEvent`, `Accounts`. */
export class Results {
  readonly handledByType = new Map<string, number>();
  readonly alertsByType = new Map<string, number>();
  readonly byKey = new Map<string, KeyStatistics>();
  readonly grades = new Map<Grade, number>([
    ['A', 0],
    ['B', 0],
    ['C', 0],
    ['D', 0],
  ]);
  alerts = 0;
  strongest: Alert | undefined;

  /** Everything of a record: what the handlers of its event count one after the other. */
  add(record: EventRecord | ReportRecord): void {
    if (!isReportRecord(record)) {
      this.count(record);
      return;
    }
    if (record.alert) this.alert(record);
    this.countReport(record);
  }

  count({ type, key = '' }: EventRecord): void {
    increment(this.handledByType, type);
    this.#ofKey(key).handled++;
  }

  countReport(record: ReportRecord): void {
    const { key = '', magnitude, grade } = record;
    this.count(record);
    increment(this.grades, grade);
    const statistics = this.#ofKey(key);
    if (magnitude > (statistics.largestMagnitude ?? -Infinity)) statistics.largestMagnitude = magnitude;
  }

  alert({ id, type, key = '', magnitude, place = '' }: ReportRecord): void {
    this.alerts++;
    increment(this.alertsByType, type);
    this.#ofKey(key).alerts++;
    if (magnitude > (this.strongest?.magnitude ?? -Infinity)) this.strongest = { id, magnitude, place };
  }

  #ofKey(key: string): KeyStatistics {
    let statistics = this.byKey.get(key);
    if (statistics === undefined) {
      statistics = { key, handled: 0, alerts: 0, largestMagnitude: undefined };
      this.byKey.set(key, statistics);
    }
    return statistics;
  }
}

/** Adds 1 to the count of `name`. */
export function increment<Name>(counts: Map<Name, number>, name: Name): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
