import type {
  CallOutcome,
  CallRecord,
  HistoryRecord,
  PopRecord,
  PushRecord,
  SettleRecord,
} from '../../src/conformance/history/history.ts';

/** A call from `began` to `ended`: both a place in the order of things, and milliseconds. */
function call(began: number, ended: number, outcome: CallOutcome, connection: number): CallRecord {
  const error = outcome === 'ok' ? '' : outcome === 'unknown' ? 'NQ_OUTCOME_UNKNOWN' : 'NQ_UNAVAILABLE';
  return { by: `process ${connection}`, connection, began, ended, beganMs: began, endedMs: ended, outcome, error };
}

/** A push of `event`. */
export function push(event: string, began: number, ended: number, outcome: CallOutcome = 'ok', key = 'k'): PushRecord {
  return { ...call(began, ended, outcome, 0), kind: 'push', event, key };
}

interface PopOptions {
  readonly attempt?: number;
  readonly connection?: number;
  readonly intact?: boolean;
}

/** A pop that brings `event`. Its hand-out has the number `began`. */
export function pop(event: string, began: number, ended: number, options: PopOptions = {}): PopRecord {
  const { attempt = 1, connection = 1, intact = true } = options;
  const handOut = { number: began, event, attempt, intact };
  return { ...call(began, ended, 'ok', connection), kind: 'pop', timeoutMs: 5000, handOut };
}

/** A pop that brings nothing. */
export function nothing(began: number, ended: number, timeoutMs: number, connection = 1): PopRecord {
  return { ...call(began, ended, 'ok', connection), kind: 'pop', timeoutMs, handOut: undefined };
}

/** A settlement of what `pop` brought. */
export function settle(
  kind: SettleRecord['kind'],
  { handOut, connection }: PopRecord,
  began: number,
  ended: number,
  outcome: CallOutcome = 'ok',
): SettleRecord {
  if (handOut === undefined) throw new Error('there is nothing to settle');
  const { number, event } = handOut;
  return { ...call(began, ended, outcome, connection), kind, handOut: number, event };
}

/** The end of a connection. */
export const incident = (kind: 'close' | 'crash', connection: number, began: number): HistoryRecord => ({
  kind,
  connection,
  began,
  ended: began + 1,
  beganMs: began,
  endedMs: began + 1,
});

/** A cut of all connections. */
export const cut = (began: number, ended: number): HistoryRecord => ({
  kind: 'cut',
  began,
  ended,
  beganMs: began,
  endedMs: ended,
});

/** A push, a pop and an ack of `event`, one after the other from `at` on. */
export function done(event: string, at: number): HistoryRecord[] {
  const popped = pop(event, at + 2, at + 3);
  return [push(event, at, at + 1), popped, settle('ack', popped, at + 4, at + 5)];
}

/** `event` is handed out once more, to another consumer, which acknowledges it. */
export function again(event: string, at: number, connection = 2): HistoryRecord[] {
  const popped = pop(event, at, at + 1, { attempt: connection, connection });
  return [popped, settle('ack', popped, at + 2, at + 3)];
}

/** `event` is handed out, and acknowledged. */
export function taken(event: string, began: number, ended = began + 1, attempt = 1): HistoryRecord[] {
  // A hand-out has the number of its pop: those of two consumers at once must differ.
  const popped = pop(event, began + (ended - began > 1 ? 0.5 : 0), ended, { attempt });
  return [popped, settle('ack', popped, ended + 1, ended + 2)];
}
