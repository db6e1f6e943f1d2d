import type { Clock } from '@nq/core';
import type { DeadLetterTopic } from './dead-letter-topic.ts';
import type { FlowLimits } from './flow.ts';
import type { Order } from './held-partition.ts';
import type { KafkaDriver } from './kafka-driver.ts';
import type { PositionOptions } from './positions.ts';

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

/** What a consumer is made of. */
export interface ConsumerParts {
  readonly options: ConsumerOptions;
  readonly driver: KafkaDriver;
  readonly clock: Clock;
  /** Where what is given up goes; `undefined` if nothing is. */
  readonly deadLetters: DeadLetterTopic | undefined;
  readonly onWarning: (warning: string) => void;
}
