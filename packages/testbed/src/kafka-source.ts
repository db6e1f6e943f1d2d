import type { KafkaSetup } from './kafka-setup.ts';
import type { Address } from './link.ts';
import type { Server } from './server.ts';
import type { Source } from './stock.ts';

/** The brokers that nq is tested with. */
export type KafkaVersion = '4.1.0' | '3.9.1';

/** In the order in which tests that want any of them try them. */
export const kafkaVersionNames: readonly KafkaVersion[] = ['4.1.0', '3.9.1'];

/** Something that a Kafka can be started from. */
export interface KafkaSource extends Source<KafkaVersion> {
  /** Starts one broker. Does not wait until it answers. */
  start(setup: KafkaSetup): Promise<Server>;
  /** The brokers that are there already, where they are not ours: then nothing is started. */
  readonly given?: readonly Address[];
}
