import type { QueueEvent } from '@nq/core';
import { numberOf, type Report } from './events.ts';
import type { Grade } from './grade.ts';

/** What is counted of the events of one key; for reports the key is the network. */
export interface KeyStatistics {
  /** Empty for events without a key. */
  readonly key: string;
  handled: number;
  alerts: number;
  /** The largest magnitude; `undefined` where no event had one. */
  largestMagnitude: number | undefined;
}

/** A report that is cause for alarm. */
export interface Alert {
  readonly id: string;
  readonly magnitude: number;
  readonly place: string;
}

/** What the handlers found out. Every event counts once, whatever the number of its hand-outs: see `OncePerEvent`. */
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

  count({ type, key = '', data }: QueueEvent): void {
    increment(this.handledByType, type);
    const statistics = this.#ofKey(key);
    statistics.handled++;
    const magnitude = numberOf((data as Report)?.mag);
    if (magnitude === undefined) return;
    if (magnitude > (statistics.largestMagnitude ?? -Infinity)) statistics.largestMagnitude = magnitude;
  }

  countGrade(grade: Grade): void {
    increment(this.grades, grade);
  }

  alert({ id, type, key = '', data }: QueueEvent<Report>, magnitude: number): void {
    this.alerts++;
    increment(this.alertsByType, type);
    this.#ofKey(key).alerts++;
    if (magnitude <= (this.strongest?.magnitude ?? -Infinity)) return;
    this.strongest = { id, magnitude, place: typeof data?.place === 'string' ? data.place : '' };
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
