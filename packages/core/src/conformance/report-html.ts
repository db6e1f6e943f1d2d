import { badgeText, failuresOf, formatRemarks, formatTotals } from './format-report.ts';
import type { ConformanceReport, RuleResult } from './report.ts';

const style = `
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-top: 1px solid #8884; }
  pre { white-space: pre-wrap; padding: .8rem; background: #8881; }
  .PASS { color: #17803d; } .FAIL, .VACUOUS { color: #c01c28; font-weight: bold; }
  .NOT-VERIFIED, .KNOWN-VIOLATION { color: #a06000; } .N-A { color: #777; }
  @media (prefers-color-scheme: dark) { body { background: #16181c; color: #ddd; } .PASS { color: #4ec97b; } }`;

/** The report as one page that needs nothing else. */
export function reportToHtml(report: ConformanceReport): string {
  const { queue, startedAt, seed, node, version, rules } = report;
  const title = escapeHtml(`Conformance of ${queue}`);
  const facts = `${formatTotals(report)}. ${startedAt.slice(0, 10)}, @nq/core ${version}, Node.js ${node}, seed ${seed}.`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title}</title>
<style>${style}
</style>
<h1>${title}</h1>
<p><strong>${escapeHtml(badgeText(report))}</strong></p>
<p>${escapeHtml(facts)}</p>
${[
  ...formatRemarks(report).map((remark) => `<p class="FAIL">${escapeHtml(remark)}</p>\n`),
  ...failuresOf(report).map((failure) => `<pre>${escapeHtml(failure)}</pre>\n`),
].join('')}<table>
<thead><tr><th>Rule<th>What<th>Status<th>Why</thead>
<tbody>
${rules.map((result) => row(result)).join('\n')}
</tbody>
</table>
</html>
`;
}

function row({ id, slug, text, status, reason }: RuleResult): string {
  return `<tr id="${escapeHtml(id)}"><td>${escapeHtml(id)}<td title="${escapeHtml(slug)}">${escapeHtml(text)}<td class="${status}">${status}<td>${escapeHtml(reason)}`;
}

/** Names of queues and reasons come from outside. */
function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
