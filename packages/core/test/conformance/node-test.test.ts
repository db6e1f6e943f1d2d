import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const program = fileURLToPath(new URL('programs/runner.mjs', import.meta.url));

/** What `node` prints and exits with. */
function run(...args: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  return runWith({}, ...args);
}

function runWith(
  changes: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly output: string }> {
  return new Promise((resolve) => {
    const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
    execFile(process.execPath, args, { env: { ...env, NQ_SEED: '5', ...changes } }, (error, stdout, stderr) => {
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

  test('are those that NQ_ONLY or NQ_TIERS of the environment names, and nothing else is taken for a name', async () => {
    const one = await runWith({ NQ_ONLY: '0.1' }, '--test-reporter=tap', program);
    expect(one.output).toMatch(/# tests 1\n/);
    const wrong = await runWith({ NQ_TIERS: 'smoke,quick' }, '--test-reporter=tap', program);
    expect(wrong.output).toContain('tiers must be one of smoke, standard, faults, stress, got "quick"');
    expect(wrong.code).toBe(1);
  });

  test('fail for a queue that is broken, with what was observed', async () => {
    const { code, output } = await run('--test-reporter=tap', program, '--broken');
    expect(output).toMatch(/is broken by a queue/);
    expect(output).toMatch(/Observed: /);
    expect(output).not.toMatch(/# fail 0/);
    expect(code).toBe(1);
  });

  test('fail for an exception that nobody catches, each by itself, and the runner goes on', async () => {
    const { code, output } = await run('--test-reporter=tap', program, '--throwing');
    const told = /Observed: \d exceptions were caught by nobody; the first: unexpected Error: thrown in a timer/g;
    // 0.3 is about several connections, and does not apply.
    expect(output.match(told)).toHaveLength(3);
    expect(output).toMatch(/# tests 4\n/);
    expect(output).toMatch(/# fail 3\n/);
    expect(code).toBe(1);
  });

  test.for([['--test-reporter=tap'], ['--test', '--test-reporter=tap']])(
    'fail for a queue that ends the process, with the rule that was running: node %s',
    async (how) => {
      const { code, output } = await runWith({ EXITING: 'yes' }, ...how, program);
      expect(output).toMatch(/Conformance of a queue: the process ends in the middle of the run, during rule 0\.\d /);
      expect(code).toBe(1);
    },
  );

  test('say why there is no queue once, and of each rule that it was not run', async () => {
    const { code, output } = await run('--test-reporter=tap', program, '--unreachable');
    expect(output.match(/opening the queue failed: no such host/g)).toHaveLength(1);
    expect(
      output.match(/error: '§\d+\.\d+ [a-z-]+ \(MUST\): not run, because the queue could not be opened'/g),
    ).toHaveLength(4);
    expect(output).not.toContain('Check first');
    expect(code).toBe(1);
  });

  test('fail if the report cannot be written, with what it came to', async () => {
    const { code, output } = await run('--test-reporter=tap', program, '--unwritable');
    expect(output).toMatch(/ok \d+ - 0\.1 The capabilities of a queue are complete/);
    expect(output).toContain('Cannot write the report of a queue (nq no level · 3/3 verified · 0 waivers): EEXIST');
    expect(code).toBe(1);
  });

  test('say what still keeps the process alive, and pass', async () => {
    const { code, output } = await run('--test-reporter=tap', program, '--lingering');
    expect(output).toMatch(/The process may not end: there are still Timeout \(\d+ instead of \d+\)/);
    expect(code).toBe(0);
  });
});
