import { type Clock, NqError } from '@nq/core';
import { within } from '@nq/core/parts';
import { Changes } from './changes.ts';
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
  /**
   * Resolves while we have them; waits as long as they are dealt out anew.
   *
   * @throws {NqError} `NQ_UNAVAILABLE` if somebody else has them now, for we have not been heard of for too long.
   */
  check(): Promise<void>;
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
  /** The membership in which the partitions are ours, if they are; `isOpen` while they are dealt out anew, so that nobody knows. */
  const mine: { generation: unknown; isOpen: boolean } = { generation: undefined, isOpen: true };
  const changes = new Changes(clock);
  let begin = (): void => {};
  let refuse = (_failure: KafkaFailure): void => {};
  const turn = new Promise<boolean>((resolve, reject) => {
    begin = () => resolve(true);
    refuse = reject;
  });
  const member = driver.join(
    { ...membership, claimsAll: true },
    {
      async leaving() {
        mine.isOpen = true;
      },
      async joined(assignment) {
        const { partitions } = assignment;
        mine.generation = partitions.length > 0 ? assignment.generation : undefined;
        mine.isOpen = false;
        changes.tell();
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
      commit: (offsets) => member.commit(mine.generation, offsets),
      async check() {
        const deadline = clock.now() + limitMs;
        while (mine.isOpen && clock.now() < deadline) await changes.next(deadline - clock.now());
        if (mine.isOpen || mine.generation === undefined) throw new NqError('NQ_UNAVAILABLE', busy);
      },
    });
  } finally {
    await member.close();
  }
}
