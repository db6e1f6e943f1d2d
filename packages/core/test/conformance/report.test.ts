import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import {
  badgeText,
  type ConformanceReport,
  formatReport,
  reportToHtml,
  reportToJson,
  reportToMarkdown,
  type Rule,
  rules,
  type RuleStatus,
  runConformance,
  simulatedHarness,
  type Tier,
  writeReport,
} from '../../src/conformance.ts';
import { makeReport } from '../../src/conformance/report.ts';
import { harnessOf } from './mutant.ts';
import { mutants } from './mutants.ts';

const only = ['0.1', '0.2', '0.3', '0.4'];
const hostileName = '<b>|"queue"';

function broken(): Promise<ConformanceReport> {
  const mutant = mutants.find(({ name }) => name === 'local-only');
  if (mutant === undefined) throw new Error('there is no such mutant');
  return runConformance({ ...harnessOf(mutant, () => {}), name: hostileName }, { only, seed: 9 });
}

const sound = (): Promise<ConformanceReport> => runConformance(simulatedHarness(), { only, seed: 9 });

describe('a report', () => {
  test('as JSON is what the published schema says, sound or broken', async () => {
    const schema: object = JSON.parse(
      readFileSync(new URL('../../conformance-report.schema.json', import.meta.url), 'utf8'),
    );
    const validate = new Ajv2020({ formats: { 'date-time': true } }).compile(schema);
    for (const report of [await sound(), await broken()]) {
      const read: unknown = JSON.parse(reportToJson(report));
      expect(validate(read) ? [] : validate.errors).toEqual([]);
    }
    expect(validate({ ...(await sound()), passed: 'yes' })).toBe(false);
  });

  test('names the broken rule with what was observed, where to look and how to see it again', async () => {
    const text = formatReport(await broken());
    expect(text).toContain('§0.3 connections-share (MUST, multiInstance) is broken by <b>|"queue"');
    expect(text).toMatch(/Observed: the event of the other connection did not come within 5000 ms/);
    expect(text).toMatch(/Check first: .*\?/);
    expect(text).toMatch(/History: a\.push\(e0\) → stored \|/);
    expect(text).toContain('Replay: NQ_ONLY=0.3 NQ_SEED=9');
    expect(text).toMatch(/3 PASS · 1 FAIL\nnq no level · 3\/4 verified · 0 waivers$/);
  });

  test('as HTML and Markdown lets no name of a queue become markup', async () => {
    const report = await broken();
    expect(reportToHtml(report)).not.toContain('<b>');
    expect(reportToHtml(report)).toContain('&lt;b&gt;|&quot;queue&quot;');
    expect(reportToMarkdown(report)).toContain('# Conformance of <b>\\|"queue"');
    expect(reportToHtml(report)).not.toMatch(/https?:|src=|href=/);
  });

  test('claims a level only if all of its rules were run', async () => {
    const report = await sound();
    expect(report.passed).toBe(true);
    expect(Object.values(report.claims)).toEqual([false, false, false, false]);
    expect(badgeText(report)).toBe('nq no level · 4/4 verified · 0 waivers');
  });

  /** A rule for each of these, which ended so. */
  const claimsOf = (...ends: readonly (readonly [tier: Tier, status: RuleStatus | undefined])[]) => {
    const rulebook = ends.map(([tier], index) => ({ ...(rules[0] as Rule), id: `0.${index + 1}`, tier }));
    const results = rulebook.flatMap((rule, index) => {
      const status = ends[index]?.[1];
      const { id, slug, level, claim, tier, text } = rule;
      const told = { id, slug, level, claim, tier, text, reason: '', history: [], verified: 1, durationMs: 1 };
      return status === undefined ? [] : [{ ...told, status }];
    });
    const run = { queue: 'a queue', startedAt: '', durationMs: 1, seed: 1, strict: false, capabilities: undefined };
    return makeReport({ ...run, problems: [], leftAlive: [], results, rulebook });
  };

  test('claims a level without the rules of the tier stress, and says of which tiers they were', () => {
    const report = claimsOf(['smoke', 'PASS'], ['standard', 'PASS'], ['stress', undefined]);
    expect([report.claims.core, report.claimedTiers]).toEqual([true, ['smoke', 'standard']]);
    expect(badgeText(report)).toBe('nq core · smoke+standard · 2/2 verified · 0 waivers');
  });

  test('claims a level with those of the tier stress only if they are kept', () => {
    const kept = claimsOf(['smoke', 'PASS'], ['stress', 'PASS']);
    expect([kept.claims.core, kept.claimedTiers]).toEqual([true, ['smoke', 'stress']]);
    for (const status of ['FAIL', 'NOT-VERIFIED', 'KNOWN-VIOLATION'] as const) {
      const unkept = claimsOf(['smoke', 'PASS'], ['stress', status]);
      expect([unkept.claims.core, unkept.claimedTiers]).toEqual([false, []]);
    }
  });

  test('does not claim to have run a tier of which a rule is missing', () => {
    const report = claimsOf(['smoke', 'PASS'], ['stress', 'PASS'], ['stress', undefined]);
    expect([report.claims.core, report.claimedTiers]).toEqual([true, ['smoke']]);
  });

  test('is written as three files', async () => {
    const folder = join(await mkdtemp(join(tmpdir(), 'nq-report-')), 'new');
    const report = await sound();
    await writeReport(report, folder);
    expect(await readFile(join(folder, 'nq-conformance.json'), 'utf8')).toBe(reportToJson(report));
    expect(await readFile(join(folder, 'nq-conformance.md'), 'utf8')).toContain('| 0.3 |');
    expect(await readFile(join(folder, 'nq-conformance.html'), 'utf8')).toContain('<title>');
  });

  test('that cannot be written says what it came to', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'nq-report-')), 'a-file');
    await writeFile(file, '');
    await expect(writeReport(await sound(), file)).rejects.toThrow(
      /^Cannot write the report of simulated broker \(nq no level · 4\/4 verified · 0 waivers\): EEXIST/,
    );
  });
});
