import { describe, expect, test, vi } from 'vitest';
import { type ConformanceOptions, type RuleResult, runConformance, simulatedHarness } from '../../src/conformance.ts';

const only = ['0.1', '0.2', '0.3'];

describe('a run', () => {
  test('takes as long as it takes, also if the clock of the machine is set back meanwhile', async () => {
    const date = vi.spyOn(Date, 'now');
    const stop = async (): Promise<void> => void date.mockReturnValue(0);
    try {
      const { durationMs } = await runConformance({ ...simulatedHarness(), stop }, { only });
      expect(durationMs).toBeGreaterThanOrEqual(0);
      expect(durationMs).toBeLessThan(60_000);
    } finally {
      date.mockRestore();
    }
  });

  test('tells of each result, and how far it is, before it goes on', async () => {
    const told: string[] = [];
    await runConformance(simulatedHarness(), {
      only,
      seed: 1,
      async onResult({ id }, { done, total }) {
        told.push(`${done}/${total}`);
        await new Promise((resolve) => setImmediate(resolve));
        told.push(id);
      },
    });
    expect(told.filter((_, index) => index % 2 === 0)).toEqual(['1/3', '2/3', '3/3']);
    expect(told.filter((_, index) => index % 2 === 1).toSorted()).toEqual(only);
  });

  test.for<[how: string, fail: () => void | Promise<void>]>([
    [
      'throws',
      () => {
        throw new Error('no terminal');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no terminal'))],
  ])('goes on if onResult %s, and its report says so once', async ([, fail]) => {
    const told: RuleResult[] = [];
    let stopped = false;
    const harness = { ...simulatedHarness(), stop: () => void (stopped = true) };
    const report = await runConformance(harness, {
      only,
      onResult(result) {
        told.push(result);
        return fail();
      },
    });
    expect(report.problems).toEqual(['onResult() failed: no terminal']);
    expect(report.passed).toBe(false);
    expect(report.rules.map(({ status }) => status)).toEqual(['PASS', 'PASS', 'PASS']);
    expect([told.length, stopped]).toEqual([3, true]);
  });

  test('does not begin if onResult is no function', async () => {
    const options = { only, onResult: 'print' } as unknown as ConformanceOptions;
    await expect(runConformance(simulatedHarness(), options)).rejects.toThrow(
      new TypeError('Cannot run the rules: onResult must be a function, got "print"'),
    );
  });
});
