import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hostNodeVersion, nodeTooOld } from '../scripts/node-version.mjs';
import { countTests, distinctLines, summaryLine } from '../scripts/test-counts.mjs';
import { root } from '../scripts/workspaces.mjs';

describe('nodeTooOld()', () => {
  test.for(['20.19.0', '20.19.1', '20.20.0', '24.0.0'])('accepts %s', (version) => {
    expect(nodeTooOld(version, '>=20.19.0')).toBeUndefined();
  });

  test.for(['12.22.12', '18.20.8', '20.9.0', '20.18.3'])(
    'says of %s which version is needed and which came',
    (version) => {
      const sentence = nodeTooOld(version, '>=20.19.0');
      expect(sentence).toContain('20.19.0 or newer');
      expect(sentence).toContain(version);
    },
  );
});

describe('hostNodeVersion()', () => {
  test('is the Node that npm runs on, not the one that npm put on PATH', () => {
    expect(hostNodeVersion('npm/10.8.2 node/v20.19.0 linux x64 workspaces/false')).toBe('20.19.0');
  });

  test('is the Node of this process where no npm called it', () => {
    expect(hostNodeVersion(undefined)).toBe(process.versions.node);
  });
});

describe('countTests()', () => {
  const file = (status: string, ...tests: string[]) => ({
    status,
    assertionResults: tests.map((one) => ({ status: one })),
  });

  test('adds up the tests of all files', () => {
    const testResults = [file('passed', 'passed', 'skipped'), file('failed', 'failed', 'passed', 'todo')];
    expect(countTests({ success: false, testResults })).toEqual({ passed: 2, failed: 1, skipped: 2 });
  });

  test('counts a file that failed outside of any test as one failure', () => {
    expect(countTests({ success: false, testResults: [file('failed'), file('failed', 'passed')] })).toEqual({
      passed: 1,
      failed: 2,
      skipped: 0,
    });
  });

  test('counts a run that failed without a failed test as one failure', () => {
    expect(countTests({ success: false, testResults: [] })).toEqual({ passed: 0, failed: 1, skipped: 0 });
  });
});

describe('summaryLine()', () => {
  test('names skipped tests only where there are any', () => {
    expect(summaryLine({ passed: 2, failed: 0, skipped: 0 })).toBe('2 passed, 0 failed');
    expect(summaryLine({ passed: 2, failed: 1, skipped: 3 })).toBe('2 passed, 1 failed, 3 skipped');
  });
});

describe('distinctLines()', () => {
  test('tells once what several packages have noted', () => {
    expect(distinctLines(['b\na\nb\n', 'a\n', ''])).toEqual(['a', 'b']);
  });
});

describe('the tests of all packages', () => {
  /** The minutes by which local time lay behind UTC in 1970, in a process that has the configuration of the tests. */
  const offsetOf = (changes: NodeJS.ProcessEnv): string => {
    const { TZ: _, ...env } = process.env;
    const program = `await import('./vitest.base.ts'); console.log(new Date(0).getTimezoneOffset());`;
    const args = ['--input-type=module', '--eval', program];
    const cwd = join(root, 'packages/workspace');
    return execFileSync(process.execPath, args, { cwd, env: { ...env, ...changes }, encoding: 'utf8' }).trim();
  };

  test('run where local time is not UTC, and not by whole hours', () => expect(offsetOf({})).toBe('210'));

  test('run where TZ says, if it is set', () => expect(offsetOf({ TZ: 'Asia/Tokyo' })).toBe('-540'));
});
