import type { FailureKind } from '../kafka-failure.ts';
import type { ConsumerGroup } from './internals.ts';

/** As whom a group knows a member, and whether what that has is still its own after another join. */
export class MemberIdentity {
  #memberId: string | null = null;
  /** The last generation of the group in which we were. */
  #generation = -Infinity;
  /** The last one that came to nothing: in which nobody had partitions, as the coordinator has said. */
  #undealt: { readonly generation: number; readonly coordinator: unknown } | undefined;
  /** One that we may have dealt out: there was no answer. */
  #doubtful: number | undefined;

  /** `null` as long as the group knows it by no name. */
  get memberId(): string | null {
    return this.#memberId;
  }

  /** Notes a join. @returns whether nobody else can have had our partitions since the one before. */
  noteJoin(group: ConsumerGroup): boolean {
    const follows = this.#follows(group);
    this.#memberId = group.memberId;
    this.#generation = group.generationId;
    this.#undealt = undefined;
    return follows;
  }

  /** Notes a join that has failed, after which the group may know us by a name. */
  noteFailedJoin(group: ConsumerGroup, kind: FailureKind): void {
    const { generationId: generation, memberId } = group;
    if (memberId !== this.#memberId) this.forgetGenerations();
    this.#memberId = memberId;
    if (kind !== 'moved') {
      this.#doubtful = generation;
      this.#undealt = undefined;
      return;
    }
    // The group began anew before its leader, which we are, could deal out the partitions.
    const isUndealt = group.isLeader() === true && generation !== this.#doubtful && this.#follows(group);
    if (isUndealt) this.#undealt = { generation, coordinator: group.coordinator.nodeId };
  }

  /** Somebody else may have had our partitions: the group has ended the membership. */
  forget(): void {
    this.#memberId = null;
    this.forgetGenerations();
  }

  /** What was ours is not there any more. */
  forgetGenerations(): void {
    this.#generation = -Infinity;
    this.#undealt = undefined;
  }

  #follows({ memberId, generationId, coordinator }: ConsumerGroup): boolean {
    if (this.#memberId !== memberId) return false;
    // The same generation is answered to who joins again while nothing has changed for the others.
    const isNext = (known: number): boolean => generationId === known || generationId === known + 1;
    if (isNext(this.#generation)) return true;
    // Another coordinator may have found that we had dealt them out.
    return (
      this.#undealt !== undefined &&
      this.#undealt.coordinator === coordinator.nodeId &&
      isNext(this.#undealt.generation)
    );
  }
}
