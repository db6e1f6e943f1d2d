import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ConformanceReport } from './report.ts';
import { reportToHtml } from './report-html.ts';
import { reportToJson } from './report-json.ts';
import { reportToMarkdown } from './report-markdown.ts';

/**
 * Writes `nq-conformance.json`, `nq-conformance.md` and `nq-conformance.html` into `folder`, which is made if it is not
 * there. Reports of before are replaced.
 */
export async function writeReport(report: ConformanceReport, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await Promise.all([
    writeFile(join(folder, 'nq-conformance.json'), reportToJson(report)),
    writeFile(join(folder, 'nq-conformance.md'), reportToMarkdown(report)),
    writeFile(join(folder, 'nq-conformance.html'), reportToHtml(report)),
  ]);
}
