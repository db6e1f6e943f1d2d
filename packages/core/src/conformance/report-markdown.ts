import { badgeText, failuresOf, formatRemarks, formatTotals } from './format-report.ts';
import type { ConformanceReport } from './report.ts';

/** The report as Markdown: a summary for a README or a pull request. */
export function reportToMarkdown(report: ConformanceReport): string {
  const { queue, startedAt, seed, node, version, rules } = report;
  return `${[
    `# Conformance of ${escapeCell(queue)}`,
    `${badgeText(report)}`,
    `${formatTotals(report)}. ${startedAt.slice(0, 10)}, @nq/core ${version}, Node.js ${node}, seed ${seed}.`,
    ...formatRemarks(report),
    ...failuresOf(report).map((failure) => `\`\`\`text\n${failure}\n\`\`\``),
    [
      '| rule | what | status | why |',
      '| :-- | :-- | :-- | :-- |',
      ...rules.map(
        ({ id, text, status, reason }) => `| ${id} | ${escapeCell(text)} | ${status} | ${escapeCell(reason)} |`,
      ),
    ].join('\n'),
  ].join('\n\n')}\n`;
}

function escapeCell(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('|', '\\|').replaceAll('\n', ' ');
}
