import { virtualClock } from '@nq/core/testing';
import { describe, expect, test } from 'vitest';
import type { KafkaDriver } from '../src/kafka-driver.ts';
import { PartitionCount } from '../src/partition-count.ts';

/** A topic of four partitions, of which brokers say something else, one after the other. @returns what is known after each. */
async function counted(answers: readonly (number | Error)[]) {
  const clock = virtualClock();
  const warnings: string[] = [];
  const left = [...answers];
  const partitionsOf = async (): Promise<number> => {
    const answer = left.shift();
    if (typeof answer === 'number') return answer;
    throw answer;
  };
  const count = new PartitionCount({
    driver: { partitionsOf } as Partial<KafkaDriver> as KafkaDriver,
    clock,
    topic: 'events',
    count: 4,
    maxAgeMs: 1000,
    onWarning: (warning) => warnings.push(warning),
  });
  const known: number[] = [];
  while (left.length > 0) {
    await clock.advance(1000);
    count.look();
    await clock.settle();
    known.push(count.now);
  }
  return { known, warnings };
}

describe('how many partitions a topic has', () => {
  test('is noticed at once when there are more', async () => {
    const { known, warnings } = await counted([4, 6, 6]);
    expect(known).toEqual([4, 6, 6]);
    expect(warnings).toEqual([
      'Topic events has 6 partitions instead of 4: an event may overtake others of its key that were pushed before',
    ]);
  });

  test('is noticed when there are fewer, for the topic was made anew', async () => {
    const { known, warnings } = await counted([2, 2, 2]);
    expect(known).toEqual([4, 2, 2]);
    expect(warnings).toEqual(['Topic events has 2 partitions instead of 4: it was made anew']);
  });

  test('is not less because one broker has not heard of all, or nobody says', async () => {
    const { known, warnings } = await counted([2, 4, 2, new Error('away'), 2, 4]);
    expect(known).toEqual([4, 4, 4, 4, 4, 4]);
    expect(warnings).toEqual([]);
  });
});
