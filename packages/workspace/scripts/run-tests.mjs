import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, exitWith, install, runTurbo, say, step, StepFailed } from './steps.mjs';
import { countTests, distinctLines, summaryLine } from './test-counts.mjs';
import { root, workspaces } from './workspaces.mjs';

/** Where vitest.base.ts has every package write its results. */
const results = 'test-results/vitest.json';
/** Where nq-testbed notes which brokers the tests of a package used, and which it looked for in vain. */
const brokers = 'test-results/testbed.txt';

/** Its tests start up to three brokers each, of which each takes a processor while it starts: others would see that. */
const alone = '@nq/kafka';

/** @param {{ readonly manifest: { readonly name: string } }} workspace */
const nameOf = ({ manifest }) => manifest.name;

/** @param {readonly string[]} args */
export function runTests(args) {
  return exitWith(async () => {
    if (args.length > 0) {
      throw new StepFailed(
        `npm test runs all tests and takes no arguments, got ${args.join(' ')}. For one package: npx pnpm --filter @nq/core test`,
      );
    }
    await install();
    const all = workspaces();
    await build(all.filter(({ manifest }) => manifest.scripts?.build).map(({ manifest }) => manifest.name));

    const tested = all.filter(({ manifest }) => manifest.scripts?.test);
    // So that a run which dies before it writes results is not mistaken for the one before.
    for (const { folder } of tested) {
      for (const file of [results, brokers]) rmSync(join(root, folder, file), { force: true });
    }
    const startedAt = Date.now();
    // No more packages at a time than there are processors: tests watch the clock, and brokers take their share.
    const turns = [
      { names: tested.map(nameOf).filter((name) => name !== alone), options: ['--concurrency=100%'] },
      { names: tested.map(nameOf).filter((name) => name === alone), options: [] },
    ];
    let code = 0;
    let output = '';
    for (const { names, options } of turns) {
      const filters = names.map((name) => `--filter=${name}`);
      const ran = await step(`Testing ${names.join(', ')}`, () =>
        runTurbo(['test', '--continue=dependencies-successful', ...options, ...filters]),
      );
      code = Math.max(code, ran.code);
      output += ran.code === 0 ? '' : ran.output;
    }
    if (code !== 0) say(`\n${output.trimEnd()}\n\n`);

    const total = { passed: 0, failed: 0, skipped: 0 };
    for (const { folder, manifest } of tested) {
      const file = join(root, folder, results);
      if (!existsSync(file)) {
        total.failed += 1;
        console.log(`${manifest.name}: the test run left no results`);
        continue;
      }
      const report = JSON.parse(readFileSync(file, 'utf8'));
      const counts = countTests(report);
      total.passed += counts.passed;
      total.failed += counts.failed;
      total.skipped += counts.skipped;
      // turbo brings back the results of a run whose inputs were the same.
      const note = report.startTime < startedAt ? ' (unchanged since that run; TURBO_FORCE=1 runs them again)' : '';
      console.log(`${manifest.name}: ${summaryLine(counts)}${note}`);
    }
    const notes = tested.map(({ folder }) => join(root, folder, brokers)).filter((file) => existsSync(file));
    for (const line of distinctLines(notes.map((file) => readFileSync(file, 'utf8')))) console.log(`broker: ${line}`);
    // A runner can fail without a failed test, for instance on an error nobody caught: that is a failure all the same.
    if (code !== 0 && total.failed === 0) total.failed = 1;
    if (total.passed + total.failed === 0)
      say('No test ran, and a run without tests proves nothing: it counts as failed.\n');
    console.log(summaryLine(total));
    return total.failed > 0 || total.passed === 0 ? 1 : 0;
  });
}
