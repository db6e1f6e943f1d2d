import type { Expectations } from '../../src/conformance/history/check-history.ts';
import type {
  CallOutcome,
  CallRecord,
  HistoryRecord,
  PopRecord,
  PushRecord,
  SettleRecord,
} from '../../src/conformance/history/history.ts';

/** What the histories are judged by, if they say nothing else. */
export const expectations: Expectations = {
  order: 'fifo',
  ack: 'individual',
  leaseMs: 200,
  capacity: 2,
  patienceMs: 5000,
  drained: true,
};

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
function pop(event: string, began: number, ended: number, options: PopOptions = {}): PopRecord {
  const { attempt = 1, connection = 1, intact = true } = options;
  const handOut = { number: began, event, attempt, intact };
  return { ...call(began, ended, 'ok', connection), kind: 'pop', timeoutMs: 5000, handOut };
}

/** A pop that brings nothing. */
function nothing(began: number, ended: number, timeoutMs: number, connection = 1): PopRecord {
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

const incident = (kind: 'close' | 'crash', connection: number, began: number): HistoryRecord => ({
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

/** Histories of a correct queue, and of one that is not, by what is wrong. */
interface Fixture {
  readonly what: string;
  readonly history: readonly HistoryRecord[];
  readonly changes?: Partial<Expectations>;
  /** What is wrong; nothing for a correct queue. */
  readonly kinds?: readonly string[];
}

/** A pop that brings the event `a`. */
export const a = pop('a', 2, 3);
const b = pop('b', 4, 5);

/** By anomaly. */
export const fixtures: Record<string, readonly Fixture[]> = {
  loss: [
    { what: 'everything that was accepted is acknowledged', history: [...done('a', 0), ...done('b', 10)] },
    { what: 'a push that was refused does not come', history: [push('a', 0, 1, 'refused')] },
    { what: 'a push of unknown outcome does not come', history: [push('a', 0, 1, 'unknown')] },
    {
      what: 'an acknowledgement of unknown outcome may have been one',
      history: [push('a', 0, 1), a, settle('ack', a, 4, 5, 'unknown')],
    },
    { what: 'an event that was given up does not come again', history: [push('a', 0, 1), a, settle('bury', a, 4, 5)] },
    {
      what: 'a later acknowledgement of a log acknowledges what came before',
      history: [push('a', 0, 1), push('b', 0, 1), a, b, settle('ack', b, 6, 7)],
      changes: { ack: 'cumulative' },
    },
    { what: 'an accepted event never comes', history: [push('a', 0, 1), ...done('b', 10)], kinds: ['loss'] },
    {
      what: 'an event is given back and never comes again',
      history: [push('a', 0, 1), a, settle('nack', a, 4, 5)],
      kinds: ['loss'],
    },
    {
      what: 'its acknowledgement was refused, and it never comes again',
      history: [push('a', 0, 1), a, settle('ack', a, 4, 5, 'refused')],
      kinds: ['loss'],
    },
    {
      what: 'a later acknowledgement is of its own delivery only',
      history: [push('a', 0, 1), push('b', 0, 1), a, b, settle('ack', b, 6, 7)],
      kinds: ['loss'],
    },
    {
      what: 'an acknowledgement of a log on another connection is none of this one',
      history: [
        push('a', 0, 1),
        push('b', 0, 1),
        a,
        ...[pop('b', 4, 5, { connection: 2 })].flatMap((other) => [other, settle('ack', other, 6, 7)]),
      ],
      changes: { ack: 'cumulative' },
      kinds: ['loss'],
    },
  ],
  invention: [
    { what: 'an event comes while its push is under way', history: [push('a', 0, 9), a, settle('ack', a, 4, 5)] },
    { what: 'an event comes that nobody has pushed', history: [a, settle('ack', a, 4, 5)], kinds: ['invention'] },
    {
      what: 'an event comes before it is pushed',
      history: [a, settle('ack', a, 4, 5), push('a', 6, 7)],
      kinds: ['invention'],
    },
  ],
  corruption: [
    { what: 'an event is as it was', history: done('a', 0) },
    {
      what: 'an event has other data',
      history: [
        push('a', 0, 1),
        ...[pop('a', 2, 3, { intact: false })].flatMap((popped) => [popped, settle('ack', popped, 4, 5)]),
      ],
      kinds: ['corruption'],
    },
  ],
  phantom: [
    { what: 'a push of unknown outcome comes', history: [push('a', 0, 1, 'unknown'), a, settle('ack', a, 4, 5)] },
    {
      what: 'a push that was refused comes',
      history: [push('a', 0, 1, 'refused'), a, settle('ack', a, 4, 5)],
      kinds: ['phantom'],
    },
  ],
  resurrection: [
    {
      what: 'the acknowledgement came too late, and was refused',
      history: [push('a', 0, 1), a, settle('ack', a, 300, 301, 'refused'), ...again('a', 302)],
    },
    {
      what: 'a push of unknown outcome was stored twice',
      history: [push('a', 0, 1, 'unknown'), a, settle('ack', a, 4, 5), ...again('a', 6)],
    },
    {
      what: 'an event comes again after it was acknowledged',
      history: [push('a', 0, 1), a, settle('ack', a, 4, 5), ...again('a', 6)],
      kinds: ['resurrection'],
    },
    {
      what: 'an event comes again long after it was acknowledged',
      history: [push('a', 0, 1), a, settle('ack', a, 4, 5), ...again('a', 900)],
      kinds: ['resurrection'],
    },
    {
      what: 'an event comes again after it was given up',
      history: [push('a', 0, 1), a, settle('bury', a, 4, 5), ...again('a', 6)],
      kinds: ['resurrection'],
    },
    {
      what: 'an event comes again, to a pop that waited before it was acknowledged',
      history: [push('a', 0, 1), a, settle('ack', a, 4, 6), pop('a', 5, 300, { attempt: 2, connection: 2 })],
      kinds: ['resurrection'],
    },
  ],
  duplicate: [
    { what: 'an event was given back', history: [push('a', 0, 1), a, settle('nack', a, 4, 5), ...again('a', 6)] },
    {
      what: 'nobody knows whether it was given back',
      history: [push('a', 0, 1), a, settle('nack', a, 4, 5, 'unknown'), ...again('a', 6)],
    },
    { what: 'its lease has ended', history: [push('a', 0, 1), a, ...again('a', 210)] },
    { what: 'its consumer has crashed', history: [push('a', 0, 1), a, incident('crash', 1, 4), ...again('a', 6)] },
    { what: 'its consumer was closed', history: [push('a', 0, 1), a, incident('close', 1, 4), ...again('a', 6)] },
    {
      what: 'without a lease, the connection was cut',
      history: [push('a', 0, 1), a, cut(4, 5), ...again('a', 6)],
      changes: { leaseMs: false },
    },
    {
      what: 'the second hand-out is seen before the first',
      history: [push('a', 0, 1), pop('a', 2, 400), ...again('a', 300)],
    },
    { what: 'somebody holds it', history: [push('a', 0, 1), a, ...again('a', 6)], kinds: ['duplicate'] },
    {
      what: 'a cut does not end a lease',
      history: [push('a', 0, 1), a, cut(4, 5), ...again('a', 6)],
      kinds: ['duplicate'],
    },
    {
      what: 'another consumer has crashed',
      history: [push('a', 0, 1), a, incident('crash', 3, 4), ...again('a', 6)],
      kinds: ['duplicate'],
    },
    {
      what: 'a pop had waited for longer than a lease, but the event is new',
      history: [push('a', 900, 901), pop('a', 2, 902), ...again('a', 905)],
      kinds: ['duplicate'],
    },
    {
      what: 'the first holder gave it back, the second has it',
      history: [
        push('a', 0, 1),
        a,
        settle('nack', a, 4, 5),
        pop('a', 6, 7, { attempt: 2, connection: 2 }),
        ...again('a', 8, 3),
      ],
      kinds: ['duplicate'],
    },
  ],
  reorder: [
    { what: 'events come in their order', history: [...done('a', 0), ...done('b', 10)] },
    { what: 'the pushes overlap', history: [push('a', 0, 2), push('b', 1, 3), ...taken('b', 10), ...taken('a', 20)] },
    {
      what: 'the pops overlap',
      history: [push('a', 0, 1), push('b', 2, 3), ...taken('b', 10), ...taken('a', 10, 40)],
    },
    {
      what: 'the first delivery was lost on its way, and nobody has seen it',
      history: [push('a', 0, 1), push('b', 2, 3), ...taken('b', 10), ...taken('a', 20, 21, 2)],
    },
    {
      what: 'they have different keys',
      history: [push('a', 0, 1, 'ok', 'one'), push('b', 2, 3, 'ok', 'two'), ...taken('b', 10), ...taken('a', 20)],
      changes: { order: 'key' },
    },
    {
      what: 'there is no order',
      history: [push('a', 0, 1), push('b', 2, 3), ...taken('b', 10), ...taken('a', 20)],
      changes: { order: 'none' },
    },
    {
      what: 'an event overtakes one that was pushed before',
      history: [push('a', 0, 1), push('b', 2, 3), ...taken('b', 10), ...taken('a', 20)],
      kinds: ['reorder'],
    },
    {
      what: 'an event overtakes one of its key',
      history: [
        push('a', 0, 1),
        push('x', 2, 3, 'ok', 'x'),
        push('b', 4, 5),
        ...taken('x', 10),
        ...taken('b', 20),
        ...taken('a', 30),
      ],
      changes: { order: 'key', capacity: Infinity },
      kinds: ['reorder'],
    },
  ],
  'over-capacity': [
    {
      what: 'as many as fit',
      history: [push('a', 0, 1), push('b', 2, 3), ...taken('a', 10), ...taken('b', 20)],
    },
    {
      what: 'what is held makes room',
      history: [
        push('a', 0, 1),
        push('b', 2, 3),
        pop('a', 4, 5),
        push('c', 6, 7),
        settle('ack', pop('a', 4, 5), 8, 9),
        ...taken('b', 20),
        ...taken('c', 30),
      ],
    },
    {
      what: 'what was handed out unseen made room',
      history: [
        push('a', 0, 1),
        push('b', 2, 3),
        push('c', 6, 7),
        ...taken('b', 20),
        ...taken('c', 30),
        ...taken('a', 230, 231, 2),
      ],
    },
    {
      what: 'more than fit',
      history: [
        push('a', 0, 1),
        push('b', 2, 3),
        push('c', 4, 5),
        ...taken('a', 10),
        ...taken('b', 20),
        ...taken('c', 30),
      ],
      kinds: ['over-capacity'],
    },
  ],
  'false-empty': [
    { what: 'the event came later', history: [nothing(0, 5000, 5000), ...done('a', 5001)] },
    { what: 'somebody else took it', history: [push('a', 0, 1), nothing(2, 5002, 5000, 2), ...taken('a', 3)] },
    {
      what: 'it waited for less than the event may take to show',
      history: [push('a', 0, 1), nothing(2, 62, 60), ...taken('a', 70)],
    },
    {
      what: 'the connection was cut',
      history: [push('a', 0, 1), cut(2, 4000), nothing(3, 5003, 5000), ...taken('a', 6000)],
    },
    {
      what: 'it found nothing for as long as anybody waits',
      history: [push('a', 0, 1), nothing(2, 5002, 5000), ...taken('a', 6000)],
      kinds: ['false-empty'],
    },
    {
      what: 'it gave up before its time',
      history: [push('a', 0, 1), nothing(2, 10, 60), ...taken('a', 20)],
      kinds: ['false-empty'],
    },
  ],
  hang: [
    { what: 'a call rejects', history: [push('a', 0, 60, 'unknown')] },
    { what: 'a push never settles', history: [push('a', 0, Infinity, 'hung')], kinds: ['hang'] },
    {
      what: 'an acknowledgement never settles',
      history: [push('a', 0, 1), a, settle('ack', a, 4, Infinity, 'hung')],
      kinds: ['hang'],
    },
  ],
  'use-after-close': [
    {
      what: 'an acknowledgement is refused after close',
      history: [push('a', 0, 1), a, incident('close', 1, 4), settle('ack', a, 6, 7, 'refused'), ...again('a', 8)],
    },
    {
      what: 'an acknowledgement was under way',
      history: [push('a', 0, 1), a, settle('ack', a, 3, 8), incident('close', 1, 4)],
    },
    {
      what: 'an acknowledgement succeeds after close',
      history: [push('a', 0, 1), a, incident('close', 1, 4), settle('ack', a, 6, 7)],
      kinds: ['use-after-close'],
    },
    {
      what: 'a pop answers after close',
      history: [incident('close', 1, 4), nothing(6, 66, 60)],
      kinds: ['use-after-close'],
    },
  ],
};

/** `event` is handed out once more, to another consumer, which acknowledges it. */
function again(event: string, at: number, connection = 2): HistoryRecord[] {
  const popped = pop(event, at, at + 1, { attempt: connection, connection });
  return [popped, settle('ack', popped, at + 2, at + 3)];
}

function taken(event: string, began: number, ended = began + 1, attempt = 1): HistoryRecord[] {
  // A hand-out has the number of its pop: those of two consumers at once must differ.
  const popped = pop(event, began + (ended - began > 1 ? 0.5 : 0), ended, { attempt });
  return [popped, settle('ack', popped, ended + 1, ended + 2)];
}
