import type { Column } from './case.ts';
import type { Report, Suite } from './report.ts';
import { byRound, type Sample } from './samples.ts';
import { median } from './statistics.ts';
import { describeAsked, describeMeasured, describeMet, type Target, type Verdict } from './targets.ts';

/** A table for people, whatever it is printed with. */
export interface TextTable {
  readonly head: readonly string[];
  readonly aligns: readonly ('left' | 'right')[];
  readonly rows: readonly (readonly string[])[];
}

/** A table of cases with a heading and what they have in common. */
export interface GroupTable extends TextTable {
  readonly title: string;
  readonly about: string;
  /** The cases of the group, and what each of them does. */
  readonly cases: readonly { readonly name: string; readonly does: string }[];
}

type Measured = Pick<Report, 'nodes' | 'samples' | 'verdicts'>;

/** One table per group: the median of all rounds, for each column and Node. Cases that did not run have dashes. */
export function groupTables({ cases }: Pick<Suite, 'cases'>, { nodes, samples }: Measured): readonly GroupTable[] {
  const groups = [...new Set(cases.map(({ group }) => group))];
  return groups.map((group) => {
    const columns = group.columns.flatMap((column) => nodes.map(({ version }) => ({ column, version })));
    const members = cases.filter((one) => one.group === group);
    return {
      title: group.title,
      about: group.about,
      cases: members.map(({ name, does }) => ({ name, does })),
      head: ['case', ...columns.map(({ column, version }) => `${column.heading}, Node ${version}`)],
      aligns: ['left', ...columns.map(() => 'right' as const)],
      rows: members.map(({ name }) => [
        name,
        ...columns.map(({ column, version }) => medians(samples, name, version, column)),
      ]),
    };
  });
}

/** One row per target: what was asked, what was measured on each Node, and whether that is enough. */
export function targetTable({ nodes, verdicts }: Measured): TextTable {
  const targets = targetsOf(verdicts, ({ asked }) => asked !== undefined);
  return {
    head: ['row', 'what', 'asked', ...nodes.flatMap(({ version }) => [`Node ${version}`, 'verdict'])],
    aligns: ['right', 'left', 'right', ...nodes.flatMap(() => ['right', 'left'] as const)],
    rows: targets.map((target) => [
      target.row,
      target.what,
      describeAsked(target),
      ...verdictsOn(verdicts, target).flatMap((one) => [describeMeasured(one), describeMet(one)]),
    ]),
  };
}

/** One row per comparison of which nothing is asked. */
export function comparisonTable({ nodes, verdicts }: Measured): TextTable {
  const targets = targetsOf(verdicts, ({ asked }) => asked === undefined);
  return {
    head: ['what', ...nodes.map(({ version }) => `Node ${version}`)],
    aligns: ['left', ...nodes.map(() => 'right' as const)],
    rows: targets.map((target) => [target.what, ...verdictsOn(verdicts, target).map(describeMeasured)]),
  };
}

/** A sentence for every target that was missed, or could not be measured, on any Node. */
export function missedTargets(verdicts: readonly Verdict[]): readonly string[] {
  const notMet = verdicts.filter(({ target, met }) => target.asked !== undefined && met !== true);
  return targetsOf(notMet, () => true).map((target) => {
    const measured = verdictsOn(notMet, target).map(
      (verdict) => `${describeMeasured(verdict)} on Node ${verdict.node}`,
    );
    return `Row ${target.row} (${target.what}), asked ${describeAsked(target)}: ${measured.join(', ')}.`;
  });
}

function targetsOf(verdicts: readonly Verdict[], wanted: (target: Target) => boolean): readonly Target[] {
  return [...new Set(verdicts.map(({ target }) => target))].filter(wanted);
}

/** In the order of the Nodes, as they were evaluated. */
function verdictsOn(verdicts: readonly Verdict[], target: Target): readonly Verdict[] {
  return verdicts.filter((verdict) => verdict.target === target);
}

function medians(samples: readonly Sample[], name: string, version: string, { keys, format }: Column): string {
  return keys
    .map((reading) => {
      const values = [...byRound(samples, version, { case: name, reading }).values()];
      return values.length === 0 ? '–' : format(median(values));
    })
    .join(' / ');
}
