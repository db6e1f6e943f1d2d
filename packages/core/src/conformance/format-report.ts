import {
  type ConformanceReport,
  claimLevels,
  type RuleResult,
  type RuleStatus,
  ruleStatuses,
  wasRun,
} from './report.ts';
import { rules } from './rules.ts';

const marks: Readonly<Record<RuleStatus, string>> = {
  PASS: '✓',
  FAIL: '✗',
  'N-A': '–',
  'NOT-VERIFIED': '?',
  'KNOWN-VIOLATION': '!',
  VACUOUS: '✗',
};

/** What is known of the run in which a result came about. */
type Run = Pick<ConformanceReport, 'queue' | 'seed'>;

/** One line about a result: its mark, the rule, how long it took, and why it did not pass. */
export function formatLine({ id, slug, status, reason, durationMs }: RuleResult): string {
  const name = `${marks[status]} ${id.padEnd(5)} ${slug.padEnd(24)}`;
  if (status === 'PASS') return `${name} ${durationMs} ms`;
  return `${name} ${status}${reason === '' ? '' : `: ${reason}`}`;
}

/** What the author of a queue needs to mend it: the rule, what was observed, where to look, what happened, how to see it again. */
export function formatFailure(result: RuleResult, { queue, seed }: Run): string {
  const { id, slug, level, text, reason, history } = result;
  if (!wasRun(result)) return `§${id} ${slug} (${level}): ${reason}`;
  const rule = rules.find((one) => one.id === id);
  const requires = rule?.requires === undefined ? '' : `, ${rule.requires.text}`;
  const lines = [`§${id} ${slug} (${level}${requires}) is broken by ${queue}`, `  ${text}`, `  Observed: ${reason}`];
  if (rule !== undefined) lines.push(`  Check first: ${rule.checkFirst}`);
  if (history.length > 0) lines.push(`  History: ${history.join(' | ')}`);
  lines.push(`  Replay: NQ_ONLY=${id} NQ_SEED=${seed}`);
  return lines.join('\n');
}

/** The whole report, as it is read on a terminal. */
export function formatReport(report: ConformanceReport): string {
  const { queue, rules: results, seed, durationMs } = report;
  return [
    `Conformance of ${queue} (seed ${seed}, ${(durationMs / 1000).toFixed(1)} s)`,
    '',
    ...results.map((result) => `  ${formatLine(result)}`),
    '',
    ...failuresOf(report).flatMap((failure) => [failure, '']),
    ...formatRemarks(report).flatMap((remark) => [remark, '']),
    `${formatTotals(report)}`,
    badgeText(report),
  ].join('\n');
}

/** What went wrong with each rule that is broken. Those that could not be run have nothing to tell. */
export function failuresOf(report: ConformanceReport): readonly string[] {
  return report.rules
    .filter((result) => isBroken(result.status, report.strict) && wasRun(result))
    .map((result) => formatFailure(result, report));
}

/** What is to be said besides the rules. */
export function formatRemarks(report: ConformanceReport): readonly string[] {
  const remarks = report.problems.map((problem) => `Besides the rules: ${problem}`);
  return report.leftAlive.length === 0 ? remarks : [...remarks, formatLeftAlive(report)];
}

/** Why a process that has nothing more to do does not end. */
export function formatLeftAlive({ leftAlive }: ConformanceReport): string {
  return `The process may not end: there are still ${leftAlive.join(', ')}`;
}

/** How many rules ended in which way: `61 PASS · 7 N-A`. */
export function formatTotals({ totals }: ConformanceReport): string {
  const counted = ruleStatuses.filter((status) => totals[status] > 0).map((status) => `${totals[status]} ${status}`);
  return counted.length === 0 ? 'no rule was run' : counted.join(' · ');
}

/** What a queue may say of itself, in one line: `nq core+durable · smoke+standard+faults · 58/58 verified · 0 waivers`. */
export function badgeText({ claims, claimedTiers, totals, rules: results, passed }: ConformanceReport): string {
  const claimed = claimLevels.filter((claim) => claims[claim]);
  const applicable = results.length - totals['N-A'];
  const level = !passed || claimed.length === 0 ? 'no level' : `${claimed.join('+')} · ${claimedTiers.join('+')}`;
  return `nq ${level} · ${totals.PASS}/${applicable} verified · ${totals['KNOWN-VIOLATION']} waivers`;
}

/** Whether a rule that ended so makes the run fail. */
export function isBroken(status: RuleStatus, strict: boolean): boolean {
  return status === 'FAIL' || status === 'VACUOUS' || (strict && status === 'NOT-VERIFIED');
}
