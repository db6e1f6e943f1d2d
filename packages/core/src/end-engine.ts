import { within } from './bounded.ts';
import { keepsNothing } from './capabilities.ts';
import type { Clock } from './clock.ts';
import type { DispatcherCounters, ReportError } from './dispatcher-options.ts';
import type { StopReport } from './dispatcher-types.ts';
import type { Engine } from './engine.ts';
import { NqError } from './errors.ts';
import type { QueueEvent } from './event.ts';
import { goneWith } from './gone-with.ts';
import type { CloseReport, MessageQueue } from './queue.ts';
import type { LeftOver } from './workers.ts';

/** How an engine is ended. */
interface EngineEnd {
  readonly deadlineMs: number;
  /** Whether a handler has called `stop()`: it waits for the report, and ends only after that. */
  readonly byHandler: boolean;
  /** Whether the dispatcher has opened the queue, and therefore closes it. */
  readonly ownsQueue: boolean;
  readonly counters: DispatcherCounters;
  readonly clock: Clock;
  readonly report: ReportError;
}

/** How long the queue may take to end the pop that is under way, and to count what it holds, in milliseconds. */
const queueMs = 1000;

/** Takes nothing any more, lets handlers end, gives the rest back and lets go of the queue. @returns what became of the events. */
export async function endEngine({ queue, workers, intake }: Engine, end: EngineEnd): Promise<StopReport> {
  const { deadlineMs, byHandler, ownsQueue, counters, clock, report } = end;
  const { handled } = counters;
  const notStarted = intake === undefined ? [] : await within(intake.stop(), queueMs, [], clock);
  const left = await workers.finish(deadlineMs, notStarted);
  const completed = counters.handled - handled;
  if (!byHandler) {
    workers.close();
    return Object.freeze({ completed, ...(ownsQueue ? await close(queue, left) : kept(left)) });
  }
  // The handler that called us gets its answer first, so that it can end. Then its event is settled, and then we close;
  // what is gone with the queue is therefore counted before.
  const gone = ownsQueue && keepsNothing(queue.capabilities) ? await goneWith(queue, queueMs, clock) : undefined;
  const reported = gone === undefined ? kept(left) : lost(left, gone);
  const closing = async (): Promise<void> => {
    await workers.until(() => workers.idle, deadlineMs);
    workers.close();
    if (!ownsQueue) return;
    const closed = await close(queue, left);
    if (left.stopper === undefined || gone?.events === undefined || gone.deadLetters === undefined) return;
    const more = closed.abandoned + closed.deadLetters > reported.abandoned + reported.deadLetters;
    if (more) report(eventGone(left.stopper), { during: 'settle', event: left.stopper });
  };
  closing().catch((error: unknown) => report(error, { during: 'settle' }));
  return Object.freeze({ completed, ...reported });
}

/** What the report says of a queue that stays, or that keeps what it holds. */
function kept({ returned, abandoned }: LeftOver): CloseReport {
  return { returned, abandoned, deadLetters: 0 };
}

/** The same of a queue that will be gone with all it holds: also with what went back to it. */
function lost({ returned, abandoned }: LeftOver, gone: Awaited<ReturnType<typeof goneWith>>): CloseReport {
  const { events = returned, deadLetters = 0 } = gone;
  return { returned: 0, abandoned: abandoned + events, deadLetters };
}

/** Closes the queue. @returns what has become of its events, with those that went back to it before. */
async function close(queue: MessageQueue, left: LeftOver): Promise<CloseReport> {
  // Who implements MessageQueue without the types may leave the last one out.
  const { returned, abandoned, deadLetters = 0 } = await queue.close();
  // Closing counts once more what is still open, and what went back before if the queue keeps nothing.
  return { returned: keepsNothing(queue.capabilities) ? returned : left.returned + returned, abandoned, deadLetters };
}

function eventGone({ id }: QueueEvent): NqError {
  const why = 'its handler called stop(), and it was not done in the end';
  return new NqError('NQ_STOPPED', `Event ${JSON.stringify(id)} is gone with the queue: ${why}`);
}
