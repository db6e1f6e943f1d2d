import type { RewindPosition } from '@nq/core';
import type { KafkaDriver } from './kafka-driver.ts';

/**
 * The offsets that `position` stands for, by partition: a time, `earliest`, `latest`, or offsets as `0:120,3:7`, partition
 * and offset; then of those partitions only. What is no longer kept stands for the first that is.
 *
 * @param action begins the message of what is thrown.
 * @throws {RangeError} if it is none of these, or there is no such partition, or the offset is beyond its end.
 */
export async function offsetsOf(
  driver: KafkaDriver,
  topic: string,
  position: RewindPosition,
  action: string,
): Promise<ReadonlyMap<number, number>> {
  if ('time' in position) return driver.offsetsAt(topic, position.time);
  const named = parse(position.position);
  if (named === undefined) {
    const got = JSON.stringify(position.position);
    throw new RangeError(`${action}: position must be earliest, latest or offsets such as 0:120,3:7, got ${got}`);
  }
  const ranges = await driver.ranges(topic);
  if (named === 'earliest') return new Map(ranges.map(({ partition, low }) => [partition, low]));
  if (named === 'latest') return new Map(ranges.map(({ partition, high }) => [partition, high]));
  return new Map(
    named.map(([partition, offset]) => {
      const range = ranges.find((one) => one.partition === partition);
      if (range === undefined) throw new RangeError(`${action}: ${topic} has no partition ${partition}`);
      if (offset > range.high) {
        const end = `partition ${partition} of ${topic} ends at ${range.high}`;
        throw new RangeError(`${action}: ${end}, got offset ${offset}`);
      }
      return [partition, Math.max(offset, range.low)];
    }),
  );
}

function parse(position: string): 'earliest' | 'latest' | readonly (readonly [number, number])[] | undefined {
  if (position === 'earliest' || position === 'latest') return position;
  if (!/^\d+:\d+(?:,\d+:\d+)*$/.test(position)) return undefined;
  const pairs = position.split(',').map((pair) => pair.split(':').map(Number) as [number, number]);
  const isUnique = new Set(pairs.map(([partition]) => partition)).size === pairs.length;
  return isUnique && pairs.flat().every((number) => Number.isSafeInteger(number)) ? pairs : undefined;
}
