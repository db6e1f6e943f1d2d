import { execFile } from 'node:child_process';
import type { Budget } from './budget.ts';
import type { Case } from './case.ts';
import type { NodeRuntime } from './nodes.ts';
import { randomNumbers, shuffled } from './random.ts';
import type { CaseResult } from './run-case.ts';
import type { Sample } from './samples.ts';

/** One case on one Node in one round. */
export interface Run {
  readonly case: Case;
  readonly node: NodeRuntime;
  readonly round: number;
}

/** A run that has read nothing, and why. */
export interface BrokenRun {
  readonly case: string;
  readonly node: string;
  readonly round: number;
  readonly reason: string;
}

/** What is run, and how often. */
export interface Plan {
  readonly cases: readonly Case[];
  readonly nodes: readonly NodeRuntime[];
  readonly rounds: number;
  readonly seed: number;
  readonly budget: Budget;
  /** The program that runs one case when it is called with `case`, its name, the budget and the address. */
  readonly program: string;
  /** Where the service of the suite is; empty for a suite without one. */
  readonly address: string;
}

/** After this a run counts as hung, in milliseconds. */
const hungAfterMs = 120_000;

/**
 * Every case on every Node once per round, each round in an order of its own: what slows the machine down for a while
 * hits all of them alike, and nobody always runs after the same neighbour.
 */
export function orderOfRuns({
  cases,
  nodes,
  rounds,
  seed,
}: Pick<Plan, 'cases' | 'nodes' | 'rounds' | 'seed'>): readonly Run[][] {
  const random = randomNumbers(seed);
  return Array.from({ length: rounds }, (_, index) => {
    const round = index + 1;
    const taking = cases.filter(({ maxRounds = Infinity }) => round <= maxRounds);
    return [
      ...shuffled(
        taking.flatMap((one) => nodes.map((node) => ({ case: one, node, round }))),
        random,
      ),
    ];
  });
}

/** Runs everything, one process at a time. A run that breaks is reported, and the others go on. */
export async function runRounds(
  plan: Plan,
  onProgress: (done: number, total: number, run: Run) => void,
): Promise<{ readonly samples: readonly Sample[]; readonly broken: readonly BrokenRun[] }> {
  const samples: Sample[] = [];
  const broken: BrokenRun[] = [];
  const runs = orderOfRuns(plan).flat();
  for (const [index, run] of runs.entries()) {
    onProgress(index, runs.length, run);
    const about = { case: run.case.name, node: run.node.version, round: run.round };
    const result = await runInChild(run, plan);
    if ('readings' in result) samples.push({ ...about, readings: result.readings });
    else broken.push({ ...about, reason: result.error });
  }
  return { samples, broken };
}

/** A process per run: what the engine has learnt from one case must not slow down the next. */
function runInChild({ case: one, node }: Run, { program, budget, address }: Plan): Promise<CaseResult> {
  const args = [...(one.nodeFlags ?? []), program, 'case', one.name, JSON.stringify(budget), address];
  // Options from outside, such as a condition that picks the sources of the workspace, would change what is measured.
  const { NODE_OPTIONS: _, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(node.path, args, { env, timeout: hungAfterMs, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
      if (error === null) resolve(JSON.parse(stdout) as CaseResult);
      else resolve({ error: error.killed ? `It hung for ${hungAfterMs} ms` : reasonIn(stderr) });
    });
  });
}

/** The line of a crash that says why; the stack around it says where things are installed. */
function reasonIn(stderr: string): string {
  return /^\w*Error: .*$/m.exec(stderr)?.[0] ?? 'It crashed';
}
