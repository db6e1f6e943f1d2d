import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Summary } from '../src/summary.ts';
import { ended, makeFolder, reportLine, startProgram } from './run-program.ts';

const audit = (): string[] => ['--audit', join(makeFolder(), 'audit.ndjson')];
const lines = (count: number): string =>
  Array.from({ length: count }, (_, number) => reportLine(`r${number}`)).join('');

describe.skipIf(process.platform === 'win32')('a signal', () => {
  test.for([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    '%s ends the run with the report and exit code %i, while the input goes on',
    async ([signal, exitCode]) => {
      const child = startProgram(['--json', '--input', '-', ...audit()]);
      const run = ended(child);
      child.stdin.write(lines(500));
      // Progress says so once all of them are dispatched; standard input stays open.
      await once(child.stderr, 'data');
      child.kill(signal);
      const { code, stdout, stderr } = await run;
      expect([code, stderr]).toEqual([exitCode, 'dispatched 500\n']);
      expect(JSON.parse(stdout) as Summary).toMatchObject({
        endedBy: signal,
        dispatched: 500,
        accounted: 500,
        problems: [],
      });
    },
  );
});

describe('a reader that has seen enough', () => {
  test.for(['stdout', 'stderr'] as const)('of %s is no error', async (name) => {
    const child = startProgram(audit());
    child.stdin.end();
    child[name].destroy();
    const { code, stderr } = await ended(child);
    expect(code).toBe(0);
    expect(stderr).not.toContain('rror');
  });
});
