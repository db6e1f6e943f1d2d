import Table from 'cli-table3';
import type { Report, Suite } from './report.ts';
import { comparisonTable, groupTables, missedTargets, targetTable, type TextTable } from './tables.ts';

/** A report for people at a terminal. */
export function printReport(suite: Suite, report: Report): string {
  const missed = missedTargets(report.verdicts);
  const blocks = [
    ...groupTables(suite, report).flatMap((table) => titled(table.title, table)),
    ...titled('Targets: median (lowest–highest) of the rounds', targetTable(report)),
    ...titled('For comparison', comparisonTable(report)),
    ...missed,
    ...report.broken.map((run) => `${run.case} broke on Node ${run.node} in round ${run.round}: ${run.reason}`),
  ];
  return `${blocks.join('\n')}\n`;
}

/** Nothing of a table without rows: a run of some cases has few targets, or none. */
function titled(title: string, table: TextTable): readonly string[] {
  return table.rows.length === 0 ? [] : [title, draw(table)];
}

/** No colours: the report may go to a file, and NO_COLOR has nothing to forbid. */
function draw({ head, aligns, rows }: TextTable): string {
  const table = new Table({
    head: [...head],
    colAligns: [...aligns],
    style: { head: [], border: [], compact: true },
  });
  table.push(...rows.map((row) => [...row]));
  return `${table.toString()}\n`;
}
