import type { Capabilities } from '../capabilities.ts';
import { describe } from '../check.ts';
import type { EventInput, QueueEvent } from '../event.ts';
import type {
  CloseOptions,
  CloseReport,
  DeadLetters,
  Delivery,
  MessageQueue,
  NackOptions,
  QueueSize,
  RewindPosition,
  WaitOptions,
} from '../queue.ts';
import { deliveriesOf } from '../iterate.ts';
import type { Timing } from './harness.ts';
import { describeError, type Journal } from './journal.ts';
import { Violation } from './violation.ts';

/** Who watches over the queues of a trial. */
export interface Observer {
  readonly journal: Journal;
  readonly timing: Timing;
  /** `promise`, or a {@link Violation} that names `what` if it takes longer than `ms`. */
  within<Result>(promise: Promise<Result>, what: string, ms?: number): Promise<Result>;
  /** Told of every rejection, of whatever call. */
  rejected(what: string, error: unknown): void;
  /** Told of every event that comes out. */
  received(event: QueueEvent): void;
}

/**
 * A queue as a rule sees it: the queue itself, but every call is written down, and one that has to settle and does not is a
 * violation that names the call. Only a `push` or a `pop` without `timeoutMs` may wait as long as it likes.
 */
export class ObservedQueue<Data> implements MessageQueue<Data> {
  /** The queue itself. */
  readonly raw: MessageQueue<Data>;
  /** Tells several connections to one queue apart: `a`, `b`. */
  readonly name: string;
  readonly #observer: Observer;

  constructor(raw: MessageQueue<Data>, name: string, observer: Observer) {
    this.raw = raw;
    this.name = name;
    this.#observer = observer;
  }

  get capabilities(): Capabilities {
    return this.raw.capabilities;
  }

  get capacity(): number {
    return this.raw.capacity;
  }

  get deadLetters(): DeadLetters {
    const { deadLetters } = this.raw;
    return {
      count: () => this.#call('deadLetters.count()', () => deadLetters.count(), String),
      list: (options) =>
        this.#call(
          'deadLetters.list()',
          () => deadLetters.list(options),
          ({ length }) => `${length}`,
        ),
      replay: (ids) => this.#call('deadLetters.replay()', () => deadLetters.replay(ids), String),
      remove: (ids) => this.#call('deadLetters.remove()', () => deadLetters.remove(ids), String),
    };
  }

  push(event: EventInput<Data>, options?: WaitOptions): Promise<void> {
    const what = `push(${[this.#nameOf(event), ...describeWait(options)].join(', ')})`;
    return this.#call(
      what,
      () => this.raw.push(event, options),
      () => 'stored',
      this.#limit(options),
    );
  }

  pushMany(events: readonly EventInput<Data>[], options?: WaitOptions): Promise<void> {
    const names = Array.isArray(events) ? events.map((event) => this.#nameOf(event)).join(' ') : describe(events);
    const what = `pushMany(${[names, ...describeWait(options)].join(', ')})`;
    return this.#call(
      what,
      () => this.raw.pushMany(events, options),
      () => 'stored',
      this.#limit(options),
    );
  }

  pop(options?: WaitOptions): Promise<Delivery<Data> | undefined> {
    const what = `pop(${describeWait(options).join(', ')})`;
    const call = (): Promise<Delivery<Data> | undefined> => this.raw.pop(options);
    const answered = this.#call(what, call, (answer) => this.#describe(answer), this.#limit(options));
    return awaited(answered.then((delivery) => (delivery === undefined ? undefined : this.#observe(delivery))));
  }

  popMany(max: number, options?: WaitOptions): Promise<readonly Delivery<Data>[]> {
    const what = `popMany(${[max, ...describeWait(options)].join(', ')})`;
    const show = (answer: readonly Delivery<Data>[]): string =>
      answer.length === 0 ? 'nothing' : answer.map((delivery) => this.#describe(delivery)).join(' ');
    const answered = this.#call(what, () => this.raw.popMany(max, options), show, this.#limit(options));
    return awaited(answered.then((deliveries) => deliveries.map((delivery) => this.#observe(delivery))));
  }

  size(): Promise<QueueSize> {
    const show = ({ ready, inFlight, delayed }: QueueSize): string => `${ready}/${inFlight}/${delayed}`;
    return this.#call('size()', () => this.raw.size(), show);
  }

  rewind(position: RewindPosition): Promise<void> {
    return this.#call(
      'rewind()',
      () => this.raw.rewind(position),
      () => 'done',
    );
  }

  close(options?: CloseOptions): Promise<CloseReport> {
    const { closeMs } = this.#observer.timing;
    const limit = (options?.drainMs ?? 0) + closeMs;
    const show = ({ returned, abandoned }: CloseReport): string => `${returned} returned, ${abandoned} abandoned`;
    return this.#call('close()', () => this.raw.close(options), show, limit);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { closeMs } = this.#observer.timing;
    await this.#call(
      'dispose',
      () => this.raw[Symbol.asyncDispose](),
      () => 'done',
      closeMs,
    );
  }

  [Symbol.asyncIterator](): AsyncIterator<Delivery<Data>> {
    return deliveriesOf<Data>(this);
  }

  #observe(delivery: Delivery<Data>): Delivery<Data> {
    this.#observer.received(delivery.event);
    return new ObservedDelivery(
      delivery,
      (what, call) => this.#call(what, call, () => 'done'),
      this.#nameOf(delivery.event),
    );
  }

  #nameOf(event: { readonly id?: string | undefined } | undefined): string {
    const id: unknown = event?.id;
    return typeof id === 'string' ? this.#observer.journal.nameOf(id) : 'an event without an id';
  }

  #describe(delivery: Delivery<Data> | undefined): string {
    return delivery === undefined ? 'nothing' : `${this.#nameOf(delivery.event)} (attempt ${delivery.attempt})`;
  }

  /** How long a call with `options` may take; `Infinity` if it may wait for ever. */
  #limit(options: WaitOptions | undefined): number {
    const timeoutMs: unknown = options?.timeoutMs ?? Infinity;
    // What is no time is refused at once.
    return (typeof timeoutMs === 'number' && timeoutMs > 0 ? timeoutMs : 0) + this.#observer.timing.patienceMs;
  }

  #call<Result>(
    what: string,
    call: () => Promise<Result>,
    show: (result: Result) => string,
    limitMs: number = this.#observer.timing.patienceMs,
  ): Promise<Result> {
    const { journal } = this.#observer;
    const named = `${this.name}.${what}`;
    const end = journal.begin(named);
    const answered = (async () => {
      try {
        const result = await call();
        end(show(result));
        return result;
      } catch (error) {
        end(error instanceof Violation ? error.message : `rejects ${describeError(error)}`);
        this.#observer.rejected(named, error);
        throw error;
      }
    })();
    if (!(limitMs < Infinity)) return awaited(answered);
    return awaited(this.#observer.within(awaited(answered), named, limitMs));
  }
}

/** A delivery as a rule sees it. */
class ObservedDelivery<Data> implements Delivery<Data> {
  readonly #delivery: Delivery<Data>;
  readonly #call: (what: string, call: () => Promise<void>) => Promise<void>;
  readonly #name: string;

  constructor(
    delivery: Delivery<Data>,
    call: (what: string, call: () => Promise<void>) => Promise<void>,
    name: string,
  ) {
    this.#delivery = delivery;
    this.#call = call;
    this.#name = `${name}#${delivery.attempt}`;
  }

  get event(): QueueEvent<Data> {
    return this.#delivery.event;
  }

  get attempt(): number {
    return this.#delivery.attempt;
  }

  get waitedMs(): number | undefined {
    return this.#delivery.waitedMs;
  }

  get signal(): AbortSignal {
    return this.#delivery.signal;
  }

  ack(): Promise<void> {
    return this.#call(`ack(${this.#name})`, () => this.#delivery.ack());
  }

  nack(options?: NackOptions): Promise<void> {
    const how = options === undefined ? '' : `, ${Object.keys(options).join(', ')}`;
    return this.#call(`nack(${this.#name}${how})`, () => this.#delivery.nack(options));
  }

  extend(ms: number): Promise<void> {
    return this.#call(`extend(${this.#name}, ${ms})`, () => this.#delivery.extend(ms));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#call(`dispose(${this.#name})`, () => this.#delivery[Symbol.asyncDispose]());
  }
}

/** Rules also pass what is no option at all. */
function describeWait(options: unknown): string[] {
  if (options === undefined) return [];
  if (typeof options !== 'object' || options === null) return [describe(options)];
  const { timeoutMs, signal } = options as WaitOptions;
  return [
    ...(timeoutMs === undefined ? [] : [`${describe(timeoutMs)} ms`]),
    ...(signal === undefined ? [] : ['signal']),
  ];
}

/** The rule decides when it looks at an answer: until then, nobody has forgotten a rejection. */
function awaited<Result>(answer: Promise<Result>): Promise<Result> {
  answer.catch(() => {});
  return answer;
}
