import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const program = fileURLToPath(new URL('programs/runner.mjs', import.meta.url));

/** What `node` prints and exits with. */
function run(...args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
    execFile(process.execPath, args, { env: { ...env, NQ_SEED: '5' } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr });
    });
  });
}

describe('the rules under node --test', () => {
  test('are one test each, with the seed in the title, and pass for a sound queue', async () => {
    const { code, output } = await run('--test-reporter=tap', program);
    expect(output).toContain('a queue conforms (seed 5)');
    expect(output).toMatch(/ok \d+ - 0\.1 The capabilities of a queue are complete/);
    expect(output).toMatch(/# SKIP N-A: the queue does not declare multiInstance/);
    expect(output).toMatch(/# fail 0/);
    expect(code).toBe(0);
  });

  test('fail for a queue that is broken, with what was observed', async () => {
    const { code, output } = await run('--test-reporter=tap', program, '--broken');
    expect(output).toMatch(/is broken by a queue/);
    expect(output).toMatch(/Observed: /);
    expect(output).not.toMatch(/# fail 0/);
    expect(code).toBe(1);
  });
});
