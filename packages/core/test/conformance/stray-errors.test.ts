import { describe, expect, test } from 'vitest';
import { runConformance, simulatedHarness } from '../../src/conformance.ts';
import { StrayErrors } from '../../src/conformance/stray-errors.ts';

const ways = ['uncaughtException', 'unhandledRejection'] as const;

/** Who is told of stray errors. */
const listeners = (): readonly unknown[][] => ways.map((way) => process.rawListeners(way));

/** An error that reaches nobody, in the way that Node.js tells of it. */
function stray(): void {
  process.emit('uncaughtException', new Error('stray'));
}

describe('stray errors', () => {
  test('are told again, afterwards, to those who were told before', async () => {
    const seen: string[] = [];
    const [once, always] = [() => void seen.push('once'), () => void seen.push('always')];
    const others = process.rawListeners('uncaughtException') as (() => void)[];
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', once).on('uncaughtException', always);
    try {
      const strays = new StrayErrors();
      stray();
      await strays.end();
      stray();
      stray();
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const other of others) process.on('uncaughtException', other);
    }
    expect(seen).toEqual(['once', 'always', 'always']);
  });

  test.for<[order: string, first: number]>([
    ['the first one ends first', 0],
    ['the last one ends first', 1],
  ])('are seen by everybody who looks, and nothing is left behind: %s', async ([, first]) => {
    const before = listeners();
    const both = [new StrayErrors(), new StrayErrors()] as const;
    const [early, late] = first === 0 ? both : both.toReversed();
    stray();
    expect(await early?.end()).toMatchObject({ text: '1 exceptions were caught by nobody' });
    stray();
    expect(await late?.end()).toMatchObject({ text: '2 exceptions were caught by nobody' });
    expect(listeners()).toEqual(before);
  });

  test('have the listeners of before after two runs at once', async () => {
    const before = listeners();
    const run = (only: string[]) => runConformance(simulatedHarness(), { only });
    const reports = await Promise.all([run(['0.1', '1.1', '2.1']), run(['0.1'])]);
    expect(reports.map(({ passed }) => passed)).toEqual([true, true]);
    expect(listeners()).toEqual(before);
  });
});
