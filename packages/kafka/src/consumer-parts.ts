import type { Clock } from '@nq/core';
import type { Changes } from './changes.ts';
import type { DeadLetterTopic } from './dead-letter-topic.ts';
import type { FlowLimits } from './flow.ts';
import type { Order } from './held-partition.ts';
import type { KafkaDriver } from './kafka-driver.ts';
import type { ParkedReader } from './parked-reader.ts';
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
  /** How the topic is read if it is a retry topic; `undefined` if it is none. */
  readonly parked: ParkedReader | undefined;
  /** Told of what can be handed out, and of settlements. */
  readonly changes: Changes;
  /** Is called when nothing may be in hand any more. */
  readonly onQuiet: () => void;
  readonly onWarning: (warning: string) => void;
}
