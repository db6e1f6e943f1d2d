import { type Clock, NqError } from '@nq/core';
import { within } from '@nq/core/parts';
import type { Committed, KafkaDriver, MemberOptions } from './kafka-driver.ts';
import type { KafkaFailure } from './kafka-failure.ts';

/** What is claimed, and how. */
export interface ClaimParts {
  readonly driver: KafkaDriver;
  readonly clock: Clock;
  readonly membership: Omit<MemberOptions, 'claimsAll'>;
  /** How long to wait for it, in milliseconds. */
  readonly limitMs: number;
  /** What is said if it does not come. */
  readonly busy: string;
}

/** All partitions of a topic, in a group. */
export interface Claim {
  /** Commits for the group. @throws {KafkaFailure} if it cannot, `fenced` also if the claim was lost meanwhile. */
  commit(offsets: readonly Committed[]): Promise<void>;
  /** @throws {NqError} `NQ_UNAVAILABLE` if somebody else has them now, for we have not been heard of for too long. */
  check(): void;
}

/**
 * Does `work` while no other member of the group has a partition of the topic: as a member that gets them all. The others
 * have them back afterwards, and begin with what is committed then.
 *
 * @throws {NqError} `NQ_UNAVAILABLE` after `limitMs`: another process has claimed them, or Kafka does not answer.
 * @throws {KafkaFailure} `refused` if we may not be one.
 */
export async function whileClaimed<Result>(
  { driver, clock, membership, limitMs, busy }: ClaimParts,
  work: (claim: Claim) => Promise<Result>,
): Promise<Result> {
  let generation: unknown;
  let begin = (): void => {};
  let refuse = (_failure: KafkaFailure): void => {};
  const turn = new Promise<boolean>((resolve, reject) => {
    begin = () => resolve(true);
    refuse = reject;
  });
  const member = driver.join(
    { ...membership, claimsAll: true },
    {
      leaving: async () => {},
      async joined(assignment) {
        const { partitions } = assignment;
        generation = partitions.length > 0 ? assignment.generation : undefined;
        if (partitions.length > 0) begin();
        member.pause(partitions);
        return new Map(partitions.map((one) => [one, 0]));
      },
      received: () => {},
      inHand: () => [],
      lostRecords: () => {},
      failed: (failure) => {
        if (failure?.kind === 'refused') refuse(failure);
      },
    },
  );
  try {
    if (!(await within(turn, limitMs, false, clock))) throw new NqError('NQ_UNAVAILABLE', busy);
    return await work({
      commit: (offsets) => member.commit(generation, offsets),
      check() {
        if (generation === undefined) throw new NqError('NQ_UNAVAILABLE', busy);
      },
    });
  } finally {
    await member.close();
  }
}
