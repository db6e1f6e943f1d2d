import { virtualClock } from '@nq/core/testing';
import { expect, test } from 'vitest';
import { Changes } from '../src/changes.ts';
import type { ConsumerParts } from '../src/consumer-parts.ts';
import type { Committed, IncomingRecord, KafkaDriver, KafkaMember } from '../src/kafka-driver.ts';
import { KafkaFailure } from '../src/kafka-failure.ts';
import { KafkaConsumer } from '../src/kafka-consumer.ts';
import { encodeNote } from '../src/partition-note.ts';

const record = (offset: number): IncomingRecord => ({
  offset,
  key: null,
  value: Buffer.from(JSON.stringify({ type: `e${offset}` })),
  headers: {},
  time: 0,
  isBrokerTime: false,
  bytes: 10,
});

/** Who consumes a topic of which `committed` is done, and from where the group begins otherwise. */
function newConsumer(committed: readonly Committed[], startFrom: 'earliest' | 'latest' = 'earliest') {
  const clock = virtualClock();
  const member = { pause() {}, resume() {}, commit: async () => {} } as unknown as KafkaMember;
  const driver = {
    join: () => member,
    committed: async () => committed,
    ranges: async () => [{ partition: 0, low: 0, high: 50 }],
  } as unknown as KafkaDriver;
  const warnings: string[] = [];
  const consumer = new KafkaConsumer({
    options: {
      topic: 't',
      group: 'g',
      startFrom,
      order: 'none',
      leaseMs: 1000,
      sessionTimeoutMs: 1000,
      rebalanceTimeoutMs: 1000,
      fetchBytes: 1000,
      requestTimeoutMs: 1000,
      openTimeoutMs: 1000,
      foreignKey: undefined,
      prefetch: 1000,
      prefetchBytes: 1_000_000,
    },
    driver,
    clock,
    deadLetters: undefined,
    retries: undefined,
    parked: undefined,
    changes: new Changes(clock),
    onQuiet: () => {},
    onWarning: (warning) => warnings.push(warning),
  } satisfies ConsumerParts);
  return { consumer, warnings };
}

/** Who consumes a topic of which everything from 1 to 9,999 was done before, and 0 was not. */
async function scene() {
  const metadata = encodeNote(0, { done: [{ start: 1, end: 10_000 }], records: [] });
  const { consumer, warnings } = newConsumer([{ partition: 0, offset: 0, metadata }]);
  await consumer.join();
  await consumer.joined({ generation: 1, continues: false, partitions: [0] });
  const taken = (): readonly string[] => consumer.take(100).map(({ event }) => event.type);
  return { consumer, warnings, taken };
}

test('what retention deletes within what is done already takes nothing else away', async () => {
  const { consumer, warnings, taken } = await scene();
  consumer.received(0, [record(0)], 100, false);
  expect(taken()).toEqual(['e0']);
  consumer.lostRecords(0, 100, 5000);
  expect(warnings).toEqual(['Partition 0 of t has no offset 100 any more: group g goes on at 5000']);
  consumer.received(0, [record(5000), record(9999), record(10_000)], 10_001, true);
  expect([consumer.hasOut, taken()]).toEqual([true, ['e10000']]);
});

test('a log that is shorter than what was read is another one', async () => {
  const { consumer, taken } = await scene();
  consumer.received(0, [record(0)], 100, false);
  expect(taken()).toEqual(['e0']);
  consumer.lostRecords(0, 100, 0);
  consumer.received(0, [record(0), record(1)], 2, true);
  expect(taken()).toEqual(['e0', 'e1']);
});

test('a topic that is missing at first is none that was made anew: a group that begins at the end does so', async () => {
  const { consumer } = newConsumer([], 'latest');
  const missing = new KafkaFailure('missing', 'there is no such topic');
  await consumer.join();
  consumer.failed(missing);
  const join = (generation: number) => consumer.joined({ generation, continues: false, partitions: [0] });
  expect(await join(1)).toEqual(new Map([[0, 50]]));
  consumer.failed(missing);
  expect(await join(2)).toEqual(new Map([[0, 0]]));
});
