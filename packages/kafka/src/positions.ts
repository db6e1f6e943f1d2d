import type { Committed, KafkaDriver } from './kafka-driver.ts';
import { KafkaFailure } from './kafka-failure.ts';
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

/** Where a group goes on. */
export interface Positions {
  /** Of each partition that was asked for; with `isNew` where the group has committed nothing yet. */
  readonly views: ReadonlyMap<number, PartitionView & { readonly isNew: boolean }>;
  /** What whoever has the first partition is to commit at once, so that all of them begin there. */
  readonly starts: readonly Committed[];
}

/** Whoever has this partition begins for the whole group. */
const first = 0;

/**
 * Where the group goes on in `partitions`. A group that begins at the end does so with all partitions: one that it has not
 * committed, while it has committed the first, was added later, and nothing in it is passed over.
 */
export async function positionsOf(
  driver: KafkaDriver,
  { topic, group, startFrom }: PositionOptions,
  partitions: readonly number[],
): Promise<Positions> {
  if (partitions.length === 0) return { views: new Map(), starts: [] };
  const read = (): Promise<readonly Committed[]> =>
    driver.committed(group, topic, [...new Set([first, ...partitions])]);
  const before = await read();
  const missing = partitions.filter((partition) => before.every((one) => one.partition !== partition));
  if (missing.length === 0) return { views: viewsOf(before, partitions), starts: [] };
  const isBeginning = startFrom === 'latest' && !isBegun(before);
  // Whoever leads another partition may be away: only who begins for the whole group has to know all of them.
  const ranges = await driver.ranges(topic, Math.max(...partitions) + 1, isBeginning ? undefined : missing);
  // Somebody else may have begun for the group since: whatever has come since this look is behind the end that was seen.
  const committed = isBeginning ? await read() : before;
  const views = viewsOf(committed, partitions);
  const fromEnd = isBeginning && !isBegun(committed);
  for (const { partition, low, high } of ranges) {
    if (views.has(partition) || !partitions.includes(partition)) continue;
    views.set(partition, { offset: fromEnd ? high : low, note: emptyNote, isNew: true });
  }
  if (views.size < partitions.length) throw new KafkaFailure('away', 'the brokers do not know all partitions yet');
  if (!fromEnd || !partitions.includes(first)) return { views, starts: [] };
  // Others of the group may have begun meanwhile.
  const numbers = ranges.map(({ partition }) => partition);
  const known = new Set((await driver.committed(group, topic, numbers)).map(({ partition }) => partition));
  const starts = ranges.filter(({ partition }) => !known.has(partition));
  return { views, starts: starts.map(({ partition, high }) => ({ partition, offset: high, metadata: '' })) };
}

function isBegun(committed: readonly Committed[]): boolean {
  return committed.some(({ partition }) => partition === first);
}

/** What is committed of `partitions`. */
function viewsOf(
  committed: readonly Committed[],
  partitions: readonly number[],
): Map<number, PartitionView & { readonly isNew: boolean }> {
  const own = committed.filter(({ partition }) => partitions.includes(partition));
  return new Map(
    own.map(({ partition, offset, metadata }) => [
      partition,
      { offset, note: decodeNote(offset, metadata), isNew: false },
    ]),
  );
}

/** Whether the group has committed that the record at `offset` is done. @throws {KafkaFailure} `unsure` if it cannot be asked. */
export async function isDone(
  driver: KafkaDriver,
  { topic, group }: PositionOptions,
  partition: number,
  offset: number,
): Promise<boolean> {
  try {
    const [committed] = await driver.committed(group, topic, [partition]);
    if (committed === undefined) return false;
    const { done } = decodeNote(committed.offset, committed.metadata);
    return offset < committed.offset || done.some(({ start, end }) => start <= offset && offset < end);
  } catch (error) {
    throw new KafkaFailure('unsure', 'Kafka has not answered in time; it may be done', error);
  }
}
