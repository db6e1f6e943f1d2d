import { systemClock } from '@nq/core';
import { expect, test } from 'vitest';
import type { Consumers } from '../src/consumers.ts';
import type { KafkaDriver } from '../src/kafka-driver.ts';
import type { PartitionNote } from '../src/partition-note.ts';
import { sizeOf } from '../src/queue-size.ts';

/** Of a partition that had `high` records when it was asked, of which `note` is known since; its first is not done. */
const countOf = (high: number, note: PartitionNote) => {
  const driver = {
    ranges: async () => [{ partition: 0, low: 0, high }],
    committed: async () => [{ partition: 0, offset: 0, metadata: '' }],
  } as unknown as KafkaDriver;
  const place = { topic: 't', group: 'g', startFrom: 'earliest' } as const;
  const main = { place, notes: () => new Map([[0, { offset: 0, note }]]) };
  return sizeOf({ main, retry: undefined } as unknown as Consumers, { driver, clock: systemClock, limitMs: 1000 });
};

test.each<[string, number, PartitionNote, object]>([
  ['done', 1, { done: [{ start: 1, end: 3 }], records: [] }, { ready: 1, inFlight: 0 }],
  ['out', 1, { done: [], records: [{ offset: 2, attempts: 1, state: 'out' }] }, { ready: 2, inFlight: 1 }],
  ['nothing', 3, { done: [{ start: 1, end: 2 }], records: [] }, { ready: 2, inFlight: 0 }],
])('what waits is counted, although %s is known behind the end that was seen', async (_what, high, note, counts) => {
  expect(await countOf(high, note)).toMatchObject(counts);
});
