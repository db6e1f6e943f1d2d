import { markdownTable } from 'markdown-table';
import { formatNumber } from './format.ts';
import type { Report, Suite } from './report.ts';
import { comparisonTable, groupTables, missedTargets, targetTable, type TextTable } from './tables.ts';

/** The page that tells users how fast nq is: everything on it comes from one run. Formatted as oxfmt would. */
export function renderDocs(suite: Suite, report: Report): string {
  const comparisons = comparisonTable(report);
  const missed = missedTargets(report.verdicts);
  const broken = [...new Set(report.broken.map((run) => `${run.case}, on Node ${run.node}, broke in some rounds.`))];
  return `${[
    `# ${suite.title}`,
    `${suite.description} This page is written by the benchmark; do not edit it.${suite.related === undefined ? '' : ` ${suite.related}`}`,
    `> The numbers come from a shared, noisy machine: another one gives others, and so does the same one tomorrow. Only ratios within one run mean something.`,
    ...runSection(suite, report),
    '## Targets',
    `Each ratio is taken between two runs of the same round on the same Node; the table gives the median of the rounds, and the lowest and the highest in parentheses. A target is met if the median meets it.`,
    table(targetTable(report)),
    ...(comparisons.rows.length > 0 ? ['Of these nothing is asked:', table(comparisons)] : []),
    '### Missed targets',
    missed.length === 0 ? 'None: every target was met on every Node.' : list(missed),
    '## Measurements',
    'Medians of the rounds.',
    ...groupTables(suite, report).flatMap((group) => [
      `### ${group.title}`,
      group.about,
      table(group),
      list(group.cases.map(({ name, does }) => `${name}: ${does}`)),
    ]),
    ...(broken.length > 0 ? ['### Broken runs', list(broken)] : []),
    '## How it was measured',
    list(suite.method),
  ].join('\n\n')}\n`;
}

function runSection(suite: Suite, report: Report): string[] {
  const { startedAt, machine, nodes, packages, service, commit, rounds, seed } = report;
  const { cpu, cores, memoryGb, os } = machine;
  return [
    '## This run',
    list([
      `Date: ${startedAt.slice(0, 10)}`,
      `Machine: ${cpu}, ${cores} cores, ${formatNumber(memoryGb)} GB of memory, ${os}`,
      `Node.js: ${nodes.map(({ version, v8 }) => `${version} (V8 ${v8})`).join(', ')}`,
      `Packages: ${Object.entries(packages)
        .map(([name, version]) => `${name} ${version}`)
        .join(', ')}`,
      ...(service === undefined ? [] : [`Server: ${service}`]),
      `Sources: ${commit === undefined ? 'a working copy, not exactly a commit' : `commit ${commit}`}`,
      `Rounds: ${rounds}, order by seed ${seed}`,
    ]),
    'The same again on your machine:',
    `\`\`\`sh\n${suite.command}\n\`\`\``,
  ];
}

function table({ head, aligns, rows }: TextTable): string {
  return markdownTable([head, ...rows], { align: aligns });
}

function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n');
}
