import { badgeText, formatFailure, formatTotals, isBroken } from './format-report.ts';
import type { ConformanceReport } from './report.ts';

/** The report as Markdown: a summary for a README or a pull request. */
export function reportToMarkdown(report: ConformanceReport): string {
  const { queue, startedAt, seed, node, version, rules, problems, strict } = report;
  const broken = rules.filter(({ status }) => isBroken(status, strict));
  return `${[
    `# Conformance of ${escapeCell(queue)}`,
    `${badgeText(report)}`,
    `${formatTotals(report)}. ${startedAt.slice(0, 10)}, @nq/core ${version}, Node.js ${node}, seed ${seed}.`,
    ...problems.map((problem) => `Besides the rules: ${problem}`),
    ...broken.map((result) => `\`\`\`text\n${formatFailure(result, report)}\n\`\`\``),
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
