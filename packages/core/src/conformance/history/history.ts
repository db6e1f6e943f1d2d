import type { Clock } from '../../clock.ts';
import { isNqError, type NqErrorCode } from '../../errors.ts';
import { describeError } from '../journal.ts';
import { Violation } from '../violation.ts';

/**
 * How a call ended. `ok`: it resolved. `refused`: it rejected, and has certainly had no effect. `unknown`: it rejected, and
 * may have had its effect. `hung`: it did not settle.
 */
export type CallOutcome = 'ok' | 'refused' | 'unknown' | 'hung';

/** From when to when something took. */
export interface Span {
  /**
   * When it began, as a place in the order of everything that was observed. What ended before something else began has
   * happened before it: clocks are too coarse to tell, and one that stands still tells nothing.
   */
  readonly began: number;
  /** When it ended, likewise; `Infinity` for what never did. */
  readonly ended: number;
  /** When it began, in milliseconds of the clock. */
  readonly beganMs: number;
  /** When it ended, in milliseconds of the clock; `Infinity` for what never did. */
  readonly endedMs: number;
}

/** What every call has. */
export interface CallRecord extends Span {
  /** Who called: the name of a producer or a consumer. */
  readonly by: string;
  /** On which connection. */
  readonly connection: number;
  readonly outcome: CallOutcome;
  /** What it rejected with, in a word; empty if it did not. */
  readonly error: string;
}

/** A call of `push` with one event. No event is pushed twice. */
export interface PushRecord extends CallRecord {
  readonly kind: 'push';
  /** The name of the event. */
  readonly event: string;
  readonly key: string | undefined;
}

/** One handing-out of an event. */
export interface HandOut {
  /** Tells it from every other one. */
  readonly number: number;
  readonly event: string;
  readonly attempt: number;
  /** Whether the event is as it was pushed. */
  readonly intact: boolean;
}

/** A call of `pop`. */
export interface PopRecord extends CallRecord {
  readonly kind: 'pop';
  /** How long it was told to wait, in milliseconds. */
  readonly timeoutMs: number;
  /** What it resolved; `undefined` if it resolved nothing, or rejected. */
  readonly handOut: HandOut | undefined;
}

/** A settlement: `bury` is a nack that gives the event up. */
export interface SettleRecord extends CallRecord {
  readonly kind: 'ack' | 'nack' | 'bury';
  /** The number of the hand-out. */
  readonly handOut: number;
  readonly event: string;
}

/** The end of a connection: closed, or crashed. */
export interface EndRecord extends Span {
  readonly kind: 'close' | 'crash';
  readonly connection: number;
}

/** A time in which connections were cut. */
export interface CutRecord extends Span {
  readonly kind: 'cut';
}

/** Something that was observed. */
export type HistoryRecord = PushRecord | PopRecord | SettleRecord | EndRecord | CutRecord;

/** Codes that say for certain that a call had no effect. */
const definite: readonly NqErrorCode[] = [
  'NQ_FULL',
  'NQ_TIMEOUT',
  'NQ_CLOSED',
  'NQ_UNAVAILABLE',
  'NQ_PAYLOAD',
  'NQ_UNSUPPORTED',
  'NQ_ALREADY_SETTLED',
  'NQ_LEASE_LOST',
];

/** Who calls, and on which connection. */
export interface Caller {
  readonly by: string;
  readonly connection: number;
}

/** What came of a call. */
export interface Recorded<Result> {
  readonly outcome: CallOutcome;
  readonly error: string;
  readonly result: Result | undefined;
}

/** Writes down what is called and how it ends. */
export class HistoryRecorder {
  readonly #clock: Clock;
  readonly #records: HistoryRecord[] = [];
  readonly #underWay = new Map<string, number>();
  #steps = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What was observed, in the order in which it ended. */
  get history(): readonly HistoryRecord[] {
    return this.#records;
  }

  /** How many calls of `kind` have not settled. */
  underWay(kind: 'push' | 'pop' | 'ack' | 'nack' | 'bury'): number {
    return this.#underWay.get(kind) ?? 0;
  }

  /**
   * Makes a call and writes it down. `record` completes what is written; a call that `signal` told to give up has had
   * no effect.
   *
   * @throws {Violation} if the call hangs, or brings something that nobody has pushed.
   */
  async call<Result>(
    caller: Caller,
    kind: 'push' | 'pop' | 'ack' | 'nack' | 'bury',
    work: () => Promise<Result>,
    record: (call: CallRecord, result: Result | undefined) => HistoryRecord,
    signal?: AbortSignal,
  ): Promise<Recorded<Result>> {
    const end = this.begin();
    this.#underWay.set(kind, this.underWay(kind) + 1);
    const write = (outcome: CallOutcome, error: string, result?: Result): Recorded<Result> => {
      const span = end();
      const hung = { ended: Infinity, endedMs: Infinity };
      this.#records.push(record({ ...caller, ...span, ...(outcome === 'hung' ? hung : {}), outcome, error }, result));
      return { outcome, error, result };
    };
    try {
      return write('ok', '', await work());
    } catch (error) {
      if (error instanceof Violation) {
        write('hung', '');
        throw error;
      }
      const isAbort = signal?.aborted === true && error === signal.reason;
      const isDefinite = isAbort || definite.some((code) => isNqError(error, code));
      return write(isDefinite ? 'refused' : 'unknown', describeError(error));
    } finally {
      this.#underWay.set(kind, this.underWay(kind) - 1);
    }
  }

  /** Notes that something begins. @returns what has to be called at its end. */
  begin(): () => Span {
    const began = this.#steps++;
    const beganMs = this.#clock.now();
    return () => ({ began, beganMs, ended: this.#steps++, endedMs: this.#clock.now() });
  }

  write(record: EndRecord | CutRecord): void {
    this.#records.push(record);
  }
}

/** What happened, in a few words for people. */
export function showRecord(record: HistoryRecord): string {
  switch (record.kind) {
    case 'cut':
      return 'the connections were cut';
    case 'close':
    case 'crash':
      return `connection ${record.connection} ${record.kind === 'close' ? 'was closed' : 'crashed'}`;
    case 'push':
      return `${record.by} push(${record.event}) ${showEnd(record)}`;
    case 'pop': {
      const { handOut } = record;
      const got = handOut === undefined ? 'nothing' : `${handOut.event} (attempt ${handOut.attempt})`;
      return `${record.by} pop(${Math.round(record.timeoutMs)} ms) ${record.outcome === 'ok' ? got : showEnd(record)}`;
    }
    default:
      return `${record.by} ${record.kind}(${record.event}) ${showEnd(record)}`;
  }
}

function showEnd({ outcome, error }: CallRecord): string {
  return outcome === 'ok' ? 'resolved' : outcome === 'hung' ? 'never settled' : `rejected ${error}`;
}
