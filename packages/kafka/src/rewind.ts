import type { Clock, RewindPosition } from '@nq/core';
import { whileClaimed } from './claim.ts';
import type { KafkaDriver } from './kafka-driver.ts';
import { KafkaFailure } from './kafka-failure.ts';
import { persistently } from './persistently.ts';
import { offsetsOf } from './rewind-position.ts';

/** Whose position is moved, and how long that may take. */
export interface RewindParts {
  readonly driver: KafkaDriver;
  readonly clock: Clock;
  readonly options: {
    readonly topic: string;
    readonly group: string;
    readonly sessionTimeoutMs: number;
    readonly rebalanceTimeoutMs: number;
    readonly fetchBytes: number;
    readonly deliveryTimeoutMs: number;
  };
}

/**
 * Moves the group, whoever consumes for it at the moment: takes all partitions, so that nobody commits another position,
 * and leaves them with the new one. What is in hand is lost to its holders.
 *
 * @throws {RangeError} if the position is none. @throws {KafkaFailure} {NqError} if it cannot be; then `unsure` says that it
 * may be done.
 */
export async function rewind({ driver, clock, options }: RewindParts, position: RewindPosition): Promise<void> {
  const { topic, group, sessionTimeoutMs, rebalanceTimeoutMs, fetchBytes, deliveryTimeoutMs } = options;
  const offsets = await offsetsOf(driver, topic, position, 'Cannot rewind');
  const committed = Array.from(offsets, ([partition, offset]) => ({ partition, offset, metadata: '' }));
  const membership = { topic, group, sessionTimeoutMs, rebalanceTimeoutMs, fetchBytes };
  const busy = 'Cannot rewind: another process is at it, or Kafka does not answer';
  const limitMs = deliveryTimeoutMs;
  await whileClaimed({ driver, clock, membership, limitMs, busy }, async (claim) => {
    let mayBeDone = false;
    const commit = async (): Promise<void> => {
      try {
        await claim.commit(committed);
      } catch (error) {
        mayBeDone ||= error instanceof KafkaFailure && error.kind === 'unsure';
        throw error;
      }
    };
    try {
      await persistently({ clock, limitMs, passing: ['away', 'unsure', 'moved', 'fenced'] }, commit);
    } catch (error) {
      if (!(error instanceof KafkaFailure) || error.kind === 'refused' || error.kind === 'other') throw error;
      if (mayBeDone) throw new KafkaFailure('unsure', 'Kafka has not answered in time; it may be done', error);
      throw new KafkaFailure('away', 'the group does not come to rest, or Kafka does not answer', error);
    }
  });
}
