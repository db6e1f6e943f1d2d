import { openSync, readFileSync, writeSync } from 'node:fs';
import { isNqError } from '@nq/core';
import type { CallOutcome, CallRecord, HistoryRecord } from '@nq/core/conformance';

/** The time of this machine, which all its processes share, in milliseconds. */
export function machineTime(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** What an actor does: a call of its queue. */
type CallKind = 'push' | 'pop' | 'ack' | 'nack';

/** What is known of a call before it is made. */
export interface CallBegin {
  readonly kind: CallKind;
  readonly event?: string;
  readonly key?: string;
  readonly timeoutMs?: number;
  /** The number of the hand-out that is settled. */
  readonly handOut?: number;
}

/** What a pop has brought. */
export interface LoggedHandOut {
  readonly number: number;
  readonly event: string;
  readonly attempt: number;
  readonly intact: boolean;
}

type Entry =
  | (CallBegin & { readonly call: number; readonly began: number })
  | {
      readonly call: number;
      readonly ended: number;
      readonly outcome: CallOutcome;
      readonly error: string;
      readonly got?: LoggedHandOut | undefined;
    };

/** What an actor writes down before and after each call, so that it is there also when the process is killed in between. */
export class ActorLog {
  readonly #file: number;
  #calls = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  /** Makes a call. @returns what it resolved; `undefined` if it rejected. */
  async call<Result>(
    begin: CallBegin,
    work: () => Promise<Result>,
    got: (result: Result) => LoggedHandOut | undefined = () => undefined,
  ): Promise<{ readonly outcome: CallOutcome; readonly error: string; readonly result: Result | undefined }> {
    const call = this.#calls++;
    this.#write({ ...begin, call, began: machineTime() });
    try {
      const result = await work();
      this.#write({ call, ended: machineTime(), outcome: 'ok', error: '', got: got(result) });
      return { outcome: 'ok', error: '', result };
    } catch (error) {
      const code = isNqError(error) ? error.code : String(error);
      const outcome = code === 'NQ_OUTCOME_UNKNOWN' || !isNqError(error) ? 'unknown' : 'refused';
      this.#write({ call, ended: machineTime(), outcome, error: code });
      return { outcome, error: code, result: undefined };
    }
  }

  #write(entry: Entry): void {
    writeSync(this.#file, `${JSON.stringify(entry)}\n`);
  }
}

/** What `by` wrote down at `path`, as the history checker reads it. A call without an end may have had its effect. */
export function readActorLog(path: string, by: string, connection: number): HistoryRecord[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  const calls = new Map<number, { begin: CallBegin & { began: number }; end?: Extract<Entry, { ended: number }> }>();
  for (const line of lines) {
    // The last line of one that was killed may be half of one.
    if (!line.endsWith('}')) continue;
    const entry = JSON.parse(line) as Entry;
    if ('began' in entry) calls.set(entry.call, { begin: entry });
    else {
      const call = calls.get(entry.call);
      if (call !== undefined) call.end = entry;
    }
  }
  return [...calls.values()].map(({ begin, end }) => {
    const ended = end?.ended ?? Infinity;
    const span: CallRecord = {
      by,
      connection,
      outcome: end?.outcome ?? 'unknown',
      error: end?.error ?? 'killed',
      began: begin.began,
      ended,
      beganMs: begin.began,
      endedMs: ended,
    };
    const { kind, event = '', key, timeoutMs = Infinity, handOut = -1 } = begin;
    if (kind === 'push') return { ...span, kind, event, key };
    if (kind === 'pop') return { ...span, kind, timeoutMs, handOut: end?.got };
    return { ...span, kind, event, handOut };
  });
}
