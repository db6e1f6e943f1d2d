import { randomUUID } from 'node:crypto';
import { checkFunction, checkMs, checkOptions, describe } from '../check.ts';
import type { Capabilities } from '../capabilities.ts';
import { type Clock, systemClock } from '../clock.ts';
import { createDispatcher } from '../dispatcher.ts';
import { isNqError } from '../errors.ts';
import { randomFrom, shuffled } from '../random.ts';
import { checkHarness, checkNamespace } from './check-harness.ts';
import { checkQueue } from './check-opened.ts';
import { chooseRules, type RuleChoice } from './choose-rules.ts';
import { loadFastCheck } from './fast-check.ts';
import { type ConformanceHarness, type Namespace, resolveTiming, type Timing } from './harness.ts';
import { countAlive, leftAlive } from './left-alive.ts';
import { type ConformanceReport, makeReport, notOpened, type RuleResult } from './report.ts';
import type { Rule } from './rule.ts';
import { rules as rulebook } from './rules.ts';
import { runRule, type TrialPlace } from './run-rule.ts';
import { settledWithin } from './settled-within.ts';
import { Trial } from './trial.ts';
import { StrayErrors } from './stray-errors.ts';
import { Violation } from './violation.ts';

/** Which rules are run, and how. */
export interface SessionOptions extends RuleChoice {
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
  /** How long what the harness does before the first rule, and after the last one, may take, in milliseconds. */
  readonly startLimitMs: number;
  readonly #harness: ConformanceHarness;
  readonly #strict: boolean;
  readonly #dispatchers: typeof createDispatcher;
  readonly #timing: Timing;
  readonly #clock: Clock;
  readonly #results: RuleResult[] = [];
  readonly #problems: string[] = [];
  /** Told apart from every other run, on whatever machine. Begins with a letter, as many names must. */
  readonly #runId = `nq-${randomUUID()}`;
  readonly #startedAt = new Date();
  #capabilities: Capabilities | undefined;
  /** What kept the process alive before anything was started. */
  #aliveBefore = countAlive();

  /** @throws {TypeError} {RangeError} if the harness or an option is not as it should be. Nothing is run then. */
  constructor(harness: ConformanceHarness, options: SessionOptions = {}) {
    checkHarness(action, harness);
    checkOptions(action, options, sessionOptionNames);
    const { seed, strict = false, ruleLimitMs = 60_000, dispatchers = createDispatcher, ...choice } = options;
    const chosen = chooseRules(action, choice);
    checkFunction(action, 'dispatchers', dispatchers);
    if (typeof strict !== 'boolean') {
      throw new TypeError(`${action}: strict must be true or false, got ${describe(strict)}`);
    }
    checkMs(action, 'ruleLimitMs', ruleLimitMs, 1);
    if (seed !== undefined && !Number.isFinite(seed)) {
      throw new TypeError(`${action}: seed must be a number, got ${describe(seed)}`);
    }
    this.#harness = harness;
    this.#strict = strict;
    this.#dispatchers = dispatchers;
    this.#timing = resolveTiming(harness.timing);
    this.#clock = harness.clock ?? systemClock;
    this.seed = seed ?? Math.floor(Math.random() * 2 ** 32);
    this.ruleLimitMs = ruleLimitMs * this.#timing.scale;
    this.startLimitMs = this.#timing.startMs;
    this.rules = shuffled(chosen, randomFrom(this.seed));
  }

  /**
   * Starts what the harness needs, and reads what the queue declares. What fails is a problem of the report, and no rule is
   * run then. Never rejects.
   */
  async start(): Promise<void> {
    await loadFastCheck();
    this.#aliveBefore = countAlive();
    await this.#attempt('start() of the harness', () => this.#inStartTime(async () => this.#harness.start?.()));
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
    await this.#attempt('stop() of the harness', () => this.#inStartTime(async () => this.#harness.stop?.()));
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
      leftAlive: await leftAlive(this.#aliveBefore),
    });
  }

  async #enter(rule: Rule): Promise<TrialPlace> {
    if (this.#capabilities === undefined) throw new Violation(notOpened);
    const id = `${this.#runId}-${rule.id.replaceAll('.', '-')}`;
    const namespace = await this.#namespace(id);
    const trial = new Trial({
      id,
      namespace,
      neighbour: (name) => this.#namespace(`${id}-${name}`),
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

  async #namespace(id: string): Promise<Namespace> {
    const namespace = await this.#bounded(async () => this.#harness.namespace(id), 'namespace() of the harness');
    checkNamespace(action, namespace);
    return namespace;
  }

  #dispose(namespace: Namespace): Promise<void> {
    return this.#bounded(async () => namespace.dispose(), 'dispose() of the namespace');
  }

  async #readCapabilities(): Promise<void> {
    const namespace = await this.#namespace(`${this.#runId}-capabilities`);
    const queue = await this.#bounded(async () => namespace.open({}), 'opening the queue');
    checkQueue(queue);
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
    const strays = new StrayErrors();
    try {
      await this.#drive((async () => work())());
    } catch (error) {
      this.#problems.push(`${what} failed: ${messageOf(error)}`);
    }
    const stray = await strays.end();
    if (stray !== undefined) {
      this.#problems.push(`${what}: ${stray.text}; the first: ${messageOf(stray.first)}`);
    }
  }

  #drive<Result>(work: Promise<Result>): Promise<Result> {
    return this.#harness.drive === undefined ? work : this.#harness.drive(work);
  }

  #bounded<Result>(work: () => Promise<Result>, what: string): Promise<Result> {
    return settledWithin(work(), what, this.#timing.closeMs, this.#clock);
  }

  /** What the harness starts lives outside: a clock that stands still does not wait for it. */
  #inStartTime(work: () => Promise<void>): Promise<void> {
    return settledWithin(work(), 'it', this.#timing.startMs, systemClock);
  }
}

/** A number of its own for each id. */
function numberOf(id: string): number {
  return [...id].reduce((number, character) => Math.imul(number, 31) + (character.codePointAt(0) as number), 7);
}

function messageOf(error: unknown): string {
  if (isNqError(error)) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : describe(error);
}
