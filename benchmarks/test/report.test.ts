import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { channelSuite } from '../src/channel/suite.ts';
import { renderDocs } from '../src/harness/docs.ts';
import { printReport } from '../src/harness/print-report.ts';
import { toJson } from '../src/harness/report.ts';
import { evaluate, type Target } from '../src/harness/targets.ts';
import { makeReport, samplesOf, speedOf } from './fixtures.ts';

const targets: readonly Target[] = [
  {
    row: '1',
    what: 'ours ÷ theirs',
    numerator: speedOf('ours'),
    denominator: speedOf('theirs'),
    asked: { atLeast: 2 },
  },
  { row: '2', what: 'ours, at least', numerator: speedOf('ours'), asked: { atLeast: 50 }, unit: 'M' },
  { row: '', what: 'theirs ÷ ours', numerator: speedOf('theirs'), denominator: speedOf('ours') },
];
const samples = [...samplesOf('ours', '20.19.0', [60, 70, 80]), ...samplesOf('theirs', '20.19.0', [50, 60, 70])];

describe('renderDocs()', () => {
  test('names the machine, the versions, the date and the command', () => {
    const { suite, report } = makeReport(targets, samples);
    const page = renderDocs(suite, report);
    expect(page).toContain('2026-01-02');
    expect(page).toContain('a processor, 2 cores, 8 GB of memory, Linux 6.1');
    expect(page).toContain('20.19.0 (V8 11.3)');
    expect(page).toContain('ours 1.2.3');
    expect(page).toContain('```sh\npnpm bench\n```');
    expect(page).toContain('not exactly a commit');
    expect(renderDocs(suite, { ...report, commit: 'abc' })).toContain('commit abc');
  });

  test('names every missed target, and every one that was not measured', () => {
    const { suite, report } = makeReport(targets, samples);
    const missed = 'Row 1 (ours ÷ theirs), asked ≥ 2.00: 1.17 (1.14–1.20) on Node 20.19.0.';
    expect(renderDocs(suite, report)).toContain(`### Missed targets\n\n- ${missed}\n\n`);
    const nothing = makeReport(targets.slice(1, 2), []);
    expect(renderDocs(nothing.suite, nothing.report)).toContain(
      '- Row 2 (ours, at least), asked ≥ 50 M: not measured on Node 20.19.0.',
    );
  });

  test('says so when nothing was missed', () => {
    const { suite, report } = makeReport(targets.slice(1), samples);
    expect(renderDocs(suite, report)).toContain('every target was met');
  });

  test('tells the medians of the cases, and what each does', () => {
    const { suite, report } = makeReport(targets, samples);
    expect(renderDocs(suite, report)).toMatch(/\| ours +\| +70 \|\n\| theirs +\| +60 \|/);
    expect(renderDocs(suite, report)).toContain('- ours: What ours does.');
  });

  test('is formatted as oxfmt formats it', () => {
    const { suite, report } = makeReport(targets, samples);
    const nodes = [...report.nodes, { version: '24.1.0', v8: '13.6' }];
    const all = channelSuite.cases.flatMap(({ name, group }) =>
      nodes.map(({ version }) => ({
        case: name,
        node: version,
        round: 1,
        readings: Object.fromEntries(group.columns.flatMap(({ keys }) => keys.map((key) => [key, 1234.5]))),
      })),
    );
    const broken = [{ case: 'ours', node: '24.1.0', round: 1, reason: 'It crashed' }];
    const verdicts = evaluate(channelSuite.targets, ['20.19.0', '24.1.0'], all);
    for (const page of [
      renderDocs(suite, report),
      renderDocs(channelSuite, { ...report, nodes, samples: all, broken, verdicts }),
    ]) {
      expect(formatted(page)).toBe(page);
    }
  });
});

test('the printed report names what was missed and what broke', () => {
  const { suite, report } = makeReport(targets, samples);
  const broken = [{ case: 'theirs', node: '20.19.0', round: 2, reason: 'Error: no' }];
  const text = printReport(suite, { ...report, broken });
  expect(text).toContain('Row 1 (ours ÷ theirs), asked');
  expect(text).toContain('theirs broke on Node 20.19.0 in round 2: Error: no');
});

test('the JSON holds every sample and every verdict', () => {
  const { suite, report } = makeReport(targets, samples);
  const json = JSON.parse(toJson(suite, report));
  expect(json).toMatchObject({ suite: 'made-up', seed: 7, samples });
  expect(json.verdicts[0]).toMatchObject({ row: '1', node: '20.19.0', met: false, spread: { count: 3 } });
});

/** What oxfmt makes of a page of Markdown in this repository. */
function formatted(page: string): string {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const manifest = createRequire(join(root, 'package.json')).resolve('oxfmt/package.json');
  const { bin } = JSON.parse(readFileSync(manifest, 'utf8'));
  const program = join(dirname(manifest), typeof bin === 'string' ? bin : bin.oxfmt);
  const args = [program, '--stdin-filepath', 'docs/performance.md'];
  return execFileSync(process.execPath, args, { cwd: root, input: page, encoding: 'utf8' });
}
