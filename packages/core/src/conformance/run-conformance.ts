import { randomUUID } from 'node:crypto';
import { within } from '../bounded.ts';
import { checkFunction, checkOptions, describe } from '../check.ts';
import { type Capabilities } from '../capabilities.ts';
import { type Clock, systemClock } from '../clock.ts';
import { createDispatcher } from '../dispatcher.ts';
import { NqError } from '../errors.ts';
import { randomFrom, shuffled } from '../random.ts';
import { type ConformanceHarness, type Namespace, resolveTiming, type Timing } from './harness.ts';
import { type ConformanceReport, makeReport, type RuleResult } from './report.ts';
import type { Rule, Tier } from './rule.ts';
import { rules as rulebook } from './rules.ts';
import { runRule, type TrialPlace } from './run-rule.ts';
import { Trial } from './trial.ts';
import { Violation } from './violation.ts';

/** What is run, and how. */
export interface ConformanceOptions {
  /** Ids or slugs of the rules to run. @default all of `tiers` */
  readonly only?: readonly string[] | undefined;
  /** @default smoke, standard and faults */
  readonly tiers?: readonly Tier[] | undefined;
  /** Decides the order of the rules and every choice they make. @default a new one, shown in the report */
  readonly seed?: number | undefined;
  /** Whether a rule that cannot be verified counts as broken. @default false */
  readonly strict?: boolean | undefined;
  /** How long one rule may take, in milliseconds, multiplied with the scale of the harness. @default 60_000 */
  readonly ruleLimitMs?: number | undefined;
  /** Told of each result as soon as it is there. */
  readonly onResult?: ((result: RuleResult, progress: ConformanceProgress) => void) | undefined;
  /** What makes dispatchers for the rules about them. @default createDispatcher */
  readonly dispatchers?: typeof createDispatcher | undefined;
}

/** How far a run is. */
export interface ConformanceProgress {
  readonly done: number;
  readonly total: number;
}

const action = 'Cannot run the rules';
const defaultTiers: readonly Tier[] = ['smoke', 'standard', 'faults'];

/**
 * Runs the rules against the queue of `harness`, in random order, each in a namespace of its own. Whatever the queue does,
 * the report comes: a queue that hangs, throws or cannot be opened fails with the reason.
 *
 * @throws {TypeError} {RangeError} if the harness or an option is not as it should be. Nothing is run then.
 */
export async function runConformance<Data>(
  harness: ConformanceHarness<Data>,
  options: ConformanceOptions = {},
): Promise<ConformanceReport> {
  const checked = checkHarness(harness as unknown as ConformanceHarness);
  return new ConformanceRun(checked, options).report();
}

class ConformanceRun {
  readonly #harness: ConformanceHarness;
  readonly #options: ConformanceOptions;
  readonly #rules: readonly Rule[];
  readonly #seed: number;
  readonly #timing: Timing;
  readonly #clock: Clock;
  readonly #problems: string[] = [];
  /** Told apart from every other run, on whatever machine. */
  readonly #runId = randomUUID();

  constructor(harness: ConformanceHarness, options: ConformanceOptions) {
    checkOptions(action, options, ['only', 'tiers', 'seed', 'strict', 'ruleLimitMs', 'onResult', 'dispatchers']);
    this.#harness = harness;
    this.#options = options;
    this.#rules = chooseRules(options);
    this.#clock = harness.clock ?? systemClock;
    this.#seed = options.seed ?? Math.floor(Math.random() * 2 ** 32);
    this.#timing = resolveTiming(harness.timing);
  }

  async report(): Promise<ConformanceReport> {
    const startedAt = new Date();
    const results: RuleResult[] = [];
    let capabilities: Capabilities | undefined;
    if (await this.#attempt('start() of the harness', this.#harness.start?.())) {
      capabilities = await this.#readCapabilities();
      if (capabilities !== undefined) await this.#runAll(capabilities, results);
    }
    await this.#attempt('stop() of the harness', this.#harness.stop?.());
    return makeReport({
      queue: this.#harness.name,
      startedAt: startedAt.toISOString(),
      durationMs: Date.now() - startedAt.getTime(),
      seed: this.#seed,
      strict: this.#options.strict ?? false,
      capabilities,
      results,
      rulebook,
      problems: this.#problems,
    });
  }

  async #runAll(capabilities: Capabilities, results: RuleResult[]): Promise<void> {
    const { onResult, ruleLimitMs = 60_000 } = this.#options;
    const { waivers = [] } = this.#harness;
    const order = shuffled(this.#rules, randomFrom(this.#seed));
    for (const rule of order) {
      const work = runRule({
        rule,
        enter: () => this.#enter(rule, capabilities),
        limitMs: ruleLimitMs * this.#timing.scale,
        waiver: waivers.find((waiver) => waiver.rule === rule.id),
        now: () => this.#clock.now(),
      });
      const result = await this.#drive(work);
      results.push(result);
      onResult?.(result, { done: results.length, total: order.length });
    }
  }

  async #enter(rule: Rule, capabilities: Capabilities): Promise<TrialPlace> {
    const id = `${this.#runId}/${rule.id}`;
    const namespace = await this.#namespace(id);
    const trial = new Trial({
      id,
      namespace,
      neighbour: (name) => this.#namespace(`${id}/${name}`),
      capabilities,
      payload: this.#harness.payload ?? { make: (index) => ({ index, text: `event ${index}` }) },
      timing: this.#timing,
      clock: this.#clock,
      // The same choices for a rule, also when it is run alone.
      random: randomFrom(this.#seed ^ numberOf(rule.id)),
      dispatchers: this.#options.dispatchers ?? createDispatcher,
    });
    return {
      trial,
      leave: async () => {
        try {
          await trial.end();
        } finally {
          await this.#bounded(Promise.resolve(namespace.dispose()), 'dispose() of the namespace');
        }
      },
    };
  }

  async #namespace(id: string): Promise<Namespace> {
    return this.#bounded(Promise.resolve(this.#harness.namespace(id)), 'namespace() of the harness');
  }

  /** What the queue declares; `undefined`, with a problem noted, if it cannot be opened. */
  async #readCapabilities(): Promise<Capabilities | undefined> {
    let capabilities: Capabilities | undefined;
    await this.#attempt(
      'opening the queue',
      (async () => {
        const namespace = await this.#namespace(`${this.#runId}/capabilities`);
        const queue = await this.#bounded(Promise.resolve(namespace.open({})), 'opening the queue');
        ({ capabilities } = queue);
        if (typeof capabilities !== 'object' || capabilities === null) {
          capabilities = undefined;
          throw new Violation('the queue has no capabilities');
        }
        await this.#bounded(queue.close(), 'close()');
        await this.#bounded(Promise.resolve(namespace.dispose()), 'dispose() of the namespace');
      })(),
    );
    return capabilities;
  }

  /** Waits for `work`. @returns whether it succeeded; otherwise the problem is noted. */
  async #attempt(what: string, work: Promise<unknown> | undefined): Promise<boolean> {
    try {
      if (work !== undefined) await this.#drive(work);
      return true;
    } catch (error) {
      this.#problems.push(`${what} failed: ${messageOf(error)}`);
      return false;
    }
  }

  #drive<Result>(work: Promise<Result>): Promise<Result> {
    return this.#harness.drive === undefined ? work : this.#harness.drive(work);
  }

  async #bounded<Result>(work: Promise<Result>, what: string): Promise<Result> {
    const late = Symbol('late');
    const { closeMs } = this.#timing;
    const answer = await within(work, closeMs, late, this.#clock);
    if (answer === late) throw new Violation(`${what} did not settle within ${closeMs} ms`);
    return answer as Result;
  }
}

function chooseRules({ only, tiers = defaultTiers }: ConformanceOptions): readonly Rule[] {
  if (only === undefined) return rulebook.filter(({ tier }) => tiers.includes(tier));
  return only.map((wanted) => {
    const rule = rulebook.find(({ id, slug }) => id === wanted || slug === wanted);
    if (rule === undefined) throw new RangeError(`${action}: there is no rule ${JSON.stringify(wanted)}`);
    return rule;
  });
}

function checkHarness(harness: ConformanceHarness): ConformanceHarness {
  if (typeof harness !== 'object' || harness === null) {
    throw new TypeError(`${action}: harness must be an object, got ${describe(harness)}`);
  }
  const { name, namespace } = harness as Partial<ConformanceHarness>;
  if (typeof name !== 'string' || name === '') {
    throw new TypeError(`${action}: harness.name must be a non-empty string, got ${describe(name)}`);
  }
  checkFunction(action, 'harness.namespace', namespace);
  return harness;
}

/** A number of its own for each id. */
function numberOf(id: string): number {
  return [...id].reduce((number, character) => Math.imul(number, 31) + (character.codePointAt(0) as number), 7);
}

function messageOf(error: unknown): string {
  if (error instanceof NqError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : describe(error);
}
