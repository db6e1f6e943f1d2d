import { describe, expect, test } from 'vitest';
import type { Committed, KafkaDriver, PartitionRange } from '../src/kafka-driver.ts';
import { positionsOf, type PositionOptions } from '../src/positions.ts';

const place = { topic: 't', group: 'g', startFrom: 'earliest' } satisfies PositionOptions;
const committed = (partition: number): Committed => ({ partition, offset: 50, metadata: '' });

/** Four partitions with offsets from 10 to 100, and of which of them it was asked. `commits` is what is committed, look by look. */
function brokers(...commits: readonly (readonly number[])[]) {
  const asked: (readonly number[] | undefined)[] = [];
  let looks = 0;
  const driver = {
    committed: async (_group: string, _topic: string, partitions: readonly number[]) => {
      const now = commits[Math.min(looks++, commits.length - 1)] ?? [];
      return partitions.filter((one) => now.includes(one)).map(committed);
    },
    ranges: async (_topic: string, _count: number, only?: readonly number[]): Promise<readonly PartitionRange[]> => {
      asked.push(only);
      return (only ?? [0, 1, 2, 3]).map((partition) => ({ partition, low: 10, high: 100 }));
    },
  } as unknown as KafkaDriver;
  const offsets = async (partitions: readonly number[], startFrom: PositionOptions['startFrom'] = 'earliest') => {
    const { views, starts } = await positionsOf(driver, { ...place, startFrom }, partitions);
    return {
      views: Object.fromEntries(Array.from(views, ([partition, { offset }]) => [partition, offset])),
      starts: Object.fromEntries(starts.map(({ partition, offset }) => [partition, offset])),
    };
  };
  return { offsets, asked };
}

describe('where a group goes on', () => {
  test.each(['earliest', 'latest'] as const)(
    'is what it has committed, and no broker is asked for more, if it begins at the %s',
    async (startFrom) => {
      const { offsets, asked } = brokers([0, 1, 2]);
      expect(await offsets([1, 2], startFrom)).toEqual({ views: { 1: 50, 2: 50 }, starts: {} });
      expect(asked).toEqual([]);
    },
  );

  test.each(['earliest', 'latest'] as const)(
    'is the first event of a partition that it has not committed, of which alone is asked, if it begins at the %s',
    async (startFrom) => {
      const { offsets, asked } = brokers([0, 1]);
      expect(await offsets([1, 3], startFrom)).toEqual({ views: { 1: 50, 3: 10 }, starts: {} });
      expect(asked).toEqual([[3]]);
    },
  );

  test('is the end of every partition when it begins there, for those of others too', async () => {
    const { offsets, asked } = brokers([]);
    expect(await offsets([0, 2], 'latest')).toEqual({
      views: { 0: 100, 2: 100 },
      starts: { 0: 100, 1: 100, 2: 100, 3: 100 },
    });
    expect(asked).toEqual([undefined]);
  });

  test('is the end also for who does not have the first partition, and leaves it to others to begin', async () => {
    const { offsets } = brokers([]);
    expect(await offsets([2], 'latest')).toEqual({ views: { 2: 100 }, starts: {} });
  });

  test('is where somebody else has begun for the group meanwhile', async () => {
    const { offsets } = brokers([], [0, 2]);
    expect(await offsets([2, 3], 'latest')).toEqual({ views: { 2: 50, 3: 10 }, starts: {} });
  });

  test('is not begun anew where another member has begun before it was committed', async () => {
    const { offsets } = brokers([], [], [1]);
    expect((await offsets([0], 'latest')).starts).toEqual({ 0: 100, 2: 100, 3: 100 });
  });
});
