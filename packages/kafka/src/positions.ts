import type { KafkaDriver } from './kafka-driver.ts';
import { decodeNote, emptyNote, type PartitionNote } from './partition-note.ts';

/** How it stands with a partition. */
export interface PartitionView {
  /** The first offset that is not done. */
  readonly offset: number;
  readonly note: PartitionNote;
}

/** Whose position it is, and where a group begins that has none. */
export interface PositionOptions {
  readonly topic: string;
  readonly group: string;
  readonly startFrom: 'earliest' | 'latest';
}

/** Where the group goes on in `partitions`; with `isNew` where it has committed nothing yet. */
export async function positionsOf(
  driver: KafkaDriver,
  { topic, group, startFrom }: PositionOptions,
  partitions: readonly number[],
): Promise<ReadonlyMap<number, PartitionView & { readonly isNew: boolean }>> {
  if (partitions.length === 0) return new Map();
  const committed = await driver.committed(group, topic, partitions);
  const positions = new Map(
    committed.map(({ partition, offset, metadata }) => [
      partition,
      { offset, note: decodeNote(offset, metadata), isNew: false },
    ]),
  );
  if (positions.size === partitions.length) return positions;
  for (const { partition, low, high } of await driver.ranges(topic)) {
    if (positions.has(partition) || !partitions.includes(partition)) continue;
    positions.set(partition, { offset: startFrom === 'earliest' ? low : high, note: emptyNote, isNew: true });
  }
  return positions;
}
