import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeFolder, runProgram } from './run-program.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
/** The blocks that are no commands: what a run prints, and what `--help` prints. */
const [report = '', help = ''] = [...readme.matchAll(/^```(\w*)\n([^]*?)^```$/gm)]
  .filter((match) => match[1] === '')
  .map((match) => match[2] ?? '');

/** What is the same in every run, in the same order: neither times nor paths, nor the widths they lead to. */
function constant(text: string): string[] {
  const lines = text.split('\n').filter((line) => !/[┌├└]|throughput|time in queue|audit log/.test(line));
  return lines.map((line) => line.replace(/[│ ]+/g, ' ').trim()).sort();
}

describe('the README', () => {
  test('shows what a run prints', async () => {
    const { stdout, stderr } = await runProgram(['--audit', join(makeFolder(), 'audit.ndjson')]);
    expect(constant(report)).toEqual(constant(stderr + stdout));
  });

  test('shows what --help prints', async () => {
    const { stdout } = await runProgram(['--help']);
    expect(help.trimEnd()).toBe(stdout.trimEnd());
  });
});
