import { randomUUID } from 'node:crypto';
import { within } from '../bounded.ts';
import { checkFunction, checkMs, checkOneOf, checkOptions, describe } from '../check.ts';
import type { Capabilities } from '../capabilities.ts';
import { type Clock, systemClock } from '../clock.ts';
import { createDispatcher } from '../dispatcher.ts';
import { isNqError } from '../errors.ts';
import { randomFrom, shuffled } from '../random.ts';
import { loadFastCheck } from './fast-check.ts';
import { type ConformanceHarness, type Namespace, resolveTiming, type Timing } from './harness.ts';
import { claimLevels, type ConformanceReport, makeReport, type RuleResult } from './report.ts';
import type { ClaimLevel, Rule, Tier } from './rule.ts';
import { rules as rulebook } from './rules.ts';
import { runRule, type TrialPlace } from './run-rule.ts';
import { Trial } from './trial.ts';
import { UnhandledRejections } from './unhandled-rejections.ts';
import { Violation } from './violation.ts';

/** Which rules are run, and how. */
export interface SessionOptions {
  /** Ids or slugs of the rules to run. @default all of `tiers` */
  readonly only?: readonly string[] | undefined;
  /** @default smoke, standard and faults */
  readonly tiers?: readonly Tier[] | undefined;
  /** The levels that the queue wants to claim; the rules of the others are not run. @default all */
  readonly claims?: readonly ClaimLevel[] | undefined;
  /** Decides the order of the rules and every choice they make. @default a new one, shown in the report */
  readonly seed?: number | undefined;
  /** Whether a rule that cannot be verified counts as broken. @default false */
  readonly strict?: boolean | undefined;
  /** How long one rule may take, in milliseconds, multiplied with the scale of the harness. @default 60_000 */
  readonly ruleLimitMs?: number | undefined;
  /** What makes dispatchers for the rules about them. @default createDispatcher */
  readonly dispatchers?: typeof createDispatcher | undefined;
}

/** The names of the options of a session. */
const sessionOptionNames = [
  'only',
  'tiers',
  'claims',
  'seed',
  'strict',
  'ruleLimitMs',
  'dispatchers',
] as const satisfies (keyof SessionOptions)[];

const action = 'Cannot run the rules';
const allTiers: readonly Tier[] = ['smoke', 'standard', 'faults', 'stress'];
const defaultTiers: readonly Tier[] = ['smoke', 'standard', 'faults'];

/**
 * The rules, to be run against one queue one by one: `start()`, `run()` for each of `rules`, `end()`. Test runners use it, so
 * that each rule is a test of its own; everybody else calls `runConformance()`.
 */
export class ConformanceSession {
  /** The rules to run, in an order that the seed decides. */
  readonly rules: readonly Rule[];
  readonly seed: number;
  /** How long a rule may take, with everything around it, in milliseconds. */
  readonly ruleLimitMs: number;
  readonly #harness: ConformanceHarness;
  readonly #strict: boolean;
  readonly #dispatchers: typeof createDispatcher;
  readonly #timing: Timing;
  readonly #clock: Clock;
  readonly #results: RuleResult[] = [];
  readonly #problems: string[] = [];
  /** Told apart from every other run, on whatever machine. */
  readonly #runId = randomUUID();
  readonly #startedAt = new Date();
  #capabilities: Capabilities | undefined;

  /** @throws {TypeError} {RangeError} if the harness or an option is not as it should be. Nothing is run then. */
  constructor(harness: ConformanceHarness, options: SessionOptions = {}) {
    checkHarness(harness);
    checkOptions(action, options, sessionOptionNames);
    const {
      only,
      tiers = defaultTiers,
      claims = claimLevels,
      seed,
      strict = false,
      ruleLimitMs = 60_000,
      dispatchers,
    } = options;
    for (const tier of tiers) checkOneOf(action, 'tiers', tier, allTiers);
    for (const claim of claims) checkOneOf(action, 'claims', claim, claimLevels);
    checkMs(action, 'ruleLimitMs', ruleLimitMs, 1);
    if (seed !== undefined && !Number.isFinite(seed)) {
      throw new TypeError(`${action}: seed must be a number, got ${describe(seed)}`);
    }
    this.#harness = harness;
    this.#strict = strict;
    this.#dispatchers = dispatchers ?? createDispatcher;
    this.#timing = resolveTiming(harness.timing);
    this.#clock = harness.clock ?? systemClock;
    this.seed = seed ?? Math.floor(Math.random() * 2 ** 32);
    this.ruleLimitMs = ruleLimitMs * this.#timing.scale;
    this.rules = shuffled(chooseRules(only, tiers, claims), randomFrom(this.seed));
  }

  /** Starts what the harness needs, and reads what the queue declares. What fails is noted, and told by every rule. */
  async start(): Promise<void> {
    await loadFastCheck();
    await this.#attempt('start() of the harness', () => this.#harness.start?.());
    if (this.#problems.length === 0) await this.#attempt('opening the queue', () => this.#readCapabilities());
  }

  /** Runs one rule. Never rejects. */
  async run(rule: Rule): Promise<RuleResult> {
    const { waivers = [] } = this.#harness;
    const work = runRule({
      rule,
      enter: () => this.#enter(rule),
      limitMs: this.ruleLimitMs,
      waiver: waivers.find((waiver) => waiver.rule === rule.id),
      now: () => this.#clock.now(),
    });
    const result = await this.#drive(work);
    this.#results.push(result);
    return result;
  }

  /** Ends what the harness has started. Never rejects. */
  async end(): Promise<ConformanceReport> {
    await this.#attempt('stop() of the harness', () => this.#harness.stop?.());
    return makeReport({
      queue: this.#harness.name,
      startedAt: this.#startedAt.toISOString(),
      durationMs: Date.now() - this.#startedAt.getTime(),
      seed: this.seed,
      strict: this.#strict,
      capabilities: this.#capabilities,
      results: this.#results,
      rulebook,
      problems: this.#problems,
    });
  }

  async #enter(rule: Rule): Promise<TrialPlace> {
    if (this.#capabilities === undefined) throw new Violation(this.#problems[0] ?? 'the session was not started');
    const id = `${this.#runId}/${rule.id}`;
    const namespace = await this.#namespace(id);
    const trial = new Trial({
      id,
      namespace,
      neighbour: (name) => this.#namespace(`${id}/${name}`),
      capabilities: this.#capabilities,
      payload: this.#harness.payload,
      timing: this.#timing,
      clock: this.#clock,
      // The same choices for a rule, also when it is run alone.
      random: randomFrom(this.seed ^ numberOf(rule.id)),
      dispatchers: this.#dispatchers,
    });
    const leave = async (): Promise<void> => {
      try {
        await trial.end();
      } finally {
        await this.#dispose(namespace);
      }
    };
    return { trial, leave };
  }

  #namespace(id: string): Promise<Namespace> {
    return this.#bounded(async () => this.#harness.namespace(id), 'namespace() of the harness');
  }

  #dispose(namespace: Namespace): Promise<void> {
    return this.#bounded(async () => namespace.dispose(), 'dispose() of the namespace');
  }

  async #readCapabilities(): Promise<void> {
    const namespace = await this.#namespace(`${this.#runId}/capabilities`);
    const queue = await this.#bounded(async () => namespace.open({}), 'opening the queue');
    const { capabilities } = queue;
    if (typeof capabilities !== 'object' || capabilities === null) {
      throw new Violation(`its capabilities are ${describe(capabilities)}`);
    }
    this.#capabilities = capabilities;
    await this.#bounded(() => queue.close(), 'close()');
    await this.#dispose(namespace);
  }

  /** Does `work`; what goes wrong is noted. */
  async #attempt(what: string, work: () => Promise<void> | undefined): Promise<void> {
    const unhandled = new UnhandledRejections();
    try {
      await this.#drive((async () => work())());
    } catch (error) {
      this.#problems.push(`${what} failed: ${messageOf(error)}`);
    }
    const [floating] = await unhandled.end();
    if (floating !== undefined) {
      this.#problems.push(`${what} left a rejection that nobody handles: ${messageOf(floating)}`);
    }
  }

  #drive<Result>(work: Promise<Result>): Promise<Result> {
    return this.#harness.drive === undefined ? work : this.#harness.drive(work);
  }

  async #bounded<Result>(work: () => Promise<Result>, what: string): Promise<Result> {
    const late = Symbol('late');
    const { closeMs } = this.#timing;
    const answer = await within((async () => work())(), closeMs, late, this.#clock);
    if (answer === late) throw new Violation(`${what} did not settle within ${closeMs} ms`);
    return answer as Result;
  }
}

function chooseRules(
  only: readonly string[] | undefined,
  tiers: readonly Tier[],
  claims: readonly ClaimLevel[],
): readonly Rule[] {
  if (only === undefined) return rulebook.filter(({ tier, claim }) => tiers.includes(tier) && claims.includes(claim));
  return only.map((wanted) => {
    const rule = rulebook.find(({ id, slug }) => id === wanted || slug === wanted);
    if (rule === undefined) throw new RangeError(`${action}: there is no rule ${JSON.stringify(wanted)}`);
    return rule;
  });
}

function checkHarness(harness: ConformanceHarness): void {
  if (typeof harness !== 'object' || harness === null) {
    throw new TypeError(`${action}: harness must be an object, got ${describe(harness)}`);
  }
  const { name, namespace } = harness as Partial<ConformanceHarness>;
  if (typeof name !== 'string' || name === '') {
    throw new TypeError(`${action}: harness.name must be a non-empty string, got ${describe(name)}`);
  }
  checkFunction(action, 'harness.namespace', namespace);
}

/** A number of its own for each id. */
function numberOf(id: string): number {
  return [...id].reduce((number, character) => Math.imul(number, 31) + (character.codePointAt(0) as number), 7);
}

function messageOf(error: unknown): string {
  if (isNqError(error)) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : describe(error);
}
