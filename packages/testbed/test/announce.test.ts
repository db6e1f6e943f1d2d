import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { announce } from '../src/announce.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nq-notes-'));
  vi.spyOn(process, 'cwd').mockReturnValue(folder);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test('announce() prints a line once, and notes it where npm test finds it', () => {
  const print = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  for (const line of ['one', 'two', 'one']) announce(line);
  expect(print.mock.calls).toEqual([['testbed: one\n'], ['testbed: two\n']]);
  expect(readFileSync(join(folder, 'test-results/testbed.txt'), 'utf8')).toBe('one\ntwo\n');
});

test('announce() notes nothing for programs that are no tests', () => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  vi.stubEnv('VITEST', '');
  announce('three');
  expect(existsSync(join(folder, 'test-results'))).toBe(false);
});
