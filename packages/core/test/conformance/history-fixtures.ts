import type { Expectations } from '../../src/conformance/history/check-history.ts';
import type { HistoryRecord } from '../../src/conformance/history/history.ts';
import { again, cut, done, incident, nothing, pop, push, settle, taken } from './history-records.ts';

/** What the histories are judged by, if they say nothing else. */
export const expectations: Expectations = {
  order: 'fifo',
  ack: 'individual',
  leaseMs: 200,
  capacity: 2,
  patienceMs: 5000,
  drained: true,
};

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
      what: 'a pop that brought nothing may have had it meanwhile',
      history: [push('a', 0, 1), push('b', 2, 3), nothing(4, 9, 5), ...taken('b', 10), ...taken('a', 20)],
    },
    {
      what: 'a pop that brought nothing may have had it, and held up its key',
      history: [push('a', 0, 1), push('b', 2, 3), nothing(4, 9, 5), ...taken('b', 10), ...taken('a', 20)],
      changes: { order: 'key' },
      kinds: ['reorder'],
    },
    {
      what: 'a pop that brought nothing came later',
      history: [push('a', 0, 1), push('b', 2, 3), ...taken('b', 10), nothing(12, 17, 5), ...taken('a', 20)],
      kinds: ['reorder'],
    },
    {
      what: 'a pop that brought nothing has long given back what it had',
      history: [
        nothing(0, 9, 5),
        push('a', 6000, 6001),
        push('b', 6002, 6003),
        ...taken('b', 6010),
        ...taken('a', 6020),
      ],
      kinds: ['reorder'],
    },
    {
      what: 'a pop that brought nothing has crashed',
      history: [
        push('a', 0, 1),
        push('b', 2, 3),
        { ...nothing(4, Infinity, 5), outcome: 'unknown' },
        ...taken('b', 10),
        ...taken('a', 20),
      ],
      kinds: ['reorder'],
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
      what: 'a pop that brought nothing may have made room, and given back what it had',
      history: [
        push('a', 0, 1),
        push('b', 2, 3),
        nothing(2, 5, 3),
        push('c', 6, 7),
        ...taken('a', 10),
        ...taken('b', 20),
        ...taken('c', 30),
      ],
    },
    {
      what: 'one more than a pop that brought nothing may have made room for',
      history: [
        push('a', 0, 1),
        push('b', 2, 3),
        nothing(2, 5, 3),
        push('c', 6, 7),
        push('d', 8, 9),
        ...taken('a', 10),
        ...taken('b', 20),
        ...taken('c', 30),
        ...taken('d', 40),
      ],
      kinds: ['over-capacity'],
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
