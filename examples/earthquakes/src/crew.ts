import type { DeadLetter, Dispatcher, HistogramSnapshot, MessageQueue, StopReport } from '@nq/core';
import type { Arguments } from './arguments.ts';
import type { Events } from './events.ts';
import type { Retries } from './handlers.ts';
import type { Marks } from './once.ts';
import type { Results } from './results.ts';

/** Who handles the events of a run: this process, or several others. Disposing of it ends them, in whatever state. */
export interface Crew extends AsyncDisposable {
  readonly marks: Marks;
  /** Begins to handle. @throws {Failure} if that cannot be. */
  start(): Promise<void>;
  /** Resolves once every event is handled or a dead letter. @throws the reason of the `ending` of the run. */
  drain(): Promise<void>;
  /** Finishes what is in hand, and adds up. @param expected how many events there were. */
  end(expected: number): Promise<Tally>;
}

/** What became of the events of a run. */
export interface Tally {
  readonly results: Results;
  /** Events that were handled: each counts once. */
  readonly handled: number;
  /** How often an event was handled once more, because the process that had handled it was killed before it could say so. */
  readonly duplicates: number;
  readonly deadLettered: number;
  /** The oldest dead letters of this run. */
  readonly deadLetters: readonly DeadLetter[];
  /** Events that are neither, because the run was ended early. */
  readonly left: number;
  /** How often a handler failed. What a killed process knew of that is not in here, nor in the next one. */
  readonly failed: number;
  readonly retries: Retries;
  /** From the push to the first hand-out; `undefined` where each worker process has its own. */
  readonly timeInQueueMs: HistogramSnapshot | undefined;
  readonly stop: StopReport;
  readonly audit: { readonly path: string; readonly lines: number };
  /** The worker processes; none where this process handles the events. */
  readonly workers: readonly WorkerSummary[];
  /** What went wrong, in sentences. */
  readonly problems: readonly string[];
}

/** What became of a worker process. */
export interface WorkerSummary {
  /** From 1. */
  readonly number: number;
  readonly pid: number | undefined;
  /** Events that are in its audit log. */
  readonly handled: number;
  /** From the push to the first hand-out; `undefined` if it could not report. */
  readonly timeInQueueMs: HistogramSnapshot | undefined;
  /** The signal that killed it, if one did. */
  readonly killedBy: NodeJS.Signals | undefined;
  /** How it ended, in words. */
  readonly end: string;
  readonly audit: { readonly path: string; readonly lines: number };
}

/** What a crew is made of. */
export interface CrewParts {
  readonly args: Arguments;
  readonly dispatcher: Dispatcher<Events>;
  readonly queue: MessageQueue;
  /** How many dead letters were in the queue before the run. */
  readonly deadBefore: number;
  /** Ends the run early. */
  readonly ending: AbortController;
  /** Tells people something in between. */
  readonly say: (text: string) => void;
}
