import { checkArray, checkOneOf, describe } from '../check.ts';
import { claimLevels } from './report.ts';
import { type ClaimLevel, type Rule, type Tier, tiers as allTiers } from './rule.ts';
import { rules as rulebook } from './rules.ts';

/** Which rules are run. */
export interface RuleChoice {
  /** Ids or slugs of the rules to run, whatever their tier and claim. @default all of `tiers` and `claims` */
  readonly only?: readonly string[] | undefined;
  /** By what they cost: `smoke`, `standard`, `faults`, `stress`. @default all but `stress` */
  readonly tiers?: readonly Tier[] | undefined;
  /** The levels that the queue wants to claim: the rules of the others are not run. @default all of them */
  readonly claims?: readonly ClaimLevel[] | undefined;
}

const defaultTiers: readonly Tier[] = ['smoke', 'standard', 'faults'];

/**
 * The rules of a choice, each once.
 *
 * @throws {TypeError} if a member is no array. @throws {RangeError} if one is empty or names what does not exist, or if no
 * rule is left: a run of nothing would pass.
 */
export function chooseRules(
  action: string,
  { only, tiers = defaultTiers, claims = claimLevels }: RuleChoice,
): readonly Rule[] {
  checkNotEmpty(action, 'tiers', tiers);
  checkNotEmpty(action, 'claims', claims);
  for (const tier of tiers) checkOneOf(action, 'tiers', tier, allTiers);
  for (const claim of claims) checkOneOf(action, 'claims', claim, claimLevels);
  if (only !== undefined) {
    checkNotEmpty(action, 'only', only);
    return [...new Set(only.map((wanted) => ruleOf(action, wanted)))];
  }
  const chosen = rulebook.filter(({ tier, claim }) => tiers.includes(tier) && claims.includes(claim));
  if (chosen.length > 0) return chosen;
  throw new RangeError(
    `${action}: no rule is of the tiers ${tiers.join(', ')} and of the claims ${claims.join(', ')}; nothing would be run`,
  );
}

function checkNotEmpty(action: string, name: string, list: unknown): void {
  checkArray(action, name, list);
  if (list.length === 0) throw new RangeError(`${action}: ${name} must not be empty, for nothing would be run`);
}

function ruleOf(action: string, wanted: string): Rule {
  const rule = rulebook.find(({ id, slug }) => id === wanted || slug === wanted);
  if (rule === undefined) throw new RangeError(`${action}: there is no rule ${describe(wanted)}`);
  return rule;
}
