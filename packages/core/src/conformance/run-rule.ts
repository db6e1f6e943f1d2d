import { describe } from '../check.ts';
import { explainError } from './journal.ts';
import type { Waiver } from './harness.ts';
import type { RuleResult, RuleStatus } from './report.ts';
import type { Rule } from './rule.ts';
import type { Trial } from './trial.ts';
import { StrayErrors } from './stray-errors.ts';
import { Hang, NotVerified, Violation } from './violation.ts';

/** A place in which a rule can be tried, and how to leave it. */
export interface TrialPlace {
  readonly trial: Trial;
  /** @throws if something is left behind. */
  leave(): Promise<void>;
}

/** What a rule is run with. */
export interface RuleRun {
  readonly rule: Rule;
  /** Makes the place of the rule. */
  readonly enter: () => Promise<TrialPlace>;
  /** How long the rule may take, in milliseconds. */
  readonly limitMs: number;
  /** Told if something did not settle in time: the rule itself, or a call that it or its place has made. */
  readonly onHang: () => void;
  readonly waiver: Waiver | undefined;
  readonly now: () => number;
}

interface Verdict {
  readonly status: RuleStatus;
  readonly reason: string;
}

/** Runs one rule to its end, whatever the queue does. Never rejects. */
export async function runRule({ rule, enter, limitMs, onHang, waiver, now }: RuleRun): Promise<RuleResult> {
  const began = now();
  const strays = new StrayErrors();
  let place: TrialPlace | undefined;
  let verdict: Verdict;
  try {
    place = await enter();
    verdict = await judge(rule, place.trial, limitMs);
  } catch (error) {
    if (error instanceof Hang) onHang();
    verdict = verdictOf(error, place?.trial);
  }
  try {
    await place?.leave();
  } catch (error) {
    if (error instanceof Hang) onHang();
    // What went wrong first says more.
    if (verdict.status !== 'FAIL') verdict = { status: 'FAIL', reason: `after the rule: ${reasonOf(error)}` };
  }
  const stray = await strays.end();
  if (stray !== undefined) {
    const seen = `${stray.text}; the first: ${reasonOf(stray.first)}`;
    // What the rule has observed may be what came of it.
    const reason = verdict.status === 'FAIL' ? `${verdict.reason}; besides, ${seen}` : seen;
    verdict = { status: 'FAIL', reason };
  }
  if (waiver !== undefined) verdict = waived(verdict, waiver);
  const { id, slug, level, claim, tier, text } = rule;
  const quiet = verdict.status === 'PASS' || verdict.status === 'N-A';
  return {
    id,
    slug,
    level,
    claim,
    tier,
    text,
    ...verdict,
    history: quiet ? [] : (place?.trial.journal.entries ?? []),
    verified: place?.trial.verified ?? 0,
    durationMs: Math.round(now() - began),
  };
}

async function judge(rule: Rule, trial: Trial, limitMs: number): Promise<Verdict> {
  const { requires, otherwise } = rule;
  const applies = requires === undefined || requires.holds(trial.capabilities);
  if (!applies && otherwise === undefined) {
    return { status: 'N-A', reason: `the queue does not declare ${requires.text}` };
  }
  const missing = applies ? rule.hooks?.find((hook) => !trial.offers(hook)) : undefined;
  if (missing !== undefined) return { status: 'NOT-VERIFIED', reason: `the harness has no hook ${missing}` };
  const run = applies ? rule.run(trial) : (otherwise as NonNullable<typeof otherwise>)(trial);
  await inTime(run, trial, limitMs);
  if (trial.verified === 0) return { status: 'VACUOUS', reason: 'the rule ran and verified nothing' };
  return applies
    ? { status: 'PASS', reason: '' }
    : { status: 'N-A', reason: `${requires.text} is not declared, and refused` };
}

async function inTime(run: Promise<void>, trial: Trial, limitMs: number): Promise<void> {
  try {
    await trial.within(run, 'the rule', limitMs);
  } catch (error) {
    if (!(error instanceof Hang) || !error.message.startsWith('the rule did not')) throw error;
    const { open, longestWaitMs } = trial.journal;
    const waits = open.length === 0 ? '' : `; what still waits: ${open.join('; ')}`;
    const isSlow = longestWaitMs < trial.timing.patienceMs;
    const hint = isSlow ? '. No call hangs: if the queue is slow, raise timing.scale of the harness' : '';
    throw new Hang(`${error.message}${waits}${hint}`);
  }
}

function verdictOf(error: unknown, trial?: Trial): Verdict {
  const status = error instanceof NotVerified ? 'NOT-VERIFIED' : 'FAIL';
  const call = isUnexpected(error) ? callThatRejected(error, trial) : undefined;
  return { status, reason: call === undefined ? reasonOf(error) : `${reasonOf(error)}; it came from ${call}` };
}

function isUnexpected(error: unknown): boolean {
  return !(error instanceof Violation || error instanceof NotVerified);
}

/** The latest call, or hook, that rejected with `error`, and not with one that is like it. */
function callThatRejected(error: unknown, trial: Trial | undefined): string | undefined {
  return trial?.rejections.findLast((seen) => seen.error === error)?.what;
}

/** What went wrong, in a sentence. The message of an error that is not ours is shown too: it is the author who reads it. */
function reasonOf(error: unknown): string {
  if (error instanceof Violation || error instanceof NotVerified) return error.message;
  try {
    if (error instanceof Error) return `unexpected ${explainError(error)}`;
  } catch {
    // Whoever throws anything can throw what throws when it is looked at.
  }
  return `unexpected: ${describe(error)} was thrown`;
}

function waived({ status, reason }: Verdict, { issue, reason: known }: Waiver): Verdict {
  if (status === 'FAIL' || status === 'VACUOUS') {
    return { status: 'KNOWN-VIOLATION', reason: `${known} (${issue}). Observed: ${reason}` };
  }
  if (status !== 'PASS') return { status, reason };
  return { status: 'FAIL', reason: `the rule is kept although a waiver says it is not: remove the waiver (${issue})` };
}
