/**
 * The rules as tests of `node --test`: one test per rule, in random order, with the seed in the title.
 *
 * @module
 */
import { after, before, describe, test } from 'node:test';
import type { ConformanceHarness } from './harness.ts';
import { declareTests, type RunnerOptions } from './runner.ts';

export type { RunnerOptions } from './runner.ts';

/**
 * Declares the tests. One that does not apply, or cannot be verified, is skipped with the reason; with `strict`, the latter
 * fails. `NQ_ONLY`, `NQ_SEED` and `NQ_TIERS` of the environment replace `only`,
 * `seed` and `tiers`.
 *
 * @throws {TypeError} {RangeError} if the harness or an option is not as it should be.
 */
export function testConformance<Data>(harness: ConformanceHarness<Data>, options: RunnerOptions = {}): void {
  declareTests(harness, options, {
    group: (title, body) => void describe(title, body),
    before: (body, timeout) => before(body, { timeout }),
    after: (body, timeout) => after(body, { timeout }),
    test: (title, timeout, body) => void test(title, { timeout }, (context) => body((reason) => context.skip(reason))),
  });
}
