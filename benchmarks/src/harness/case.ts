import type { Budget } from './budget.ts';

/** What one run of a case has read, by the keys of its group's columns. */
export type Readings = Readonly<Record<string, number>>;

/** A column of the tables; several readings share one if they belong together, as percentiles do. */
export interface Column {
  readonly heading: string;
  readonly keys: readonly string[];
  readonly format: (value: number) => string;
}

/** Cases that are told side by side: they do the same work. */
export interface Group {
  readonly title: string;
  /** What all of them do, in one or two sentences of Markdown. */
  readonly about: string;
  readonly columns: readonly Column[];
}

/** One thing that is measured, in a process of its own. */
export interface Case {
  /** Unique in its suite. */
  readonly name: string;
  readonly group: Group;
  /** What it does, where that differs from the rest of its group. */
  readonly does: string;
  /** What Node is started with. */
  readonly nodeFlags?: readonly string[];
  /** In how many rounds it takes part; for cases that take seconds. @default all */
  readonly maxRounds?: number;
  /**
   * Prepares and measures. Called once per process, which is ended afterwards: it need not clean up.
   *
   * @param address where the service of the suite is; empty for a suite without one.
   */
  readonly run: (budget: Budget, address: string) => Promise<Readings>;
}
