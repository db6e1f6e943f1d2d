/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/**
 * Counts the tests in a report of vitest's json reporter. A file that failed outside of any test, for instance because
 * it does not import, counts as one failure: it holds tests that nobody ran. So does a run that failed as a whole, for
 * instance because it found no tests.
 *
 * @param {{ success: boolean, testResults: readonly { status: string, assertionResults: readonly { status: string }[] }[] }} report
 * @returns {Counts}
 */
export function countTests(report) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const file of report.testResults) {
    const failedBefore = counts.failed;
    for (const { status } of file.assertionResults) {
      if (status === 'passed') counts.passed += 1;
      else if (status === 'failed') counts.failed += 1;
      else counts.skipped += 1;
    }
    if (file.status === 'failed' && counts.failed === failedBefore) counts.failed += 1;
  }
  if (!report.success && counts.failed === 0) counts.failed = 1;
  return counts;
}

/**
 * @param {Counts} counts
 * @returns {string} `N passed, N failed`, and `, N skipped` where there are any
 */
export function summaryLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/**
 * The lines of all texts, each once, in alphabetical order.
 *
 * @param {readonly string[]} texts
 * @returns {string[]}
 */
export function distinctLines(texts) {
  return [...new Set(texts.flatMap((text) => text.split('\n')))].filter((line) => line !== '').sort();
}
