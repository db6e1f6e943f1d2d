import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type ConformanceHarness, runConformance } from '../../src/conformance.ts';
import { fileQueue, type FileQueueOptions } from './programs/file-queue.ts';

const program = fileURLToPath(new URL('programs/serve-files.ts', import.meta.url));

/** A harness of files that are read and written by several real processes. */
function fileHarness({
  locked = true,
  clock = 'machine',
  forks = true,
  timing,
}: Partial<FileHarnessOptions>): ConformanceHarness {
  const root = mkdtempSync(join(tmpdir(), 'nq-files-'));
  return {
    name: locked ? 'files with a lock' : 'files without a lock',
    timing,
    stop: () => rmSync(root, { recursive: true, force: true }),
    namespace(id) {
      const folder = join(root, id);
      mkdirSync(folder);
      return {
        open: ({ capacity, leaseMs }) => fileQueue({ folder, locked, clock, capacity, leaseMs }),
        ...(forks ? { fork: () => fork(program, [folder, String(locked), clock]) } : {}),
        dispose: () => rmSync(folder, { recursive: true, force: true }),
      };
    },
  };
}

/** How the queue of files is opened, and whether by several processes. */
interface FileHarnessOptions extends Pick<FileQueueOptions, 'locked' | 'clock'> {
  readonly forks: boolean;
  readonly timing: ConformanceHarness['timing'];
}

/** How `rules` end, and why. */
async function ends(harness: ConformanceHarness, rules: readonly string[]): Promise<Record<string, string>> {
  const report = await runConformance(harness, { only: rules });
  expect(report.problems).toEqual([]);
  expect(report.leftAlive).toEqual([]);
  return Object.fromEntries(report.rules.map(({ id, status, reason }) => [id, `${status} ${reason}`.trim()]));
}

describe('a queue of files that look first and act then', () => {
  test('is right as long as all connections are in one process, and nobody knows whether it is with several', async () => {
    const rules = ['0.3', '1.1', '2.4', '2.5', '5.1', '6.7', '7.5'];
    const statuses = await ends(fileHarness({ locked: false, forks: false }), rules);
    expect(statuses).toEqual({
      ...Object.fromEntries(rules.map((rule) => [rule, 'PASS'])),
      '7.5': 'NOT-VERIFIED the harness has no hook fork',
    });
  });

  test('is caught by rule 7.5 as soon as there are several', async () => {
    expect((await ends(fileHarness({ locked: false }), ['7.5']))['7.5']).toMatch(/^FAIL /);
  });

  test('is right with several, if each call locks the folder', async () => {
    const rules = ['7.5', '7.6', '7.7', '7.9'];
    expect(await ends(fileHarness({}), rules)).toEqual(Object.fromEntries(rules.map((rule) => [rule, 'PASS'])));
  });

  test('is caught by rule 7.9 if each process goes by its own clock', async () => {
    const { '7.9': end } = await ends(fileHarness({ clock: 'process', timing: { quietMs: 300 } }), ['7.9']);
    expect(end).toMatch(/^FAIL e\d+, which a process whose clock is behind took for 600 ms, came to .* after \d+ ms$/);
  });

  test('is caught by rule 7.11 if a process that is killed leaves the folder locked', async () => {
    const timing = { quietMs: 300, patienceMs: 2000, reclaimMs: 500 };
    expect((await ends(fileHarness({ locked: 'slowly', timing }), ['7.11']))['7.11']).toMatch(
      /^FAIL a push of another process after 5 processes were killed at work did not settle within \d+ ms$/,
    );
  });
});
