import { isDeepStrictEqual } from 'node:util';
import { within } from '../bounded.ts';
import type { Capabilities } from '../capabilities.ts';
import type { Clock } from '../clock.ts';
import type { DispatcherOptions } from '../dispatcher-options.ts';
import type { Dispatcher } from '../dispatcher-types.ts';
import { isNqError, type NqErrorCode } from '../errors.ts';
import type { QueueEvent } from '../event.ts';
import type { Delivery, MessageQueue } from '../queue.ts';
import { checkQueue, inspectionOf } from './check-opened.ts';
import type { Faults, Inspection, Namespace, OpenOptions, PayloadFactory, Timing } from './harness.ts';
import { describeError, Journal } from './journal.ts';
import type { Hook } from './rule.ts';
import { ObservedQueue } from './observed-queue.ts';
import type { PeerQueue } from './peer/peer-queue.ts';
import { Peers } from './peer/peers.ts';
import { settledWithin } from './settled-within.ts';
import { type Neighbour, type Offering, type SeenRejection, type TrialParts, trialType } from './trial-parts.ts';
import { NotVerified, Violation } from './violation.ts';

/**
 * One run of one rule: what a rule may use to find out whether a queue keeps it. Everything that it opens is closed after
 * it, and whatever the queue does is written down.
 */
export class Trial {
  readonly capabilities: Capabilities;
  readonly timing: Timing;
  readonly clock: Clock;
  readonly random: () => number;
  readonly journal: Journal;
  /** What calls and hooks have rejected with. */
  readonly rejections: SeenRejection[] = [];
  /** How often something was verified. A rule that has verified nothing has proven nothing. */
  verified = 0;
  /** Whether the queue carries whatever JSON can, and bytes; otherwise only what the harness makes. */
  readonly carriesAnything: boolean;
  readonly #parts: TrialParts;
  readonly #payload: PayloadFactory<unknown>;
  readonly #queues: ObservedQueue<unknown>[] = [];
  readonly #dispatchers: Dispatcher[] = [];
  readonly #peers = new Peers(this);
  #options: OpenOptions | undefined;
  #opened = 0;
  #events = 0;
  /** Whether events may come out that were not pushed by this trial. */
  #foreignExpected = false;
  #cut = false;

  constructor(parts: TrialParts) {
    this.#parts = parts;
    this.#payload = parts.payload ?? { make: (index) => ({ index, text: `event ${index}` }) };
    this.carriesAnything = parts.payload === undefined;
    this.capabilities = parts.capabilities;
    this.timing = parts.timing;
    this.clock = parts.clock;
    this.random = parts.random;
    this.journal = new Journal(() => parts.clock.now());
  }

  // --- opening

  /** Opens the queue: with the options of the first time, each time. */
  async open(options?: OpenOptions): Promise<ObservedQueue<unknown>> {
    this.#options ??= options ?? {};
    return this.#open(this.#parts.namespace, { ...this.#options, ...options });
  }

  /** The queue of another namespace. A rule that passes calls `leave`. */
  async neighbour(name: string, options: OpenOptions = {}): Promise<Neighbour> {
    const namespace = await this.#parts.neighbour(name);
    const queue = await this.#open(namespace, options);
    const opened = [queue];
    return {
      queue,
      open: async () => {
        const other = await this.#open(namespace, options);
        opened.push(other);
        return other;
      },
      leave: async () => {
        for (const one of opened) await one.close();
        await this.within((async () => namespace.dispose())(), 'dispose() of the namespace', this.timing.closeMs);
      },
    };
  }

  async #open(namespace: Namespace, options: OpenOptions): Promise<ObservedQueue<unknown>> {
    const opened = (async () => namespace.open(options))();
    const queue = await this.within(opened, 'opening the queue', this.timing.closeMs);
    checkQueue(queue);
    const name = String.fromCodePoint(('a'.codePointAt(0) as number) + (this.#opened++ % 26));
    const observed = new ObservedQueue<unknown>(queue, name, {
      journal: this.journal,
      timing: this.timing,
      within: (promise, what, ms) => this.within(promise, what, ms),
      rejected: (what, error) => void this.rejections.push({ what, error }),
      received: (event) => this.#received(event),
    });
    this.#queues.push(observed);
    return observed;
  }

  /** A dispatcher on `queue`, stopped after the rule if the rule has not done it. */
  dispatcher(queue: ObservedQueue<unknown> | MessageQueue, options: DispatcherOptions = {}): Dispatcher {
    const raw = queue instanceof ObservedQueue ? queue.raw : queue;
    const dispatcher = this.#parts.dispatchers({ queue: raw }, { clock: this.clock, onError: () => {}, ...options });
    this.#dispatchers.push(dispatcher);
    return dispatcher;
  }

  // --- events

  /** A new event of this trial: unlike any other. */
  event(changes: Partial<QueueEvent> = {}): QueueEvent {
    const number = this.#events++;
    const event = {
      id: `${this.#parts.id}-${number}`,
      type: trialType,
      data: this.#payload.make(number),
      time: this.clock.date(),
      ...changes,
    };
    this.journal.name(event.id, `e${number}`);
    return event;
  }

  events(count: number, changes: Partial<QueueEvent> = {}): QueueEvent[] {
    return Array.from({ length: count }, () => this.event(changes));
  }

  /** Pushes `count` new events, one after the other. */
  async push(queue: MessageQueue<unknown>, count: number, changes: Partial<QueueEvent> = {}): Promise<QueueEvent[]> {
    const events = this.events(count, changes);
    for (const event of events) await queue.push(event);
    return events;
  }

  /** Takes an event that must be there, or come soon. @throws {Violation} if none comes. */
  async take(queue: MessageQueue<unknown>, what = 'an event'): Promise<Delivery> {
    const delivery = await queue.pop({ timeoutMs: this.timing.patienceMs });
    if (delivery === undefined) throw new Violation(`${what} did not come within ${this.timing.patienceMs} ms`);
    return delivery;
  }

  /** Takes `count` events that must be there, or come soon. */
  async takeMany(queue: MessageQueue<unknown>, count: number): Promise<Delivery[]> {
    const deliveries: Delivery[] = [];
    while (deliveries.length < count)
      deliveries.push(await this.take(queue, `event ${deliveries.length + 1} of ${count}`));
    return deliveries;
  }

  /** Watches that nothing comes out. @param what says what it would mean if something did. */
  async nothing(queue: MessageQueue<unknown>, what: string, watchMs = this.timing.quietMs): Promise<void> {
    const delivery = await queue.pop({ timeoutMs: watchMs });
    this.verify(delivery === undefined, () => `${this.show(delivery as Delivery)} came out: ${what}`);
  }

  /**
   * Takes and acknowledges everything, until nothing has come for a while: never only as many as were expected, so that one
   * too many is seen.
   */
  drain(queue: MessageQueue<unknown>, watchMs = this.timing.quietMs): Promise<Delivery[]> {
    return this.collect(queue, 0, watchMs);
  }

  /** Takes and acknowledges everything: waits for `count` events with patience, and then watches that no more come. */
  async collect(queue: MessageQueue<unknown>, count: number, watchMs = this.timing.quietMs): Promise<Delivery[]> {
    const deliveries: Delivery[] = [];
    for (;;) {
      const timeoutMs = deliveries.length < count ? this.timing.patienceMs : watchMs;
      const delivery = await queue.pop({ timeoutMs });
      if (delivery === undefined) return deliveries;
      deliveries.push(delivery);
      await delivery.ack();
    }
  }

  /** Verifies that `deliveries` are of `events`: of the same ones, in the same order if that was promised. */
  verifySame(
    deliveries: readonly Delivery[],
    events: readonly QueueEvent[],
    inOrder = this.capabilities.order === 'fifo',
  ) {
    const names = (list: readonly QueueEvent[]): string[] => list.map(({ id }) => this.journal.nameOf(id));
    const came = names(deliveries.map(({ event }) => event));
    const pushed = names(events);
    const expected = inOrder ? pushed : pushed.toSorted();
    const got = inOrder ? came : came.toSorted();
    const first = expected.findIndex((name, index) => name !== got[index]);
    const at = first === -1 ? expected.length : first;
    this.verify(
      expected.length === got.length && first === -1,
      () =>
        `${expected.length} events were pushed and ${got.length} came out; the first difference is at ${at}: ${expected[at] ?? 'nothing'} expected, ${got[at] ?? 'nothing'} came`,
    );
  }

  /** Whether two data are the same, as the harness tells it. */
  sameData(a: unknown, b: unknown): boolean {
    return (this.#payload.equal ?? isDeepStrictEqual)(a, b);
  }

  /** From now on events may come out that have an id of the queue's making. */
  expectStrangers(): void {
    this.#foreignExpected = true;
  }

  show({ event, attempt }: Delivery): string {
    return `${this.journal.nameOf(event.id)} (attempt ${attempt})`;
  }

  // --- finding out

  /** @throws {Violation} with what was `observed` if `fact` is not true. */
  verify(fact: boolean, observed: string | (() => string)): void {
    this.verified++;
    if (!fact) throw new Violation(typeof observed === 'string' ? observed : observed());
  }

  /**
   * Verifies that `call` rejects, with `code` or as `code` tells. Resolves what it rejected with.
   *
   * @param expected says what `code` looks for, where it is a function.
   */
  async rejects(
    call: Promise<unknown>,
    code: NqErrorCode | readonly NqErrorCode[] | ((error: unknown) => boolean),
    what: string,
    expected = typeof code === 'function' ? 'the right error' : [code].flat().join(' or '),
  ): Promise<unknown> {
    let error: unknown;
    try {
      await call;
    } catch (caught) {
      if (caught instanceof Violation) throw caught;
      error = caught;
    }
    this.verify(error !== undefined, `${what} resolved; expected ${expected}`);
    const right =
      typeof code === 'function' ? code(error) : [code].flat().some((one) => isNqError(error, one as NqErrorCode));
    this.verify(right, () => `${what} rejected ${describeError(error)}; expected ${expected}`);
    return error;
  }

  /** Watches that `promise` does not settle. */
  async pending(promise: Promise<unknown>, what: string, watchMs = this.timing.quietMs): Promise<void> {
    const waits = Symbol('waits');
    const settled = promise.then(
      () => 'resolved',
      (error: unknown) => `rejected ${describeError(error)}`,
    );
    const answer = await within(settled, watchMs, waits, this.clock);
    this.verify(answer === waits, () => `${what} ${String(answer)} instead of waiting`);
  }

  /** `promise`, which must settle within `ms`. @throws {Violation} that names `what` otherwise. */
  within<Result>(promise: Promise<Result>, what: string, ms: number = this.timing.patienceMs): Promise<Result> {
    return settledWithin(promise, what, ms, this.clock);
  }

  /** Asks again and again until `fact` is true. @throws {Violation} that says `what` did not become true in time. */
  async until(
    fact: () => boolean | Promise<boolean>,
    what: string,
    ms: number = this.timing.patienceMs,
  ): Promise<void> {
    const deadline = this.clock.now() + ms;
    while (!(await fact())) {
      if (this.clock.now() >= deadline) throw new Violation(`${what} did not become true within ${Math.round(ms)} ms`);
      await this.wait(2);
    }
    this.verified++;
  }

  /** Lets time pass. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clock.schedule(resolve, ms);
    });
  }

  /** How long `work` took, in milliseconds. */
  async time(work: () => Promise<unknown>): Promise<number> {
    const before = this.clock.now();
    await work();
    return this.clock.now() - before;
  }

  /** The lease of `queue`. @throws {NotVerified} if it is longer than rules wait. */
  leaseOf({ capabilities: { lease } }: MessageQueue<unknown>): number {
    if (lease === false) throw new NotVerified('the queue has no lease');
    const { longestLeaseMs } = this.timing;
    if (lease.ms <= longestLeaseMs) return lease.ms;
    throw new NotVerified(
      `the lease is ${lease.ms} ms although a shorter one was asked for; rules wait up to ${longestLeaseMs} ms`,
    );
  }

  // --- hooks

  /** Whether the harness offers `hook`. */
  offers(hook: Hook): boolean {
    const { namespace } = this.#parts;
    return hook === 'restart' ? namespace.faults?.restart !== undefined : namespace[hook] !== undefined;
  }

  /** The faults. They are healed after the rule. */
  get faults(): Faults {
    const { faults } = this.#offering('faults');
    this.#cut = true;
    return faults;
  }

  async restart(): Promise<void> {
    const { faults } = this.#offering('faults');
    if (!this.offers('restart')) throw new NotVerified('the harness has no hook restart');
    await this.#hook('faults.restart()', () => faults.restart?.());
  }

  /** Ends `queue` as a killed process would. */
  async crash(queue: ObservedQueue<unknown>): Promise<void> {
    const namespace = this.#offering('crash');
    await this.#hook(`crash(${queue.name})`, () => namespace.crash(queue.raw));
    this.#queues.splice(this.#queues.indexOf(queue), 1);
  }

  /**
   * Opens the queue in another process: with the options of the first time, each time.
   *
   * @param clockAheadMs how far the clock of that process is ahead of ours, or behind if it is negative, in milliseconds.
   */
  async fork(options?: OpenOptions, clockAheadMs = 0): Promise<PeerQueue> {
    const namespace = this.#offering('fork');
    this.#options ??= options ?? {};
    const queue = await this.#peers.start(() => namespace.fork());
    await queue.open({ ...this.#options, ...options }, clockAheadMs);
    return queue;
  }

  async inspect(): Promise<Inspection> {
    const namespace = this.#offering('inspect');
    return inspectionOf(await this.#hook('inspect()', () => namespace.inspect()));
  }

  /** Puts a record that is no event into the backend. */
  async injectRaw(record: Uint8Array): Promise<void> {
    const namespace = this.#offering('injectRaw');
    this.#foreignExpected = true;
    await this.#hook('injectRaw()', () => namespace.injectRaw(record));
  }

  /** Calls a hook, and writes it down: one that never settles is named when the time of the rule is over. */
  async #hook<Result>(what: string, call: () => Result | Promise<Result>): Promise<Result> {
    const end = this.journal.begin(what);
    try {
      return await call();
    } catch (error) {
      this.rejections.push({ what, error });
      throw error;
    } finally {
      end('ended');
    }
  }

  /** The namespace, which must offer `hook`. @throws {NotVerified} if it does not. */
  #offering<Name extends keyof Namespace>(hook: Name): Offering<Name> {
    const { namespace } = this.#parts;
    if (namespace[hook] === undefined) throw new NotVerified(`the harness has no hook ${hook}`);
    return namespace as Offering<Name>;
  }

  // --- ending

  /** Heals what was cut, stops and closes what is open. @throws {Violation} if it does not let itself be closed. */
  async end(): Promise<void> {
    try {
      await this.#end();
    } finally {
      // Whatever went wrong: no process is left behind.
      await this.#peers.end();
    }
  }

  async #end(): Promise<void> {
    if (this.#cut) {
      const healing = (async () => this.#parts.namespace.faults?.heal())();
      await this.within(healing, 'heal() of the faults', this.timing.closeMs);
    }
    for (const dispatcher of this.#dispatchers) {
      await this.within(dispatcher.stop({ deadlineMs: 0 }), 'stop() after the rule', this.timing.closeMs);
    }
    for (const queue of this.#queues) await queue.close();
  }

  #received(event: QueueEvent): void {
    if (this.#foreignExpected || this.journal.knows(event.id)) return;
    throw new Violation(`an event came out that nobody has pushed here: ${this.journal.nameOf(event.id)}`);
  }
}
