import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

const said = new Set<string>();

/**
 * Says once per process what the tests run against, or why some do not run. Test runners hold back what passing tests
 * print, so under vitest the line is also left beside the results, from where `npm test` shows it.
 */
export function announce(line: string): void {
  if (said.has(line)) return;
  said.add(line);
  process.stderr.write(`testbed: ${line}\n`);
  if (!process.env['VITEST']) return;
  const folder = join(process.cwd(), 'test-results');
  mkdirSync(folder, { recursive: true });
  // One write in append mode: test files run in several processes.
  appendFileSync(join(folder, 'testbed.txt'), `${line}\n`);
}
