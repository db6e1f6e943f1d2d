// `pnpm check-custom-queue`: takes the example of a third-party queue out of the workspace, installs what would be
// published with plain npm, and has the conformance kit prove it there. With `--write`, the report goes into its README.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { checkRun, programsOf } from './readme-program.mjs';
import { build, exitWith, say, step, StepFailed } from './steps.mjs';
import { capture, command, npm, pack } from './tarballs.mjs';
import { readManifest, root } from './workspaces.mjs';

const example = join(root, 'examples/custom-queue-sqlite');
const notCopied = new Set(['node_modules', 'test-results', 'package-lock.json']);
const writes = process.argv.includes('--write');

// As for the tests of this repository: local time is not UTC.
process.env['TZ'] ??= 'America/St_Johns';

await exitWith(async () => {
  checkRange();
  await build(['@nq/core']);
  const folder = mkdtempSync(join(tmpdir(), 'nq-custom-queue-'));
  try {
    const project = join(folder, 'project');
    cpSync(example, project, { recursive: true, filter: (path) => !notCopied.has(basename(path)) });
    const tarballs = await step('Packing @nq/core with npm', () => pack(['packages/core'], folder));
    await step('Installing it into a copy of the example', () =>
      command(npm, ['install', '--no-audit', '--no-fund', ...tarballs], project),
    );
    await step('Compiling the example', () => command(npm, ['run', 'typecheck'], project));
    await step('Running the program of its README', () => runProgram(project));
    const test = ['--test', '--test-reporter=spec', 'test/*.test.ts'];
    await step(`Proving it on Node ${process.versions.node}`, () => command(process.execPath, test, project));
    await step('Comparing the report with the README', () => checkReadme(project));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return 0;
});

/** Changesets does not raise the range of a package that is no part of the workspace. */
function checkRange() {
  const range = readManifest('examples/custom-queue-sqlite').dependencies['@nq/core'];
  const { version } = readManifest('packages/core');
  if (range !== `^${version}`) throw new StepFailed(`The example depends on @nq/core ${range}: make it ^${version}.`);
}

/** @param {string} project */
async function runProgram(project) {
  const [program] = programsOf(readFileSync(join(example, 'README.md'), 'utf8'));
  if (program === undefined) throw new StepFailed('The README has no program.');
  writeFileSync(join(project, 'readme.ts'), program.code);
  const problems = checkRun(program, await capture(process.execPath, ['readme.ts'], project));
  if (problems.length > 0) throw new StepFailed(problems.join('\n'));
}

/** @param {string} project */
async function checkReadme(project) {
  await command(process.execPath, ['scripts/update-readme.ts'], project);
  const readme = join(project, 'README.md');
  const formatter = join(root, 'node_modules/.bin/oxfmt');
  await command(formatter, ['--config', join(root, '.oxfmtrc.json'), readme], project);
  const written = readFileSync(readme, 'utf8');
  if (written === readFileSync(join(example, 'README.md'), 'utf8')) return;
  if (!writes) throw new StepFailed('The report in its README is old: `pnpm check-custom-queue --write` renews it.');
  writeFileSync(join(example, 'README.md'), written);
  say('renewed, ');
}
