import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { badgeText } from './format-report.ts';
import type { ConformanceReport } from './report.ts';
import { reportToHtml } from './report-html.ts';
import { reportToJson } from './report-json.ts';
import { reportToMarkdown } from './report-markdown.ts';

/**
 * Writes `nq-conformance.json`, `nq-conformance.md` and `nq-conformance.html` into `folder`, which is made if it is not
 * there. Reports of before are replaced.
 *
 * @throws {Error} that says what the report came to, if it cannot be written; some of the files may be.
 */
export async function writeReport(report: ConformanceReport, folder: string): Promise<void> {
  const write = (name: string, text: string): Promise<void> => writeFile(join(folder, `nq-conformance.${name}`), text);
  try {
    await mkdir(folder, { recursive: true });
    await Promise.all([
      write('json', reportToJson(report)),
      write('md', reportToMarkdown(report)),
      write('html', reportToHtml(report)),
    ]);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`Cannot write the report of ${report.queue} (${badgeText(report)}): ${why}`, { cause: error });
  }
}
