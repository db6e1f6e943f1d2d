import { describe, expect, test } from 'vitest';
import { type FlowLimits, steer } from '../src/flow.ts';
import { HeldPartition } from '../src/held-partition.ts';
import { emptyNote, type PartitionNote } from '../src/partition-note.ts';

const limits: FlowLimits = { prefetch: 100, prefetchBytes: 1_000_000 };

/** Every other record, from the second one on, is done. */
function everyOther(runs: number): PartitionNote {
  const done = Array.from({ length: runs }, (_, index) => ({ start: 2 * index + 1, end: 2 * index + 2 }));
  return { ...emptyNote, done };
}

function partitionWith(note: PartitionNote) {
  const partition = new HeldPartition({ topic: 't', partition: 0, order: 'none', position: 0, note });
  const receive = (offset: number) =>
    partition.add({ offset, key: null, value: null, headers: {}, time: 0, isBrokerTime: false, bytes: 1 }, 0);
  return { partition, receive, partitions: new Map([[0, partition]]) };
}

describe('a partition', () => {
  test('that was taken over with as many runs as a note has is read', () => {
    const { partitions } = partitionWith(everyOther(1500));
    expect(steer(partitions, limits)).toEqual({ pausing: [], resuming: [] });
  });

  test('that was taken over with runs is read on when what was fetched of it is done', () => {
    const { partition, receive, partitions } = partitionWith(everyOther(600));
    const held = Array.from({ length: 200 }, (_, offset) => receive(offset)).filter((one) => one !== undefined);
    expect(held).toHaveLength(100);
    expect(steer(partitions, limits)).toEqual({ pausing: [0], resuming: [] });
    for (const one of held) partition.complete(one);
    expect(steer(partitions, limits)).toEqual({ pausing: [], resuming: [0] });
  });

  test('of which too many runs are done behind one that is not is read no further until that is', () => {
    const { partition, receive, partitions } = partitionWith(emptyNote);
    const wide = { ...limits, prefetch: 10_000 };
    const held = Array.from({ length: 1402 }, (_, offset) => receive(offset)).filter((one) => one !== undefined);
    for (const one of held) if (one.record.offset % 2 === 1) partition.complete(one);
    expect(steer(partitions, wide)).toEqual({ pausing: [0], resuming: [] });
    for (const one of held) if (one.record.offset % 2 === 0) partition.complete(one);
    expect(steer(partitions, wide)).toEqual({ pausing: [], resuming: [0] });
  });
});
