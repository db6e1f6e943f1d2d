import type { FailureKind } from '../kafka-failure.ts';
import type { ConsumerGroup } from './internals.ts';

/** As whom a group knows a member, and whether what that has is still its own after another join. */
export class MemberIdentity {
  #memberId: string | null = null;
  /** The last generation of the group in which it is known that nobody else had what is ours. */
  #generation = -Infinity;

  /** `null` as long as the group knows it by no name. */
  get memberId(): string | null {
    return this.#memberId;
  }

  /** Notes a join. @returns whether nobody else can have had our partitions since the one before. */
  noteJoin(group: ConsumerGroup): boolean {
    const follows = this.#follows(group);
    this.#memberId = group.memberId;
    this.#generation = group.generationId;
    return follows;
  }

  /** Notes that the group has named us, and that we have no partitions of it yet. */
  noteFailedJoin(group: ConsumerGroup, kind: FailureKind): void {
    // The group began anew before we had dealt out its partitions, and nobody else does that: nobody had any.
    if (kind === 'moved' && group.isLeader() && this.#follows(group)) this.#generation = group.generationId;
    this.#memberId = group.memberId;
  }

  /** Somebody else may have had our partitions: the group has ended the membership. */
  forget(): void {
    this.#memberId = null;
    this.forgetGenerations();
  }

  /** What was ours is not there any more. */
  forgetGenerations(): void {
    this.#generation = -Infinity;
  }

  #follows({ memberId, generationId }: ConsumerGroup): boolean {
    // The same generation is answered to who joins again while nothing has changed for the others.
    const passed = this.#memberId === memberId ? generationId - this.#generation : Infinity;
    return passed === 0 || passed === 1;
  }
}
