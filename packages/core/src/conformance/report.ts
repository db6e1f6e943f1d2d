import { readFileSync } from 'node:fs';
import type { Capabilities } from '../capabilities.ts';
import { type ClaimLevel, type Rule, type RuleLevel, type Tier, tiers as allTiers } from './rule.ts';

/**
 * How a rule ended. `PASS`: kept. `FAIL`: broken. `N-A`: the queue does not declare what the rule is about, and what must hold
 * then, does. `NOT-VERIFIED`: nobody knows, because the harness lacks a hook, or something is not installed.
 * `KNOWN-VIOLATION`: broken, as a waiver says. `VACUOUS`: the rule ran and verified nothing, which counts as broken.
 */
export type RuleStatus = 'PASS' | 'FAIL' | 'N-A' | 'NOT-VERIFIED' | 'KNOWN-VIOLATION' | 'VACUOUS';

export const ruleStatuses = [
  'PASS',
  'FAIL',
  'N-A',
  'NOT-VERIFIED',
  'KNOWN-VIOLATION',
  'VACUOUS',
] as const satisfies readonly RuleStatus[];

/** The levels of claims, from the first that a queue can reach. */
export const claimLevels = ['core', 'durable', 'resilient', 'dispatcher'] as const satisfies readonly ClaimLevel[];

/** What is said of a rule that was not run. Of a queue that cannot be used, a problem of the report says why. */
export const notRun = {
  unopened: 'not run, because the queue could not be opened',
  silent: 'not run, because the queue left a call of its first event hanging',
  hung: 'not run, because rules before it had hung for too long',
} as const;

/** Whether a rule was run. If not, nothing was observed, and there is nothing to look at first. */
export function wasRun({ reason }: Pick<RuleResult, 'reason'>): boolean {
  return !Object.values<string>(notRun).includes(reason);
}

/** How one rule ended. */
export interface RuleResult {
  readonly id: string;
  readonly slug: string;
  readonly level: RuleLevel;
  readonly claim: ClaimLevel;
  readonly tier: Tier;
  readonly text: string;
  readonly status: RuleStatus;
  /** What was observed, what is missing, or why the rule does not apply. Empty for one that passed. */
  readonly reason: string;
  /** What happened, in order, if the rule did not pass. */
  readonly history: readonly string[];
  /** How often something was verified. */
  readonly verified: number;
  readonly durationMs: number;
}

/** What became of a run of the kit. */
export interface ConformanceReport {
  /** The version of the rulebook: that of `@nq/core`. */
  readonly version: string;
  /** The queue, as its harness calls it. */
  readonly queue: string;
  /** When the run began: ISO 8601. */
  readonly startedAt: string;
  readonly durationMs: number;
  readonly seed: number;
  /** Whether a rule that could not be verified counts as broken. */
  readonly strict: boolean;
  /** The version of Node.js. */
  readonly node: string;
  /** What the queue declares; `undefined` if it could not be opened. */
  readonly capabilities: Capabilities | undefined;
  /** In the order of the rulebook, whatever the order in which they ran. */
  readonly rules: readonly RuleResult[];
  readonly totals: Readonly<Record<RuleStatus, number>>;
  /**
   * Whether every rule of a level was run and is kept, by level: one that was not verified is not claimed. Rules of the tier
   * stress may be left out, see `claimedTiers`; one that was run must be kept too.
   */
  readonly claims: Readonly<Record<ClaimLevel, boolean>>;
  /** The tiers that the claims stand on: those whose rules of the claimed levels were run, all of them. */
  readonly claimedTiers: readonly Tier[];
  /** What went wrong outside of the rules, for example in `stop()` of the harness. */
  readonly problems: readonly string[];
  /**
   * What keeps the process alive after the run and did not before, by kind, in words. Does not fail the run: it may be of the
   * harness, or of whatever else runs in the process.
   */
  readonly leftAlive: readonly string[];
  /** Whether no rule is broken, and nothing else went wrong. */
  readonly passed: boolean;
}

/** Read from the manifest, two folders above this file in the sources as in what is published. */
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};

/** What is known of a run besides its rules. */
interface Run extends Pick<
  ConformanceReport,
  'queue' | 'startedAt' | 'durationMs' | 'seed' | 'strict' | 'capabilities' | 'problems' | 'leftAlive'
> {
  readonly results: readonly RuleResult[];
  /** All rules, also those that were not asked for. */
  readonly rulebook: readonly Rule[];
}

/** The report of a run. */
export function makeReport({ results, rulebook, ...run }: Run): ConformanceReport {
  const totals = Object.fromEntries(
    ruleStatuses.map((status) => [status, results.filter((result) => result.status === status).length]),
  ) as Record<RuleStatus, number>;
  const broken = totals.FAIL + totals.VACUOUS + (run.strict ? totals['NOT-VERIFIED'] : 0);
  const claims = Object.fromEntries(claimLevels.map((claim) => [claim, isClaimed(claim, results, rulebook)])) as Record<
    ClaimLevel,
    boolean
  >;
  const order = rulebook.map(({ id }) => id);
  return {
    version,
    ...run,
    node: process.version,
    rules: [...results].sort((a, b) => order.indexOf(a.id) - order.indexOf(b.id)),
    totals,
    claims,
    claimedTiers: allTiers.filter((tier) => isClaimedWith(tier, claims, results, rulebook)),
    passed: broken === 0 && run.problems.length === 0,
  };
}

/**
 * A level is claimed if all its rules were run, none is broken or unknown, and something was proven. Those of the tier stress
 * take their time: without them it is claimed too, and the report says so.
 */
function isClaimed(claim: ClaimLevel, results: readonly RuleResult[], rulebook: readonly Rule[]): boolean {
  const statuses = rulebook
    .filter((rule) => rule.claim === claim)
    .map((rule) => ({ rule, status: results.find(({ id }) => id === rule.id)?.status }))
    .filter(({ rule, status }) => rule.tier !== 'stress' || status !== undefined)
    .map(({ status }) => status);
  return statuses.includes('PASS') && statuses.every((status) => status === 'PASS' || status === 'N-A');
}

/** Whether `tier` has rules of the levels that are claimed, and all of these were run. */
function isClaimedWith(
  tier: Tier,
  claims: ConformanceReport['claims'],
  results: readonly RuleResult[],
  rulebook: readonly Rule[],
): boolean {
  const asked = rulebook.filter((rule) => rule.tier === tier && claims[rule.claim]);
  return asked.length > 0 && asked.every((rule) => results.some(({ id }) => id === rule.id));
}
