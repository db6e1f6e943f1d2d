import { type KafkaVersion, kafkaVersionNames } from './kafka-source.ts';
import { type KafkaOffer, type KafkaStartOptions, listKafka } from './kafka-versions.ts';
import { announceMissing } from './offer.ts';
import type { Provider } from './provider.ts';
import type { TestKafka } from './test-kafka.ts';

/** Which Kafka, and how it is started. */
export interface KafkaOptions extends KafkaStartOptions {
  /** @default the first that can be had */
  readonly version?: KafkaVersion | undefined;
  /** How many brokers. More than one are always native processes: containers would not reach each other. @default 1 */
  readonly brokers?: number | undefined;
  /** Take it from there. @default what `NQ_TESTBED` says, or the first of docker, native and external that has it */
  readonly provider?: Provider | undefined;
}

/**
 * Starts a Kafka for tests, in KRaft mode, empty, and shared with nobody unless it is external. Resolves once all of its
 * brokers answer and know each other.
 *
 * @throws {Error} with what each provider says, if it cannot be had or does not start.
 */
export async function kafka({ version, brokers, provider, ...options }: KafkaOptions = {}): Promise<TestKafka> {
  return (await kafkaOffer({ version, brokers, provider })).start(options);
}

/** The Kafka that {@link kafka} would start, or why there is none: for tests that are skipped then. */
export async function kafkaOffer({
  version,
  brokers = 1,
  provider,
}: Omit<KafkaOptions, keyof KafkaStartOptions> = {}): Promise<KafkaOffer> {
  if (!(brokers >= 1)) throw new RangeError(`Cannot start Kafka: brokers must be >= 1, got ${brokers}`);
  if (brokers > 1 && provider !== undefined && provider !== 'native') {
    throw new RangeError(`Cannot start Kafka: ${brokers} brokers are native processes, not ${provider}`);
  }
  const from = brokers > 1 ? 'native' : provider;
  const offers =
    version === undefined
      ? await listKafka({ provider: from, versions: kafkaVersionNames, one: true }, brokers)
      : await listKafka({ provider: from, versions: [version], one: false }, brokers);
  const offer = offers.find((one) => version === undefined || one.version === version) as KafkaOffer;
  announceMissing([offer]);
  return offer;
}
