import { randomUUID } from 'node:crypto';
import { checkFunction, checkMs, checkOptions, describe } from '../check.ts';
import type { Capabilities } from '../capabilities.ts';
import { type Clock, systemClock } from '../clock.ts';
import { createDispatcher } from '../dispatcher.ts';
import type { MessageQueue } from '../queue.ts';
import { randomFrom, shuffled } from '../random.ts';
import { checkHarness, checkNamespace } from './check-harness.ts';
import { checkQueue } from './check-opened.ts';
import { chooseRules, type RuleChoice } from './choose-rules.ts';
import { ExitGuard } from './exit-guard.ts';
import { loadFastCheck } from './fast-check.ts';
import { firstLook } from './first-look.ts';
import { type ConformanceHarness, type Namespace, resolveTiming, slownessOf, type Timing } from './harness.ts';
import { messageOf } from './journal.ts';
import { countAlive, leftAlive } from './left-alive.ts';
import { type ConformanceReport, makeReport, notRun, type RuleResult } from './report.ts';
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
  /**
   * How long one rule may take, in milliseconds, multiplied with `timing.scale` of the harness, or with a hundredth of its
   * `timing.quietMs`, if that is more. When those in which something hung have taken 5 times as long together, the others are
   * not run any more, and fail with that reason: a queue that hangs is told in minutes. Rules with a waiver are not counted.
   * @default 60_000
   */
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

/** How many times the limit of a rule all that hang may take together, before the others are not run any more. */
const mostHung = 5;

/** The queue that is opened before any rule, and its place. */
interface Opened {
  readonly namespace: Namespace;
  readonly queue: MessageQueue;
}

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
  /** How long what is done before the first rule may take, and what is done after the last one, in milliseconds. */
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
  /** By a clock that is never set back. */
  readonly #beganMs = performance.now();
  #guard: ExitGuard | undefined;
  #capabilities: Capabilities | undefined;
  /** Why no further rule is run. */
  #notRun: string | undefined = notRun.unopened;
  /** How long the rules took in which something hung, in milliseconds. */
  #hungMs = 0;
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
    this.ruleLimitMs = ruleLimitMs * slownessOf(this.#timing);
    const { startMs, closeMs, patienceMs } = this.#timing;
    // Besides `start()`: a namespace, opening, closing and disposing, and the calls of the first event.
    this.startLimitMs = startMs + 4 * (closeMs + patienceMs);
    this.rules = shuffled(chosen, randomFrom(this.seed));
  }

  /**
   * Starts what the harness needs, reads what the queue declares, and pushes, takes and acknowledges one event. What fails is a
   * problem of the report, and no rule is run then; nor is one if a call of that event never settles. Until `end()`, a process
   * that ends says so and has another exit code than 0. Never rejects.
   */
  async start(): Promise<void> {
    this.#guard ??= new ExitGuard(this.#harness.name);
    await loadFastCheck();
    this.#aliveBefore = countAlive();
    await this.#attempt('start() of the harness', () => this.#inStartTime(async () => this.#harness.start?.()));
    if (this.#problems.length > 0) return;
    const opened = await this.#attempt('opening the queue', () => this.#open());
    if (opened === undefined) return;
    const { namespace, queue } = opened;
    this.#capabilities = queue.capabilities;
    this.#notRun = undefined;
    await this.#look(queue);
    await this.#attempt('closing the queue', async () => {
      await this.#bounded(() => queue.close(), 'close()');
      await this.#dispose(namespace);
    });
  }

  /** Runs one rule. Never rejects. */
  async run(rule: Rule): Promise<RuleResult> {
    const { waivers = [] } = this.#harness;
    const waiver = waivers.find((one) => one.rule === rule.id);
    let hung = false;
    const run = {
      rule,
      enter: () => this.#enter(rule),
      limitMs: this.ruleLimitMs,
      onHang: () => void (hung = true),
      waiver,
      now: () => this.#clock.now(),
    };
    const result = await this.#drive(`rule ${rule.id} ${rule.slug}`, () => runRule(run));
    this.#results.push(result);
    if (hung && waiver === undefined) this.#hungMs += result.durationMs;
    if (this.#hungMs >= mostHung * this.ruleLimitMs) this.#notRun = notRun.hung;
    return result;
  }

  /**
   * Ends what the harness has started. Never rejects.
   *
   * @param problems what else went wrong outside of the rules, for the report.
   */
  async end(problems: readonly string[] = []): Promise<ConformanceReport> {
    await this.#attempt('stop() of the harness', () => this.#inStartTime(async () => this.#harness.stop?.()));
    const left = await leftAlive(this.#aliveBefore);
    this.#guard?.end();
    return makeReport({
      queue: this.#harness.name,
      startedAt: this.#startedAt.toISOString(),
      durationMs: Math.round(performance.now() - this.#beganMs),
      seed: this.seed,
      strict: this.#strict,
      capabilities: this.#capabilities,
      results: this.#results,
      rulebook,
      problems: [...this.#problems, ...problems],
      leftAlive: left,
    });
  }

  async #enter(rule: Rule): Promise<TrialPlace> {
    const capabilities = this.#capabilities;
    if (this.#notRun !== undefined || capabilities === undefined) throw new Violation(this.#notRun ?? notRun.unopened);
    const id = `${this.#runId}-${rule.id.replaceAll('.', '-')}`;
    const namespace = await this.#namespace(id);
    const trial = new Trial({
      id,
      namespace,
      neighbour: (name) => this.#namespace(`${id}-${name}`),
      capabilities,
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

  async #open(): Promise<Opened> {
    const namespace = await this.#namespace(`${this.#runId}-capabilities`);
    const queue = await this.#bounded(async () => namespace.open({}), 'opening the queue');
    checkQueue(queue);
    const { capabilities } = queue;
    if (typeof capabilities !== 'object' || capabilities === null) {
      throw new Violation(`its capabilities are ${describe(capabilities)}`);
    }
    return { namespace, queue };
  }

  /** Finds out whether the queue settles its calls at all. */
  async #look(queue: MessageQueue): Promise<void> {
    // A rule will see them, and says of which call they come.
    const strays = new StrayErrors();
    const { payload } = this.#harness;
    const make = (): unknown => (payload === undefined ? { index: 0 } : payload.make(0));
    const { patienceMs } = this.#timing;
    const look = (): Promise<string | undefined> => firstLook(queue, { make, patienceMs, clock: this.#clock });
    const silence = await this.#drive('the first look at the queue', look);
    await strays.end();
    if (silence === undefined) return;
    this.#problems.push(`${silence}: no rule was run`);
    this.#notRun = notRun.silent;
  }

  /** Does `work`; what goes wrong is noted. @returns `undefined` then. */
  async #attempt<Result>(what: string, work: () => Promise<Result>): Promise<Result | undefined> {
    const strays = new StrayErrors();
    let result: Result | undefined;
    try {
      result = await this.#drive(what, work);
    } catch (error) {
      this.#problems.push(`${what} failed: ${messageOf(error)}`);
    }
    const stray = await strays.end();
    if (stray !== undefined) {
      this.#problems.push(`${what}: ${stray.text}; the first: ${messageOf(stray.first)}`);
    }
    return result;
  }

  /** Does `work`, which is named should the process end before it, and moves time on meanwhile. */
  async #drive<Result>(what: string, work: () => Promise<Result>): Promise<Result> {
    if (this.#guard !== undefined) this.#guard.during = what;
    const done = (async () => work())();
    const result = await (this.#harness.drive?.(done) ?? done);
    if (this.#guard !== undefined) this.#guard.during = `what came after ${what}`;
    return result;
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
