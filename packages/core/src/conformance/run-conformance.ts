import { checkFunction } from '../check.ts';
import type { ConformanceHarness } from './harness.ts';
import { messageOf } from './journal.ts';
import type { ConformanceReport, RuleResult } from './report.ts';
import { ConformanceSession, type SessionOptions } from './session.ts';

/** What is run, and how, and who is told of it. */
export interface ConformanceOptions extends SessionOptions {
  /**
   * Told of each result as soon as it is there; the next rule begins when it has returned, or its promise has settled. The
   * first time that it throws is a problem of the report, and the run goes on.
   */
  readonly onResult?: ((result: RuleResult, progress: ConformanceProgress) => unknown) | undefined;
}

/** How far a run is. */
export interface ConformanceProgress {
  readonly done: number;
  readonly total: number;
}

/**
 * Runs the rules against the queue of `harness`, in random order, each in a namespace of its own. Whatever the queue does,
 * the report comes: a queue that hangs, throws or cannot be opened fails with the reason.
 *
 * @throws {TypeError} {RangeError} if the harness or an option is not as it should be. Nothing is run then.
 */
export async function runConformance<Data>(
  harness: ConformanceHarness<Data>,
  { onResult, ...options }: ConformanceOptions = {},
): Promise<ConformanceReport> {
  if (onResult !== undefined) checkFunction('Cannot run the rules', 'onResult', onResult);
  const session = new ConformanceSession(harness as unknown as ConformanceHarness, options);
  await session.start();
  const problems: string[] = [];
  let done = 0;
  for (const rule of session.rules) {
    const result = await session.run(rule);
    try {
      await onResult?.(result, { done: ++done, total: session.rules.length });
    } catch (error) {
      problems.push(`onResult() failed: ${messageOf(error)}`);
    }
  }
  return session.end(problems.slice(0, 1));
}
