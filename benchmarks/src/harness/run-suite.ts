import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import { type Arguments, readArguments } from './arguments.ts';
import { fullBudget, quickBudget } from './budget.ts';
import { renderDocs } from './docs.ts';
import { Failure } from './failure.ts';
import { findNodes } from './nodes.ts';
import { printReport } from './print-report.ts';
import { type Report, type Suite, toJson } from './report.ts';
import { type Run, runRounds } from './run-rounds.ts';
import { cleanCommit, describeMachine, packageVersions } from './surroundings.ts';
import { casesOf, evaluate } from './targets.ts';

/** The folder of the benchmarks; the same from `src` and from `dist`. */
const benchmarks = fileURLToPath(new URL('../..', import.meta.url));
const workspace = dirname(benchmarks);

const fullRounds = 7;
const quickRounds = 2;

/**
 * Runs a suite as the command line says and tells what came out.
 *
 * @param program what runs one case: see `runCase`.
 * @returns the exit code. A missed target is not a failure; a case that breaks is one.
 */
export async function runSuite(suite: Suite, program: string): Promise<number> {
  try {
    const args = readArguments(process.argv.slice(2), suite.description);
    const chosen = choose(suite, args.only);
    const report = await measure(chosen, program, args);
    process.stdout.write(printReport(chosen, report));
    write(args.json ?? join(benchmarks, 'results', `${suite.name}.json`), toJson(chosen, report));
    if (args.writeDocs) write(join(workspace, 'docs', suite.docsFile), renderDocs(chosen, report));
    return report.broken.length > 0 ? 1 : 0;
  } catch (error) {
    // Commander has said what there is to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!(error instanceof Failure)) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    return error.exitCode;
  }
}

/** The cases whose name matches, and the targets that they are enough for. */
function choose(suite: Suite, only: RegExp | undefined): Suite {
  if (only === undefined) return suite;
  const cases = suite.cases.filter(({ name }) => only.test(name));
  if (cases.length === 0) throw new Failure(`No case matches ${only}`, 2);
  const names = new Set(cases.map(({ name }) => name));
  const targets = suite.targets.filter((target) => casesOf(target).every((name) => names.has(name)));
  return { ...suite, cases, targets };
}

async function measure(suite: Suite, program: string, args: Arguments): Promise<Report> {
  // A quick run shows that everything works; one Node is enough for that.
  const nodes = findNodes(args.quick && args.node.length === 0 ? [process.execPath] : args.node, workspace);
  const about = {
    startedAt: new Date().toISOString(),
    seed: args.seed ?? Math.ceil(Math.random() * 1e6),
    rounds: args.rounds ?? (args.quick ? quickRounds : fullRounds),
    budget: args.quick ? quickBudget : (suite.budget ?? fullBudget),
    machine: describeMachine(),
    packages: packageVersions(suite.ours, suite.peers),
    commit: cleanCommit(workspace, `docs/${suite.docsFile}`),
  };
  const versions = nodes.map(({ version }) => version);
  await using service = await suite.startService?.();
  say(`${suite.cases.length} cases on Node ${versions.join(' and ')}, ${about.rounds} rounds, seed ${about.seed}\n`);
  const plan = { ...about, cases: suite.cases, nodes, program, address: service?.address ?? '' };
  const found = await runRounds(plan, sayProgress());
  return {
    ...about,
    service: service?.name,
    nodes: nodes.map(({ version, v8 }) => ({ version, v8 })),
    ...found,
    verdicts: evaluate(suite.targets, versions, found.samples),
  };
}

/** One line per round, with an estimate of what is left. */
function sayProgress(): (done: number, total: number, run: Run) => void {
  const startedAt = performance.now();
  let lastRound = 0;
  return (done, total, { round }) => {
    if (round === lastRound) return;
    lastRound = round;
    const spentS = (performance.now() - startedAt) / 1000;
    const left = done === 0 ? '' : `, about ${Math.ceil((spentS / done) * (total - done))} s left`;
    say(`round ${round}: run ${done + 1} of ${total}${left}\n`);
  };
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  say(`written: ${path}\n`);
}

/** On standard error: standard output belongs to the report. */
function say(text: string): void {
  process.stderr.write(text);
}
