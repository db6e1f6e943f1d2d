import { inTime } from './bounded.ts';
import { checkCount, checkFunction, checkMs, checkOptions, checkWaiting, describe } from './check.ts';
import { dispatchRefusal } from './dispatch-refusal.ts';
import {
  type DispatcherCounters,
  type DispatcherOptions,
  resolveDispatcherOptions,
  type ResolvedOptions,
} from './dispatcher-options.ts';
import { type DispatcherSource, readSource, type Source } from './dispatcher-source.ts';
import type {
  Dispatcher,
  DispatcherStats,
  DispatchInput,
  DispatchResult,
  EventMap,
  StopOptions,
  StopReport,
} from './dispatcher-types.ts';
import { endEngine } from './end-engine.ts';
import { type Engine, makeEngine } from './engine.ts';
import { isNqError, NqError } from './errors.ts';
import { checkEvent, completeEvent, type EventInput, type QueueEvent } from './event.ts';
import { HandlerStack } from './handler-stack.ts';
import { type Handler, Handlers, type Middleware } from './handler.ts';
import { Histogram } from './histogram.ts';
import { InlineDelivery } from './inline-delivery.ts';
import { Opening } from './opening.ts';
import type { MessageQueue, WaitOptions } from './queue.ts';
import { openQueue, type QueueConfig } from './registry.ts';
import { checkData } from './schema.ts';

/**
 * A dispatcher on the queue that `source` gives or names. Nothing is opened yet.
 *
 * @throws {TypeError} {RangeError} naming the option or the part of `source` that is wrong.
 * @throws {NqError} `NQ_CONFIG` if `source` is wrong whatever the type of the queue.
 */
export function createDispatcher<Events extends EventMap = Record<string, unknown>>(
  source: DispatcherSource,
  options: DispatcherOptions<NoInfer<Events>> = {},
): Dispatcher<Events> {
  return new QueueDispatcher(
    readSource(source),
    resolveDispatcherOptions(options as DispatcherOptions),
  ) as unknown as Dispatcher<Events>;
}

const queued: Promise<DispatchResult> = Promise.resolve('queued');
const toQueued = (): DispatchResult => 'queued';
/** How often `drop-oldest` makes room: others may take it each time, and then the event is refused. */
const dropTries = 10;
/** How often `drain()` looks at a queue in which nothing happens here, in milliseconds. */
const drainPollMs = 20;
/** How long a queue takes for an answer at the most that is in good health, in milliseconds. */
const answerMs = 1000;

/** `WaitOptions` with nothing left out. */
interface Limits {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

class QueueDispatcher implements Dispatcher {
  readonly #source: Source;
  readonly #options: ResolvedOptions;
  readonly #stack = new HandlerStack();
  readonly #handlers: Handlers;
  readonly #checksData: boolean;
  readonly #timeInQueueMs = new Histogram();
  readonly #handlerMs = new Histogram();
  readonly #counters: DispatcherCounters = {
    handled: 0,
    failed: 0,
    timedOut: 0,
    retried: 0,
    deadLettered: 0,
    kept: 0,
    unknownType: 0,
    unsettled: 0,
    dropped: 0,
    ranInline: 0,
  };
  #engine: Engine | undefined;
  #opening: Opening | undefined;
  /** The stop that is under way, or that was the last thing that happened. */
  #stopping: Promise<StopReport> | undefined;

  constructor(source: Source, options: ResolvedOptions) {
    this.#source = source;
    this.#options = options;
    this.#handlers = new Handlers(this.#stack, options.schemas);
    this.#checksData = this.#handlers.schemas.size > 0;
    if ('queue' in source) this.#engine = this.#makeEngine(source.queue);
  }

  on(type: string, handler: Handler<never, never>): () => void {
    if (typeof type !== 'string' || type === '') {
      throw new TypeError(`Cannot register a handler: type must be a non-empty string, got ${describe(type)}`);
    }
    checkFunction('Cannot register a handler', 'handler', handler);
    return this.#handlers.add(type, handler as Handler);
  }

  onUnknownType(handler: Handler): () => void {
    checkFunction('Cannot register a handler', 'handler', handler);
    return this.#handlers.addForUnknown(handler);
  }

  use(middleware: Middleware): void {
    checkFunction('Cannot use', 'middleware', middleware);
    this.#handlers.use(middleware);
  }

  async start(workers = 1): Promise<void> {
    checkCount('Cannot start', 'workers', workers, 1);
    const stopping = this.#stopping;
    if (stopping !== undefined) {
      await stopping;
      // Whoever stopped again meanwhile has the last word; whoever started again has done it for us.
      if (this.#stopping === stopping) this.#stopping = undefined;
    }
    // It does not matter to start() that the dispatcher is stopped, only that it was stopped again since.
    const engine = await this.#use('start', 'was stopped meanwhile');
    // Also while the answer was on its way to here: an engine that is ended must not take anything any more.
    if (engine !== this.#engine) throw stopped('start', 'was stopped meanwhile');
    engine.workers.limit = workers;
    engine.pull();
  }

  dispatch(event: DispatchInput<Record<string, unknown>>, options?: WaitOptions): Promise<DispatchResult> {
    const engine = this.#engine;
    if (engine === undefined || this.#stopping !== undefined || this.#checksData) {
      return this.#dispatchLater(event, options);
    }
    return this.#offer(engine, event, options);
  }

  async drain(options: WaitOptions = {}): Promise<void> {
    checkWaiting('Cannot drain', options);
    const { clock } = this.#options;
    const left = this.#countDown(options);
    const engine = await inTime(this.#use('drain'), left(), 'Cannot drain: the queue is not open', clock);
    const { queue, workers } = engine;
    if (engine.intake === undefined)
      process.emitWarning('drain() waits, but the dispatcher is not started', 'NqWarning');
    let events: number | undefined;
    for (;;) {
      const limits = left();
      // That there is no time left for an answer says nothing of the queue.
      const isHasty = events !== undefined && limits.timeoutMs < answerMs;
      const why = isHasty ? `${events} events are left` : 'the queue does not answer';
      const { ready, inFlight, delayed } = await inTime(queue.size(), limits, `Cannot drain: ${why}`, clock);
      events = ready + inFlight + delayed;
      if (events === 0 && workers.idle) return;
      const { timeoutMs, signal } = left();
      signal?.throwIfAborted();
      if (timeoutMs === 0) throw new NqError('NQ_TIMEOUT', `Cannot drain: ${events} events are left`);
      const pauseMs = Math.min(drainPollMs, timeoutMs);
      // Asking the queue after every event would cost more than the event.
      if (workers.idle) await workers.nextChange(pauseMs);
      else await workers.until(() => workers.idle, pauseMs);
    }
  }

  stop(options: StopOptions = {}): Promise<StopReport> {
    try {
      checkOptions('Cannot stop', options, ['deadlineMs']);
      const { deadlineMs = 10_000 } = options;
      checkMs('Cannot stop', 'deadlineMs', deadlineMs);
      this.#stopping ??= this.#stop(deadlineMs);
      return this.#stopping;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async stats(): Promise<DispatcherStats> {
    const engine = this.#engine;
    const queue = 'queue' in this.#source ? this.#source.queue : engine?.queue;
    const size = await queue?.size().catch((error: unknown) => {
      // A closed queue holds nothing for us any more; everything else is the caller's business.
      if (isNqError(error, 'NQ_CLOSED')) return undefined;
      throw error;
    });
    const { ready, inFlight, delayed } = size ?? { ready: 0, inFlight: 0, delayed: 0 };
    return {
      ...this.#counters,
      ready,
      inFlight,
      delayed,
      running: engine?.workers.running ?? 0,
      workers: engine?.workers.limit ?? 0,
      timeInQueueMs: this.#timeInQueueMs.snapshot(),
      handlerMs: this.#handlerMs.snapshot(),
    };
  }

  async queue(): Promise<MessageQueue> {
    return 'queue' in this.#source ? this.#source.queue : (await this.#use('give the queue')).queue;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  // --- the engine

  /** The engine, opened if needed. @throws {NqError} `NQ_STOPPED` if the dispatcher is stopped, or was meanwhile. */
  async #use(verb: string, how?: string): Promise<Engine> {
    this.#refuseIfStopped(verb, how);
    const engine = this.#engine ?? (await this.#open());
    // A stop() takes the engine away, and has what is still being opened for it belong to nobody.
    if (engine === undefined || engine !== this.#engine) throw stopped(verb, 'was stopped meanwhile');
    return engine;
  }

  /** Opens the queue, once at a time; a failure is told to everybody who waits, and the next call tries again. */
  async #open(): Promise<Engine | undefined> {
    const source = this.#source;
    if ('queue' in source) return (this.#engine = this.#makeEngine(source.queue));
    this.#opening ??= new Opening(this.#openEngine(source.config));
    const opening = this.#opening;
    try {
      const engine = await opening.engine;
      // The first of those who wait notes it, unless stop() has come in between.
      if (this.#opening === opening) this.#engine = engine;
      return engine;
    } finally {
      if (this.#opening === opening) this.#opening = undefined;
    }
  }

  async #openEngine(config: string | QueueConfig): Promise<Engine> {
    const queue = await openQueue(config);
    try {
      return this.#makeEngine(queue);
    } catch (error) {
      await queue.close();
      throw error;
    }
  }

  #refuseIfStopped(verb: string, how = 'is stopped'): void {
    if (this.#stopping !== undefined) throw stopped(verb, how);
  }

  #makeEngine(queue: MessageQueue): Engine {
    return makeEngine(queue, {
      options: this.#options,
      stack: this.#stack,
      handlers: this.#handlers,
      counters: this.#counters,
      timeInQueueMs: this.#timeInQueueMs,
      handlerMs: this.#handlerMs,
    });
  }

  // --- dispatching

  /** For the first event, which opens the queue, and for events with a schema. */
  async #dispatchLater(input: EventInput, options: WaitOptions = {}): Promise<DispatchResult> {
    this.#refuseIfStopped('dispatch');
    // The event first: who writes dispatch(type, data) is not to be told of options.
    checkEvent(input, 'dispatch');
    checkWaiting('Cannot dispatch', options);
    options.signal?.throwIfAborted();
    const { clock } = this.#options;
    const left = this.#countDown(options);
    const event = completeEvent(input, clock);
    const schema = this.#handlers.schemas.get(event.type);
    if (schema !== undefined) {
      const checked = checkData(schema, event.type, event.data);
      await inTime(checked, left(), 'Cannot dispatch: the schema has not answered in time', clock);
    }
    const engine = await inTime(this.#use('dispatch'), left(), 'Cannot dispatch: the queue is not open', clock);
    return this.#offer(engine, event, options.timeoutMs === undefined ? options : left());
  }

  #offer(engine: Engine, event: EventInput, options: WaitOptions | undefined): Promise<DispatchResult> {
    if (this.#options.onFull !== 'wait') return this.#offerOnce(engine, event, options);
    const waiting =
      engine.synchronous === undefined ? engine.queue.push(event, options) : engine.synchronous.offer(event, options);
    return waiting === undefined ? queued : this.#whenQueued(waiting, engine, event, options);
  }

  #whenQueued(
    waiting: Promise<void>,
    engine: Engine,
    event: EventInput,
    options: WaitOptions | undefined,
  ): Promise<DispatchResult> {
    return waiting.then(toQueued, (error: unknown) => {
      throw this.#refusal(error, engine, event, options);
    });
  }

  /** What `dispatch()` rejects with when `engine` has not taken its event because of `error`. */
  #refusal(error: unknown, engine: Engine, event: EventInput, options: WaitOptions | undefined): unknown {
    const isStopped = this.#ownsQueue && this.#engine !== engine;
    return dispatchRefusal(error, { event, options, isStarted: engine.intake !== undefined, isStopped });
  }

  async #offerOnce(engine: Engine, input: EventInput, options: WaitOptions = {}): Promise<DispatchResult> {
    checkEvent(input, 'dispatch');
    checkWaiting('Cannot dispatch', options);
    const event = completeEvent(input, this.#options.clock);
    try {
      return await this.#offerOrElse(engine, event, options);
    } catch (error) {
      throw this.#refusal(error, engine, event, options);
    }
  }

  async #offerOrElse(
    engine: Engine,
    event: QueueEvent,
    { timeoutMs = 0, signal }: WaitOptions,
  ): Promise<DispatchResult> {
    const { onFull } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        // Its time is waited for once: after that there is room at once, or somebody else was faster.
        await engine.queue.push(event, { timeoutMs: tries === 1 ? timeoutMs : 0, signal });
        return 'queued';
      } catch (error) {
        if (!isNqError(error, 'NQ_FULL') && !isNqError(error, 'NQ_TIMEOUT')) throw error;
        if (engine !== this.#engine) throw stopped('dispatch', 'was stopped meanwhile');
        if (onFull === 'run-inline') return this.#runInline(engine, event);
        if (onFull === 'drop-newest') return this.#drop(event);
        if (onFull !== 'drop-oldest' || tries > dropTries) throw error;
        await this.#dropOldest(engine);
      }
    }
  }

  #drop(event: QueueEvent): DispatchResult {
    this.#counters.dropped++;
    this.#options.onDrop(event);
    return 'dropped';
  }

  async #dropOldest({ queue }: Engine): Promise<void> {
    const oldest = await queue.pop({ timeoutMs: 0 });
    if (oldest === undefined) return;
    try {
      await oldest.ack();
    } catch (error) {
      if (isNqError(error, 'NQ_CLOSED')) throw error;
      // It is no failure of the event that is dispatched.
      this.#options.report(error, { during: 'settle', event: oldest.event });
      // Of what may be gone somebody has to hear.
      if (!isNqError(error, 'NQ_OUTCOME_UNKNOWN')) return;
    }
    this.#drop(oldest.event);
  }

  #runInline({ workers }: Engine, event: QueueEvent): Promise<DispatchResult> {
    const delivery = new InlineDelivery(event);
    this.#counters.ranInline++;
    workers.start(delivery, false);
    return delivery.settled;
  }

  /** What is left of the time of `options` whenever it is asked. */
  #countDown({ timeoutMs = Infinity, signal }: WaitOptions): () => Limits {
    const { clock } = this.#options;
    const deadline = clock.now() + timeoutMs;
    return () => ({ timeoutMs: timeoutMs === Infinity ? Infinity : Math.max(0, deadline - clock.now()), signal });
  }

  // --- stopping

  async #stop(deadlineMs: number): Promise<StopReport> {
    const byHandler = this.#stack.stopCalled();
    const { clock, report } = this.#options;
    // Whoever starts again opens anew and gets a new engine, so that these can end in peace.
    const opening = this.#opening;
    this.#opening = undefined;
    const onError = (error: unknown): void => report(error, { during: 'settle' });
    const engine = this.#engine ?? (await opening?.end(deadlineMs, clock, onError));
    this.#engine = undefined;
    if (engine === undefined) return Object.freeze({ completed: 0, returned: 0, abandoned: 0, deadLetters: 0 });
    const counters = this.#counters;
    return endEngine(engine, { deadlineMs, byHandler, ownsQueue: this.#ownsQueue, counters, clock, report });
  }

  /** Whether the dispatcher opens its queue itself, and closes it. */
  get #ownsQueue(): boolean {
    return !('queue' in this.#source);
  }
}

function stopped(verb: string, how: string): NqError {
  return new NqError('NQ_STOPPED', `Cannot ${verb}: the dispatcher ${how}`);
}
