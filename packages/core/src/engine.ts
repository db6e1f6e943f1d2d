import { AckOrder } from './ack-order.ts';
import type { Capabilities } from './capabilities.ts';
import type { DispatcherCounters, ResolvedOptions } from './dispatcher-options.ts';
import { NqError } from './errors.ts';
import type { HandlerStack } from './handler-stack.ts';
import type { Handlers } from './handler.ts';
import type { Histogram } from './histogram.ts';
import { type Intake, PullingIntake, SynchronousIntake } from './intake.ts';
import { isSynchronousQueue, type MessageQueue, type SynchronousQueue } from './queue.ts';
import { Settlement } from './settlement.ts';
import { Workers } from './workers.ts';

/** What works on an opened queue, from the first `start()` or `dispatch()` to `stop()`. The next start makes a new one. */
export interface Engine {
  readonly queue: MessageQueue;
  /** The queue again, if its synchronous side can be used. */
  readonly synchronous: SynchronousQueue | undefined;
  readonly workers: Workers;
  /** Takes deliveries, once {@link Engine.pull} was called. */
  readonly intake: Intake | undefined;
  /** Begins to take deliveries, or goes on if there are more workers by now. */
  pull(): void;
}

/** What all engines of a dispatcher share. */
interface EngineParts {
  readonly options: ResolvedOptions;
  readonly stack: HandlerStack;
  readonly handlers: Handlers;
  readonly counters: DispatcherCounters;
  readonly timeInQueueMs: Histogram;
  readonly handlerMs: Histogram;
}

/**
 * An engine on `queue`, without any workers yet.
 *
 * @throws {NqError} `NQ_CONFIG` if the options ask for what cannot be done with such a queue.
 */
export function makeEngine(queue: MessageQueue, { options, counters, ...parts }: EngineParts): Engine {
  const { plan, clock, report, deadLetterQueue, handlerTimeoutMs, sampleEvery } = options;
  if (options.onFull === 'drop-oldest') checkDropping(queue.capabilities);
  const ackOrder = queue.capabilities.ack === 'cumulative' ? new AckOrder() : undefined;
  let intake: Intake | undefined;
  const settlement = new Settlement({
    queue,
    plan,
    deadLetterQueue,
    ackOrder,
    clock,
    counters,
    report,
    onSettled: () => workers.changed(),
    onUnattended: () => workers.startBeat(),
  });
  const workers: Workers = new Workers({
    ...parts,
    settlement,
    plan,
    clock,
    lease: queue.capabilities.lease,
    ackOrder,
    handlerTimeoutMs,
    sampleEvery,
    counters,
    report,
    onFree: () => intake?.resume(),
  });
  // With capacity 0 an event passes from a waiting push to a waiting pop; the synchronous side never waits.
  const synchronous = queue.capacity > 0 && isSynchronousQueue(queue) ? queue : undefined;
  return {
    queue,
    synchronous,
    workers,
    get intake() {
      return intake;
    },
    pull() {
      if (intake !== undefined) intake.resume();
      else if (synchronous !== undefined) intake = new SynchronousIntake(synchronous, workers);
      else intake = new PullingIntake(queue, workers, clock, report);
    },
  };
}

/** @throws {NqError} `NQ_CONFIG` if making room would do harm, or make none. */
function checkDropping({ ack, capacity }: Capabilities): void {
  const needs = "Cannot dispatch: onFull: 'drop-oldest' needs a queue with";
  if (ack === 'cumulative') {
    throw new NqError(
      'NQ_CONFIG',
      `${needs} ack: 'individual'; here, dropping an event would acknowledge those before it`,
    );
  }
  if (capacity === 'none') {
    throw new NqError('NQ_CONFIG', `${needs} capacity: 'hard'; here, dropping an event that it has makes no room`);
  }
}
