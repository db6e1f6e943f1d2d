import { type Dispatcher, isNqError } from '@nq/core';
import { type Events, readEvent } from './events.ts';
import { formatCount } from './format.ts';
import type { Input } from './input.ts';
import type { Line } from './lines.ts';
import type { Marks } from './once.ts';
import type { Progress } from './progress.ts';
import { increment } from './results.ts';

/** What dispatching needs, and what it counts. */
export interface DispatchParts {
  readonly input: Input;
  readonly signal: AbortSignal;
  readonly dispatcher: Dispatcher<Events>;
  readonly marks: Marks;
  readonly keyMember: string | undefined;
  readonly lines: { read: number; broken: number };
  readonly dispatchedByType: Map<string, number>;
  readonly progress: Progress;
}

/**
 * Dispatches every line of the input, and waits where the queue is full: there are never more events in memory than the
 * queue takes.
 *
 * @throws {Failure} if reading fails; `signal.reason`; what `dispatch()` throws if it is not the fault of the line.
 */
export async function dispatchLines(parts: DispatchParts): Promise<void> {
  const { input, lines, progress } = parts;
  let dispatched = 0;
  for await (const line of input.lines()) {
    lines.read++;
    const problem = await dispatchLine(line, parts);
    if (problem === undefined) dispatched++;
    else {
      lines.broken++;
      progress.say(`line ${formatCount(line.number)}: ${problem}`);
    }
    progress.update(lines.read, dispatched);
  }
}

/** @returns what is wrong with the line, if something is: it is not dispatched then. */
async function dispatchLine(line: Line, parts: DispatchParts): Promise<string | undefined> {
  if ('problem' in line) return line.problem;
  try {
    const event = readEvent(line.text, parts.keyMember);
    await parts.dispatcher.dispatch(parts.marks.mark(event, line.number), { signal: parts.signal });
    increment(parts.dispatchedByType, event.type);
    return undefined;
  } catch (error) {
    // After any other error it may be in the queue all the same.
    if (!isNqError(error, 'NQ_PAYLOAD')) throw error;
    parts.marks.unmark(line.number);
    return error.message;
  }
}
