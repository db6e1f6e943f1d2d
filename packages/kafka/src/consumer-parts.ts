import type { Clock } from '@nq/core';
import type { Changes } from './changes.ts';
import type { DeadLetterTopic } from './dead-letter-topic.ts';
import type { FlowLimits } from './flow.ts';
import type { Order } from './held-partition.ts';
import type { KafkaDriver } from './kafka-driver.ts';
import type { PositionOptions } from './positions.ts';
import type { RetryTopic } from './retry-topic.ts';

/** What a consumer needs to know. */
interface ConsumerOptions extends FlowLimits, PositionOptions {
  readonly order: Order;
  readonly leaseMs: number;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly fetchBytes: number;
  readonly requestTimeoutMs: number;
  readonly openTimeoutMs: number;
  /** After how long without a pop, and with nothing handed out, partitions are left to others, in milliseconds. */
  readonly idleMs: number;
  readonly foreignKey: string | undefined;
}

/** What consumers are made of. */
export interface ConsumerParts {
  readonly options: ConsumerOptions;
  readonly driver: KafkaDriver;
  readonly clock: Clock;
  /** Where what is given up goes; `undefined` if nothing is. */
  readonly deadLetters: DeadLetterTopic | undefined;
  /** Where what is given back for long goes; `undefined` if it stays where it is. */
  readonly retries: RetryTopic | undefined;
  /** Whether its own topic is that one. */
  readonly isRetry: boolean;
  /** Told of what can be handed out, and of settlements. */
  readonly changes: Changes;
  readonly onWarning: (warning: string) => void;
}
