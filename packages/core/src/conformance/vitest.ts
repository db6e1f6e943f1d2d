/**
 * The rules as tests of vitest: one test per rule, in random order, with the seed in the title.
 *
 * @module
 */
import { afterAll, beforeAll, describe, test } from 'vitest';
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
    before: (body, timeoutMs) => beforeAll(body, timeoutMs),
    after: (body, timeoutMs) => afterAll(body, timeoutMs),
    test: (title, timeout, body) => test(title, { timeout }, ({ skip }) => body(skip)),
  });
}
