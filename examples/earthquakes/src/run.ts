import { createDispatcher, type ErrorContext, isNqError } from '@nq/core';
import type { Arguments } from './arguments.ts';
import { AuditLog } from './audit-log.ts';
import { dispatchLines } from './dispatch-lines.ts';
import type { Events } from './events.ts';
import { Failure } from './failure.ts';
import { registerHandlers } from './handlers.ts';
import { openInput } from './input.ts';
import { OncePerEvent } from './once.ts';
import { createProgress, type Progress } from './progress.ts';
import { countDead, countLeft, listDead, sizeOf } from './queue-counts.ts';
import { Results } from './results.ts';
import { retry } from './retry.ts';
import { shownDeadLetters, type Summary, summarize } from './summary.ts';

/** How long handlers may go on after a signal or an error, in milliseconds. */
const stopDeadlineMs = 2000;

/**
 * Reads the input, dispatches its events, and waits until each of them is handled or a dead letter.
 *
 * @param ending ends the run early, after the events in hand were finished. Its reason is the name of a signal, or an
 * error, also of the run itself.
 * @throws {Failure} if the run cannot begin. @throws the reason of `ending` if that comes before it has begun. What
 * happens later is told in the summary.
 */
export async function run(args: Arguments, ending: AbortController, env: NodeJS.ProcessEnv): Promise<Summary> {
  const { signal } = ending;
  let progress: Progress | undefined;
  const onError = (error: unknown, { during }: ErrorContext): void => {
    // A failed handler is no news here: the report counts it. An event that cannot be given up would be kept for ever.
    if (during === 'dead-letter') ending.abort(error);
    else if (during !== 'handle') progress?.say(`${during}: ${messageOf(error)}`);
  };

  // Whatever goes wrong from here on, the dispatcher is stopped, and closes the queue that it opened.
  await using dispatcher = await orFailure(() =>
    createDispatcher<Events>(args.queue, { retry, sampleEvery: 1, onError }),
  );
  const input = await openInput(args.input, signal);
  const queue = await orFailure(() => dispatcher.queue());
  const found = await sizeOf(queue);
  const deadBefore = await countDead(queue);
  const audit = await AuditLog.open(args.audit, args.input);

  const results = new Results();
  const retries = { inPlace: 0, redelivered: 0 };
  const once = new OncePerEvent();
  const onAuditFailed = (error: unknown): void => ending.abort(error);
  const register = registerHandlers(dispatcher, { results, retries, audit, once, onAuditFailed });
  const lines = { read: 0, broken: 0 };
  const dispatchedByType = new Map<string, number>();
  const problems: string[] = [];
  progress = createProgress(process.stderr, input.total, env);

  const startedAt = performance.now();
  try {
    await dispatcher.start(args.workers);
    const { key: keyMember } = args;
    try {
      await dispatchLines({ input, signal, dispatcher, once, register, keyMember, lines, dispatchedByType, progress });
    } catch (error) {
      // What was read before the input broke off is handled all the same.
      if (signal.aborted || !(error instanceof Failure)) throw error;
      problems.push(error.message);
    }
    await dispatcher.drain({ signal });
  } catch (error) {
    ending.abort(error);
  } finally {
    progress.end();
  }
  const elapsedMs = performance.now() - startedAt;

  const deadLetters = await listDead(queue, deadBefore, shownDeadLetters);
  const dead = await countDead(queue);
  const { deadLettered } = await dispatcher.stats();
  const stop = await dispatcher.stop({ deadlineMs: stopDeadlineMs });
  const stats = await dispatcher.stats();

  const endedBy = typeof signal.reason === 'string' ? signal.reason : undefined;
  if (signal.aborted && endedBy === undefined) problems.push(messageOf(signal.reason));
  return summarize({
    lines,
    found,
    dispatchedByType,
    results,
    retries,
    stats,
    elapsedMs,
    // After a signal, events may have become dead letters while the dispatcher stopped.
    deadLettered: dead - deadBefore + stats.deadLettered - deadLettered,
    deadLetters,
    left: await countLeft(args.queue, queue, stop, signal.aborted),
    stop,
    audit: { path: audit.path, lines: await audit.close() },
    endedBy,
    problems,
  });
}

/** What `make` makes. @throws {Failure} in the words of the library, with the exit code of a wrong call for a wrong URL. */
async function orFailure<Made>(make: () => Made | Promise<Made>): Promise<Made> {
  try {
    return await make();
  } catch (error) {
    const isMisuse = error instanceof TypeError || error instanceof RangeError;
    const isWrongUrl = isMisuse || isNqError(error, 'NQ_CONFIG') || isNqError(error, 'NQ_NOT_INSTALLED');
    throw new Failure(messageOf(error), isWrongUrl ? 2 : 1, error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
