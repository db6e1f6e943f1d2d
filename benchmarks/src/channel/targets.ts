import type { Quantity } from '../harness/samples.ts';
import type { Target } from '../harness/targets.ts';

const speedOf = (name: string): Quantity => ({ case: name, reading: 'opsPerSecond' });

/** A ratio of two speeds. */
function ratio(row: string, what: string, above: string, below: string, atLeast?: number): Target {
  const asked = atLeast === undefined ? {} : { asked: { atLeast } };
  return { row, what, numerator: speedOf(above), denominator: speedOf(below), ...asked };
}

/** One reading, in a unit, that must not be higher. */
function limit(row: string, what: string, numerator: Quantity, unit: string, atMost: number): Target {
  return { row, what, numerator, asked: { atMost }, unit };
}

const awaited = 'nq dispatcher, async, await dispatch';
const asyncBatch = 'nq dispatcher, async, batch, 8 workers';
const waitingBatch = 'nq dispatcher, waiting, batch';

/** Numbered as in the list that the performance work is held against; rows that need Go are not among them. */
export const channelTargets: readonly Target[] = [
  ratio(
    '3',
    'channel, await push + tryPop ÷ ts-chan',
    'nq channel, await push + tryPop',
    'ts-chan, trySend + tryRecv',
    2,
  ),
  ratio(
    '4',
    'channel, await push + await pop ÷ @thi.ng/csp',
    'nq channel, await push + await pop',
    '@thi.ng/csp, await write + await read',
    1.35,
  ),
  ratio(
    '4',
    'channel, await push + await pop ÷ async-channel',
    'nq channel, await push + await pop',
    'async-channel, await push + await get',
    1.35,
  ),
  ratio(
    '5',
    'channel, offer + tryPop ÷ the same channel when nobody waits',
    'nq channel, offer + tryPop',
    'nq channel, nobody waits',
    0.75,
  ),
  ratio('6', 'async handler, batch ÷ fastq.promise', asyncBatch, 'fastq.promise, async, batch, 8 workers', 1.6),
  ratio(
    '7',
    'async handler, await dispatch ÷ fastq.promise, awaited',
    `${awaited}, 8 workers`,
    'fastq.promise, async, await push, 1 worker',
    1.2,
  ),
  ratio(
    '8',
    'sync handler, batch ÷ fastq callback, queued',
    'nq dispatcher, sync, batch, 8 workers',
    'fastq callback, queued, batch, 8 workers',
    1.9,
  ),
  ratio(
    '9',
    'sync handler, offer ÷ fastq callback, inline',
    'nq dispatcher, sync, offer, 8 workers',
    'fastq callback, inline, batch, 8 workers',
    0.9,
  ),
  ratio('10', 'async handler, batch ÷ p-queue', asyncBatch, 'p-queue, async, batch, 8 workers', 9),
  ratio('10', 'async handler, batch ÷ async.queue', asyncBatch, 'async.queue, async, batch, 8 workers', 2.2),
  ratio(
    '11',
    'waiting handler, 8 workers, batch ÷ fastq.promise',
    `${waitingBatch}, 8 workers`,
    'fastq.promise, waiting, batch, 8 workers',
    1.15,
  ),
  ratio(
    '11',
    'waiting handler, 64 workers, batch ÷ fastq.promise',
    `${waitingBatch}, 64 workers`,
    'fastq.promise, waiting, batch, 64 workers',
    1.25,
  ),
  ratio(
    '14',
    'signal and timeout on every push ÷ none, there is room',
    'nq channel, offer + tryPop, signal and timeout',
    'nq channel, offer + tryPop',
    0.8,
  ),
  ratio(
    '14',
    'signal and timeout on every push ÷ none, every push waits',
    'nq channel, every push waits, signal and timeout',
    'nq channel, every push waits',
    0.8,
  ),
  ratio(
    '15',
    'async handler, await dispatch, 64 workers ÷ 1 worker',
    `${awaited}, 64 workers`,
    `${awaited}, 1 worker`,
    0.8,
  ),
  limit('16', 'heap per queued event', { case: 'nq channel, queued events', reading: 'heapBytesPerEvent' }, 'B', 10),
  limit(
    '16',
    'heap per waiting push with signal and timeout',
    { case: 'nq channel, waiting pushes', reading: 'heapBytesPerEvent' },
    'B',
    360,
  ),
  limit(
    '17',
    'longest gap in the event loop, channel',
    { case: 'nq channel, one producer', reading: 'longestGapMs' },
    'ms',
    25,
  ),
  limit(
    '17',
    'longest gap in the event loop, dispatcher',
    { case: 'nq dispatcher, one producer', reading: 'longestGapMs' },
    'ms',
    25,
  ),
  limit('18', 'push → handler at 10 k/s, p99', { case: 'nq dispatcher, 10 k/s', reading: 'queueP99Us' }, 'µs', 50),
  limit('18', 'push → handler at 10 k/s, p99.9', { case: 'nq dispatcher, 10 k/s', reading: 'queueP999Us' }, 'µs', 200),
  limit('19', 'arrival → handler at 1 M/s, p99', { case: 'nq dispatcher, 1 M/s', reading: 'arrivalP99Us' }, 'µs', 500),
  limit(
    '19',
    'arrival → handler at 1 M/s, p99.9',
    { case: 'nq dispatcher, 1 M/s', reading: 'arrivalP999Us' },
    'µs',
    3000,
  ),
  ratio('', 'channel, offer + tryPop ÷ a bare ring', 'nq channel, offer + tryPop', 'a bare ring'),
  ratio(
    '',
    'waiting handler, 8 workers, batch ÷ fastq callback',
    `${waitingBatch}, 8 workers`,
    'fastq callback, waiting, batch, 8 workers',
  ),
  ratio(
    '',
    'waiting handler, 64 workers, batch ÷ fastq callback',
    `${waitingBatch}, 64 workers`,
    'fastq callback, waiting, batch, 64 workers',
  ),
];
