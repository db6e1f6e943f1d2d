import type { Arguments } from './arguments.ts';
import type { CrewParts } from './crew.ts';
import { crewHere } from './crew-here.ts';
import { crewOfProcesses } from './crew-of-processes.ts';
import { dispatchLines } from './dispatch-lines.ts';
import { Failure, messageOf, orFailure } from './failure.ts';
import { openDispatcher } from './handling.ts';
import { openInput } from './input.ts';
import { createProgress, type Progress } from './progress.ts';
import { countDead, sizeOf } from './queue-counts.ts';
import { type Summary, summarize } from './summary.ts';

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
  const say = (text: string): void => progress?.say(text);

  // Whatever goes wrong from here on, the dispatcher is stopped, and closes the queue that it opened.
  await using dispatcher = await openDispatcher(args.queue, { say, fail: (error) => ending.abort(error) });
  const input = await openInput(args.input, signal);
  const queue = await orFailure(() => dispatcher.queue());
  const found = await sizeOf(queue);
  const parts: CrewParts = { args, dispatcher, queue, deadBefore: await countDead(queue), ending, say };
  await using crew = await (args.processes === undefined ? crewHere(parts) : crewOfProcesses(args.processes, parts));

  const lines = { read: 0, broken: 0 };
  const dispatchedByType = new Map<string, number>();
  const problems: string[] = [];
  progress = createProgress(process.stderr, input.total, env);

  let startedAt: number | undefined;
  try {
    await crew.start();
    startedAt = performance.now();
    const { marks } = crew;
    try {
      await dispatchLines({ input, signal, dispatcher, marks, keyMember: args.key, lines, dispatchedByType, progress });
    } catch (error) {
      // What was read before the input broke off is handled all the same.
      if (signal.aborted || !(error instanceof Failure)) throw error;
      problems.push(error.message);
    }
    await crew.drain();
  } catch (error) {
    if (startedAt === undefined) throw error;
    ending.abort(error);
  } finally {
    progress.end();
  }
  const elapsedMs = performance.now() - startedAt;

  const dispatched = [...dispatchedByType.values()].reduce((sum, count) => sum + count, 0);
  const tally = await crew.end(found + dispatched).catch((error: unknown) => {
    // The queue may be out of reach by now, which is then why the run has ended, too.
    const why = signal.aborted ? `${messageOf(signal.reason)}; ` : '';
    throw new Failure(`${why}what became of the events cannot be told: ${messageOf(error)}`, 1, error);
  });

  const endedBy = typeof signal.reason === 'string' ? signal.reason : undefined;
  if (signal.aborted && endedBy === undefined) problems.push(messageOf(signal.reason));
  return summarize({ lines, found, dispatchedByType, tally, elapsedMs, endedBy, problems });
}
