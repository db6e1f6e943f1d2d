import type { Clock } from '@nq/core';
import type { MemberListener, MemberOptions } from '../kafka-driver.ts';
import type { Cluster } from './internals.ts';

/** What a member is made of. */
export interface MemberParts {
  readonly options: MemberOptions;
  readonly listener: MemberListener;
  readonly clock: Clock;
  readonly newCluster: () => Cluster;
  readonly onClosed: () => void;
}
