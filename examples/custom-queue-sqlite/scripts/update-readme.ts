// Puts what the last `npm test` found out into the README, so that nobody has to write it by hand.
import { readFileSync, writeFileSync } from 'node:fs';
import { badgeText, type ConformanceReport } from '@nq/core/conformance';

const readme = new URL('../README.md', import.meta.url);
const report = JSON.parse(
  readFileSync(new URL('../test-results/nq-conformance.json', import.meta.url), 'utf8'),
) as ConformanceReport;

const cell = (text: string): string => text.replaceAll('|', '\\|');
const rows = report.rules.map(
  ({ id, text, status, reason }) =>
    `| ${id} | ${cell(text)} | ${status === 'PASS' ? status : `${status}: ${cell(reason)}`} |`,
);
const section = ['', `\`${badgeText(report)}\``, '', '| Rule | What | Result |', '| --- | --- | --- |', ...rows, ''];

const text = readFileSync(readme, 'utf8');
const [begin, end] = ['<!-- written by scripts/update-readme.ts -->\n', '<!-- /written -->'];
const parts = [text.indexOf(begin), text.indexOf(end)] as const;
if (parts.includes(-1)) throw new Error('README.md has no section for the report');
writeFileSync(readme, `${text.slice(0, parts[0] + begin.length)}${section.join('\n')}\n${text.slice(parts[1])}`);
