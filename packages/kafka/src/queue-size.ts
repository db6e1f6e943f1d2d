import type { Clock, QueueSize } from '@nq/core';
import type { Consumers } from './consumers.ts';
import type { KafkaConsumer } from './kafka-consumer.ts';
import type { KafkaDriver } from './kafka-driver.ts';
import { emptyNote } from './partition-note.ts';
import { persistently } from './persistently.ts';
import { type PartitionView, positionsOf } from './positions.ts';

/** What is asked, and how long it is tried, in milliseconds. */
export interface SizeParts {
  readonly driver: KafkaDriver;
  readonly clock: Clock;
  readonly limitMs: number;
}

/** What a group has not done of a topic. */
type Counts = Pick<QueueSize, 'ready' | 'inFlight' | 'delayed'>;

/** How much the groups of a queue have not done of its topic, and of its retry topic if it has one. */
export async function sizeOf({ main, retry }: Consumers, parts: SizeParts): Promise<QueueSize> {
  const [own, parked] = await Promise.all([
    countsOf(main, parts),
    retry === undefined ? { ready: 0, inFlight: 0, delayed: 0 } : countsOf(retry, parts),
  ]);
  // Of which the delay is over, only those know who have read them.
  const due = Math.min(parked.ready, retry?.ready ?? 0);
  return {
    ready: own.ready + due,
    inFlight: own.inFlight + parked.inFlight,
    delayed: own.delayed + parked.delayed + parked.ready - due,
    oldestAgeMs: 0,
    exact: false,
  };
}

async function countsOf(consumer: KafkaConsumer, { driver, clock, limitMs }: SizeParts): Promise<Counts> {
  const { place } = consumer;
  const { ranges, committed } = await persistently({ clock, limitMs }, async () => {
    const now = await driver.ranges(place.topic);
    const numbers = now.map(({ partition }) => partition);
    return { ranges: now, committed: (await positionsOf(driver, place, numbers)).views };
  });
  const views = new Map<number, PartitionView>([...committed, ...consumer.notes()]);
  let [open, inFlight, delayed] = [0, 0, 0];
  for (const { partition, low, high } of ranges) {
    // One that was added meanwhile.
    const { offset, note } = views.get(partition) ?? { offset: low, note: emptyNote };
    // What is known of it may be newer than where it ended.
    const lastDone = note.done.at(-1)?.end ?? 0;
    const end = Math.max(high, lastDone, (note.records.at(-1)?.offset ?? -1) + 1);
    open += Math.max(0, end - Math.max(low, offset));
    for (const run of note.done) open -= run.end - run.start;
    for (const { state } of note.records) {
      if (state === 'out') inFlight++;
      else if (typeof state === 'object') delayed++;
    }
  }
  return { ready: Math.max(0, open - inFlight - delayed), inFlight, delayed };
}
