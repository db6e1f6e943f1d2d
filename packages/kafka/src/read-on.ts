import type { KafkaDriver } from './kafka-driver.ts';
import { KafkaFailure } from './kafka-failure.ts';
import { type Persistence, persistently } from './persistently.ts';

/** Where records are read that are known to be there. */
export interface ReadPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/**
 * What follows `offset`, also if the partition is led by another broker meanwhile, or the broker answers with nothing at
 * first, as one does that slows its clients down: for who reads up to an end that is known, no records are no end.
 *
 * @throws {KafkaFailure} why it cannot be read.
 */
export function readOn(
  driver: KafkaDriver,
  persistence: Persistence,
  { topic, partition, offset }: ReadPlace,
): Promise<Awaited<ReturnType<KafkaDriver['read']>>> {
  return persistently(persistence, async () => {
    const found = await driver.read(topic, partition, offset);
    if (found.end <= offset) throw new KafkaFailure('away', 'the broker gives no records');
    return found;
  });
}
