import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const main = fileURLToPath(new URL('../src/channel/main.ts', import.meta.url));

interface Ended {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

function bench(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [main, ...args], { timeout: 60_000 }, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

// What is fast is not asked here: a benchmark never fails a test run.
test('a run measures its cases in processes of their own, prints a table and leaves every reading', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nq-benchmarks-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const json = join(folder, 'channel.json');
  const only = '^(nq channel, await push . tryPop|ts-chan)';
  const { code, stdout, stderr } = await bench(
    '--quick',
    '--rounds',
    '2',
    '--seed',
    '5',
    '--only',
    only,
    '--json',
    json,
  );

  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('seed 5') });
  expect(stdout).toContain('nq channel, await push + tryPop');
  const { samples, broken, verdicts } = JSON.parse(readFileSync(json, 'utf8'));
  expect(broken).toEqual([]);
  expect(samples).toHaveLength(4);
  for (const sample of samples) {
    expect(sample).toEqual({
      case: expect.stringMatching(only),
      node: process.versions.node,
      round: expect.toBeOneOf([1, 2]),
      readings: { opsPerSecond: expect.any(Number), cpuNsPerOp: expect.any(Number) },
    });
  }
  expect(verdicts).toEqual([expect.objectContaining({ row: '3', spread: expect.objectContaining({ count: 2 }) })]);
});

test('a case that does not exist is told in one sentence', async () => {
  expect(await bench('--only', 'no such case')).toEqual({
    code: 2,
    stdout: '',
    stderr: 'error: No case matches /no such case/i\n',
  });
});

test('a Node that does not run is told in one sentence', async () => {
  const { code, stderr } = await bench('--node', main);
  expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('it does not run as Node.js') });
});
