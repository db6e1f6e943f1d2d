import type { Budget } from './budget.ts';
import type { Case } from './case.ts';
import type { BrokenRun } from './run-rounds.ts';
import type { Sample } from './samples.ts';
import type { Service } from './service.ts';
import type { Machine } from './surroundings.ts';
import type { Target, Verdict } from './targets.ts';

/** A set of cases that are measured side by side, and what they are held against. */
export interface Suite {
  /** As in the name of its JSON file. */
  readonly name: string;
  readonly title: string;
  /** One sentence for `--help` and the top of the docs. */
  readonly description: string;
  /** A sentence of Markdown for the top of the docs, which points to other pages. */
  readonly related?: string;
  /** The file in `docs` that `--write-docs` writes. */
  readonly docsFile: string;
  /** The command that writes it. */
  readonly command: string;
  /** How it is measured and what has to be known about it: Markdown paragraphs or list items. */
  readonly method: readonly string[];
  readonly cases: readonly Case[];
  /** What a run of a case may take, where it is not a quick one. @default fullBudget */
  readonly budget?: Budget;
  /** Starts what the cases need beside themselves. Called once, before the first case. */
  readonly startService?: () => Promise<Service>;
  readonly targets: readonly Target[];
  /** Our packages whose versions are told. */
  readonly ours: readonly string[];
  /** Packages of others whose versions are told. */
  readonly peers: readonly string[];
}

/** All that a run has found out. */
export interface Report {
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly seed: number;
  readonly rounds: number;
  readonly budget: Budget;
  readonly machine: Machine;
  /** The versions of Node, the oldest first, with those of V8. */
  readonly nodes: readonly { readonly version: string; readonly v8: string }[];
  readonly packages: Readonly<Record<string, string>>;
  /** What the service of the suite is; `undefined` for a suite without one. */
  readonly service: string | undefined;
  /** `undefined` if what was measured is not exactly a commit. */
  readonly commit: string | undefined;
  readonly samples: readonly Sample[];
  readonly broken: readonly BrokenRun[];
  readonly verdicts: readonly Verdict[];
}

/** The report as it is stored: numbers and names only. */
export function toJson(suite: Suite, report: Report): string {
  const verdicts = report.verdicts.map(({ target, node, spread, met }) => {
    const { row, what, numerator, denominator, asked } = target;
    return { row, what, numerator, denominator, asked, node, spread, met };
  });
  return `${JSON.stringify({ suite: suite.name, ...report, verdicts }, null, 2)}\n`;
}
