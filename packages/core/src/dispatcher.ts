import { checkCount, checkFunction, checkMs, checkOptions, checkWaiting, describe } from './check.ts';
import {
  type DispatcherCounters,
  type DispatcherOptions,
  resolveDispatcherOptions,
  type ResolvedOptions,
} from './dispatcher-options.ts';
import type {
  Dispatcher,
  DispatcherStats,
  DispatchInput,
  DispatchResult,
  EventMap,
  StopOptions,
  StopReport,
} from './dispatcher-types.ts';
import { isNqError, NqError } from './errors.ts';
import { createEvent, type EventInput, type QueueEvent } from './event.ts';
import { type Handler, Handlers, type Middleware } from './handler.ts';
import { Histogram } from './histogram.ts';
import { InlineDelivery } from './inline-delivery.ts';
import { type Intake, PullingIntake, SynchronousIntake } from './intake.ts';
import { isSynchronousQueue, type MessageQueue, type SynchronousQueue, type WaitOptions } from './queue.ts';
import { openQueue, parseConfig, type QueueConfig } from './registry.ts';
import { checkData } from './schema.ts';
import { Settlement } from './settlement.ts';
import { Workers } from './workers.ts';

/**
 * Where a dispatcher gets its events from: a channel of so many events, a queue of yours, a queue named as in a
 * configuration file, or the same as a URL. A queue of yours is never closed; one that is named is opened by the first
 * `start()` or `dispatch()`, and closed by `stop()`.
 */
export type DispatcherSource = number | string | QueueConfig | { readonly queue: MessageQueue };

/**
 * A dispatcher on the queue that `source` gives or names. Nothing is opened yet.
 *
 * @throws {TypeError} {RangeError} naming the option or the part of `source` that is wrong.
 * @throws {NqError} `NQ_CONFIG` if `source` is wrong whatever the type of the queue.
 */
export function createDispatcher<Events extends EventMap = Record<string, unknown>>(
  source: DispatcherSource,
  options: DispatcherOptions = {},
): Dispatcher<Events> {
  return new QueueDispatcher(readSource(source), resolveDispatcherOptions(options)) as unknown as Dispatcher<Events>;
}

const queued: Promise<DispatchResult> = Promise.resolve('queued');
const toQueued = (): DispatchResult => 'queued';
/** How often `drop-oldest` makes room: others may take it each time, and then the event is refused. */
const dropTries = 10;
/** How often `drain()` looks at a queue in which nothing happens here, in milliseconds. */
const drainPollMs = 20;

type Source = { readonly queue: MessageQueue } | { readonly config: string | QueueConfig };

function readSource(source: DispatcherSource): Source {
  if (typeof source === 'number') {
    checkCount('Cannot create a dispatcher', 'capacity', source, 0, Infinity);
    return { config: { type: 'channel', bufferSize: source } };
  }
  if (typeof source === 'string') return (parseConfig(source), { config: source });
  if (typeof source !== 'object' || source === null) {
    throw new TypeError(
      `Cannot create a dispatcher: expected a capacity, a URL, { type } or { queue }, got ${describe(source)}`,
    );
  }
  if (!('queue' in source)) return (parseConfig(source), { config: { ...source } });
  checkOptions('Cannot create a dispatcher', source, ['queue']);
  if (typeof (source.queue as Partial<MessageQueue> | undefined)?.popMany !== 'function') {
    throw new TypeError(`Cannot create a dispatcher: queue must be a MessageQueue, got ${describe(source.queue)}`);
  }
  return { queue: source.queue };
}

/** What works on one opened queue, from the first `start()` or `dispatch()` to `stop()`. */
interface Engine {
  readonly queue: MessageQueue;
  /** The queue again, if its synchronous side can be used. */
  readonly synchronous: SynchronousQueue | undefined;
  readonly workers: Workers;
}

class QueueDispatcher implements Dispatcher {
  readonly #source: Source;
  readonly #options: ResolvedOptions;
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
  #opening: Promise<Engine> | undefined;
  #intake: Intake | undefined;
  #stopping: Promise<StopReport> | undefined;

  constructor(source: Source, options: ResolvedOptions) {
    this.#source = source;
    this.#options = options;
    this.#handlers = new Handlers(options.schemas);
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
    await this.#stopping;
    this.#stopping = undefined;
    const engine = this.#engine ?? (await this.#open());
    engine.workers.limit = workers;
    if (this.#intake === undefined) this.#intake = this.#makeIntake(engine);
    else this.#intake.resume();
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
    const { timeoutMs = Infinity, signal } = options;
    const { clock } = this.#options;
    const { queue, workers } = this.#engine ?? (await this.#open());
    const deadline = clock.now() + timeoutMs;
    for (;;) {
      signal?.throwIfAborted();
      const { ready, inFlight, delayed } = await queue.size();
      if (ready + inFlight + delayed === 0 && workers.idle) return;
      if (clock.now() >= deadline) {
        throw new NqError(
          'NQ_TIMEOUT',
          `Cannot drain: ${ready + inFlight + delayed} events are left after ${timeoutMs} ms`,
        );
      }
      const pauseMs = Math.min(drainPollMs, deadline - clock.now());
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
    const size = await engine?.queue.size().catch((error: unknown) => {
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
    return (this.#engine ?? (await this.#open())).queue;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  // --- the engine

  /** Opens the named queue, once at a time; a failure is told to everybody who waits, and the next call tries again. */
  #open(): Promise<Engine> {
    const { config } = this.#source as { config: string | QueueConfig };
    this.#opening ??= openQueue(config)
      .then((queue) => (this.#engine = this.#makeEngine(queue)))
      .finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  #makeEngine(queue: MessageQueue): Engine {
    const { plan, clock, report, deadLetterQueue, handlerTimeoutMs, sampleEvery } = this.#options;
    const counters = this.#counters;
    const settlement = new Settlement({
      queue,
      plan,
      deadLetterQueue,
      clock,
      counters,
      report,
      onSettled: () => workers.changed(),
    });
    const workers: Workers = new Workers({
      handlers: this.#handlers,
      settlement,
      plan,
      clock,
      lease: queue.capabilities.lease,
      handlerTimeoutMs,
      sampleEvery,
      timeInQueueMs: this.#timeInQueueMs,
      handlerMs: this.#handlerMs,
      counters,
      report,
      onFree: () => this.#intake?.resume(),
    });
    // With capacity 0 an event passes from a waiting push to a waiting pop; the synchronous side never waits.
    const synchronous = queue.capacity > 0 && isSynchronousQueue(queue) ? queue : undefined;
    return { queue, synchronous, workers };
  }

  #makeIntake({ queue, synchronous, workers }: Engine): Intake {
    const { clock, report } = this.#options;
    return synchronous === undefined
      ? new PullingIntake(queue, workers, clock, report)
      : new SynchronousIntake(synchronous, workers);
  }

  // --- dispatching

  /** For the first event, which opens the queue, and for events with a schema. */
  async #dispatchLater(input: EventInput, options: WaitOptions | undefined): Promise<DispatchResult> {
    if (this.#stopping !== undefined) throw new NqError('NQ_STOPPED', 'Cannot dispatch: the dispatcher is stopped');
    const event = createEvent(input, this.#options.clock);
    const schema = this.#handlers.schemas.get(event.type);
    if (schema !== undefined) await checkData(schema, event.type, event.data);
    return this.#offer(this.#engine ?? (await this.#open()), event, options);
  }

  #offer(engine: Engine, event: EventInput, options: WaitOptions | undefined): Promise<DispatchResult> {
    if (this.#options.onFull !== 'wait') return this.#offerOnce(engine, event, options);
    if (engine.synchronous === undefined) return engine.queue.push(event, options).then(toQueued);
    const waiting = engine.synchronous.offer(event, options);
    return waiting === undefined ? queued : waiting.then(toQueued);
  }

  async #offerOnce(engine: Engine, input: EventInput, options: WaitOptions = {}): Promise<DispatchResult> {
    const { onFull, clock } = this.#options;
    const event = createEvent(input, clock);
    const limits = { timeoutMs: options.timeoutMs ?? 0, signal: options.signal };
    for (let tries = 1; ; tries++) {
      try {
        await engine.queue.push(event, limits);
        return 'queued';
      } catch (error) {
        if (!isNqError(error, 'NQ_FULL') && !isNqError(error, 'NQ_TIMEOUT')) throw error;
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
    await oldest.ack();
    this.#drop(oldest.event);
  }

  #runInline({ workers }: Engine, event: QueueEvent): Promise<DispatchResult> {
    const delivery = new InlineDelivery(event);
    this.#counters.ranInline++;
    workers.start(delivery, false);
    return delivery.settled;
  }

  // --- stopping

  async #stop(deadlineMs: number): Promise<StopReport> {
    const byHandler = this.#engine?.workers.stopCalled() ?? false;
    const engine = this.#engine ?? (await this.#opening?.catch(() => undefined));
    if (engine === undefined) return Object.freeze({ completed: 0, returned: 0, abandoned: 0 });
    const { handled } = this.#counters;
    const intake = this.#intake;
    this.#intake = undefined;
    await intake?.stop();
    const left = await engine.workers.finish(deadlineMs);
    const completed = this.#counters.handled - handled;
    if (!byHandler) {
      const gone = await this.#letGo(engine);
      // What was given back to a queue that is gone by now is among what is gone with it.
      const returned = gone === undefined ? left.returned : 0;
      return Object.freeze({ completed, returned, abandoned: left.abandoned + (gone ?? 0) });
    }
    // The handler that called us gets its answer first, so that it can end; then its event is settled, then we close.
    void engine.workers.until(() => engine.workers.idle, deadlineMs).then(() => this.#letGo(engine));
    return Object.freeze({ completed, ...left });
  }

  /** Closes what the dispatcher opened itself. @returns how many events are gone with it, if it keeps nothing. */
  async #letGo({ queue, workers }: Engine): Promise<number | undefined> {
    workers.close();
    if ('queue' in this.#source) return undefined;
    this.#engine = undefined;
    const { abandoned } = await queue.close();
    return queue.capabilities.durable === 'none' ? abandoned : undefined;
  }
}
