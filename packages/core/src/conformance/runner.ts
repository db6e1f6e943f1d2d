import { formatFailure, formatLeftAlive, isBroken } from './format-report.ts';
import type { ConformanceHarness } from './harness.ts';
import type { ConformanceReport } from './report.ts';
import type { Tier } from './rule.ts';
import { ConformanceSession, type SessionOptions } from './session.ts';
import { writeReport } from './write-report.ts';

/** How a test runner runs the rules. */
export interface RunnerOptions extends SessionOptions {
  /** A folder for the reports. @default none is written */
  readonly reportFolder?: string | undefined;
}

/** What a test runner has to offer. */
interface Runner {
  group(title: string, body: () => void): void;
  before(body: () => Promise<void>, timeoutMs: number): void;
  after(body: () => Promise<void>, timeoutMs: number): void;
  /** @param body is given a function that marks the test as skipped. */
  test(title: string, timeoutMs: number, body: (skip: (reason: string) => void) => Promise<void>): void;
}

/** How much longer than the rule itself its test may take: closing and disposing are part of it, in milliseconds. */
const marginMs = 60_000;

/** Declares one test per rule, in random order, with the seed in the title of the group. */
export function declareTests<Data>(
  harness: ConformanceHarness<Data>,
  { reportFolder, ...options }: RunnerOptions,
  runner: Runner,
): void {
  const session = new ConformanceSession(harness as unknown as ConformanceHarness, withEnvironment(options));
  const run = { queue: harness.name, seed: session.seed };
  runner.group(`${harness.name} conforms (seed ${session.seed})`, () => {
    const aroundMs = session.startLimitMs + marginMs;
    runner.before(() => session.start(), aroundMs);
    runner.after(async () => tell(await session.end(), reportFolder), aroundMs);

    for (const rule of session.rules) {
      runner.test(`${rule.id} ${rule.text}`, session.ruleLimitMs + marginMs, async (skip) => {
        const result = await session.run(rule);
        if (isBroken(result.status, options.strict ?? false)) throw new Error(formatFailure(result, run));
        if (result.status !== 'PASS' && result.verified === 0) skip(`${result.status}: ${result.reason}`);
      });
    }
  });
}

/** Writes the report, and says what is to be said besides the rules. @throws {Error} with the problems, if there are any. */
async function tell(report: ConformanceReport, folder: string | undefined): Promise<void> {
  const problems = [...report.problems];
  if (report.leftAlive.length > 0) console.error(formatLeftAlive(report));
  try {
    if (folder !== undefined) await writeReport(report, folder);
  } catch (error) {
    problems.push((error as Error).message);
  }
  if (problems.length > 0) throw new Error(problems.join('; '));
}

/**
 * `options`, with what the environment says instead where it says something: `NQ_ONLY` (ids, separated by commas) and
 * `NQ_SEED`, as failures name them; and `NQ_TIERS` (separated by commas).
 *
 * @throws {TypeError} if `NQ_SEED` is no number.
 */
function withEnvironment(options: SessionOptions): SessionOptions {
  const { NQ_ONLY, NQ_SEED, NQ_TIERS } = process.env;
  const list = (text: string): string[] => text.split(',').map((item) => item.trim());
  return {
    ...options,
    ...(NQ_ONLY === undefined ? {} : { only: list(NQ_ONLY) }),
    // What is no tier is refused with the other options.
    ...(NQ_TIERS === undefined ? {} : { tiers: list(NQ_TIERS) as Tier[] }),
    ...(NQ_SEED === undefined ? {} : { seed: readSeed(NQ_SEED) }),
  };
}

function readSeed(text: string): number {
  const seed = Number(text);
  if (text.trim() === '' || !Number.isFinite(seed))
    throw new TypeError(`NQ_SEED must be a number, got ${JSON.stringify(text)}`);
  return seed;
}
