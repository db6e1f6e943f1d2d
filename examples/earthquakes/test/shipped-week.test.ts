import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeFolder, runForSummary, runProgram } from './run-program.ts';

interface Feature {
  readonly id: string;
  readonly properties: {
    readonly mag: number;
    readonly rms: number | null;
    readonly net: string;
    readonly type: string;
  };
}

/** Read without the program, so that its numbers are held against the data. */
const features = readFileSync(new URL('../data/usgs-week.ndjson', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Feature);
const withoutResidual = features.filter(({ properties }) => properties.rms === null).map(({ id }) => id);

describe('the shipped week', () => {
  test('has 1,707 reports, of which 5 have no residual', () => {
    expect([features.length, withoutResidual.length]).toEqual([1707, 5]);
  });

  test('is accounted for, event by event', async () => {
    const { code, summary, stderr } = await runForSummary([]);
    expect(code).toBe(0);
    expect(summary).toMatchObject({
      lines: { read: 1707, broken: 0 },
      dispatched: 1707,
      handled: 1702,
      deadLettered: 5,
      left: 0,
      accounted: 1707,
      expected: 1707,
      alerts: 85,
      strongest: { id: 'us1000chhc', magnitude: 6.4 },
      stop: { completed: 0, returned: 0, abandoned: 0, deadLetters: 5 },
      audit: { lines: 1702 },
      problems: [],
    });
    expect(summary.types).toEqual([
      { type: 'earthquake', dispatched: 1679, handled: 1677, alerts: 85 },
      { type: 'explosion', dispatched: 15, handled: 12, alerts: 0 },
      { type: 'quarry blast', dispatched: 13, handled: 13, alerts: 0 },
    ]);
    expect(Object.values(summary.grades).reduce((sum, count) => sum + count)).toBe(1702);
    expect(summary.timeInQueueMs?.count).toBe(1707);
    expect(stderr).not.toContain('error');
  });

  test('is counted by network', async () => {
    const { summary } = await runForSummary([]);
    const counted = Object.fromEntries(summary.keys.map(({ key, ...rest }) => [key, rest]));
    const expected: Record<string, { handled: number; alerts: number; largestMagnitude: number }> = {};
    for (const { properties } of features.filter(({ id }) => !withoutResidual.includes(id))) {
      const { net, mag } = properties;
      const network = (expected[net] ??= { handled: 0, alerts: 0, largestMagnitude: -Infinity });
      network.handled++;
      if (mag >= 4.5) network.alerts++;
      network.largestMagnitude = Math.max(network.largestMagnitude, mag);
    }
    expect(Object.keys(counted)).toHaveLength(12);
    expect(counted).toEqual(expected);
  });

  test('has its 5 reports without residual tried again in place and by redelivery, and given up', async () => {
    const { summary } = await runForSummary([]);
    // Each of the 5 is handed out 3 times, and each time run twice.
    expect(summary.failed).toBe(30);
    expect(summary.retries).toEqual({ inPlace: 15, redelivered: 10, total: 25 });
    expect(summary.deadLetters.map(({ id }) => id).sort()).toEqual([...withoutResidual].sort());
    for (const { id, attempts, reason } of summary.deadLetters) {
      expect({ attempts, reason }).toEqual({ attempts: 3, reason: `Error: report ${id} has no residual (rms)` });
    }
  });

  test('leaves every handled id in the audit log, once', async () => {
    const audit = join(makeFolder(), 'audit.ndjson');
    await runForSummary(['--audit', audit]);
    const entries = readFileSync(audit, 'utf8').trimEnd().split('\n');
    const ids = entries.map((line) => (JSON.parse(line) as { readonly id: string }).id);
    const handled = features.map(({ id }) => id).filter((id) => !withoutResidual.includes(id));
    expect(ids.sort()).toEqual(handled.sort());
  });

  test.for([
    ['channel://?capacity=1', '8'],
    ['channel://?capacity=0', '1'],
    ['channel://?isolation=copy', '3'],
    ['channel://?maxAttempts=2', '4'],
    ['{ "type": "channel", "bufferSize": 100, "extra": { "isolation": "copy" } }', '4'],
  ] as const)('adds up with --queue %s --workers %s', async ([queue, workers]) => {
    const { code, summary } = await runForSummary(['--queue', queue, '--workers', workers]);
    expect(code).toBe(0);
    expect(summary).toMatchObject({
      handled: 1702,
      deadLettered: 5,
      accounted: 1707,
      alerts: 85,
      audit: { lines: 1702 },
    });
  });

  test('is reported as tables on stdout, and progress as lines on stderr where that is no terminal', async () => {
    const audit = join(makeFolder(), 'audit.ndjson');
    const { code, stdout, stderr } = await runProgram(['--audit', audit]);
    expect(code).toBe(0);
    const rows = stdout.split('\n').map((line) => line.replace(/[│ ]+/g, ' ').trim());
    expect(rows).toEqual(
      expect.arrayContaining([
        'earthquake 1,679 1,677 85',
        'all 1,707 1,702 85',
        'us 168 84 6.4',
        'accounted for 1,707 of 1,707',
        'dead letters 5',
        'retries 25: 15 in place, 10 redelivered',
        'stop 0 completed, 0 returned, 0 abandoned, 5 dead letters',
        `audit log 1,702 lines in ${audit}`,
      ]),
    );
    for (const id of withoutResidual)
      expect(stdout).toContain(`  ${id}  3 attempts  Error: report ${id} has no residual`);
    expect(stderr.split('\n')).toEqual([
      'dispatched 500 of 1,707',
      'dispatched 1,000 of 1,707',
      'dispatched 1,500 of 1,707',
      'dispatched 1,707 of 1,707',
      '',
    ]);
  });
});
