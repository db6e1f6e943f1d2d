import { describe, expect, test } from 'vitest';
import { rules, runConformance, simulatedHarness } from '../../src/conformance.ts';
import { oddities, type Oddity } from './oddities.ts';

/** The rules that did not let a queue pass, with what they say. */
async function complaints({ timing, ...options }: Oddity): Promise<string[]> {
  const report = await runConformance({ ...simulatedHarness(options), timing }, { seed: 1 });
  const failed = report.rules.filter(({ status }) => status !== 'PASS' && status !== 'N-A');
  return [...report.problems, ...failed.map(({ id, status, reason }) => `${id} ${status}: ${reason}`)];
}

describe('the rules let pass', () => {
  test('a correct queue on the simulated broker, in whatever order they run', async () => {
    for (const seed of [1, 2, 3]) {
      const report = await runConformance(simulatedHarness(), { seed, strict: true });
      expect(report.rules.filter(({ status }) => status !== 'PASS' && status !== 'N-A')).toEqual([]);
      expect(report.rules).toHaveLength(rules.filter(({ tier }) => tier !== 'stress').length);
    }
  });

  test.each(oddities)('$name', async (oddity) => {
    expect(await complaints(oddity)).toEqual([]);
  });
});
