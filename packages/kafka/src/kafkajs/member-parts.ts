import type { Clock } from '@nq/core';
import type { MemberListener, MemberOptions } from '../kafka-driver.ts';
import type { Cluster, ConsumerGroup } from './internals.ts';

/** What a member is made of. */
export interface MemberParts {
  readonly options: MemberOptions;
  readonly listener: MemberListener;
  readonly clock: Clock;
  readonly newCluster: () => Cluster;
  readonly onClosed: () => void;
}

/** As long as the same brokers lead our partitions. */
export interface FetchPass {
  isOver: boolean;
  readonly leaders: string;
}

/** A time between two joins. */
export interface Round {
  readonly group: ConsumerGroup;
  readonly generation: number;
  readonly memberId: string | null;
  /** Why it is over; `undefined` as long as it is not. */
  end: { readonly error: unknown } | undefined;
}
