import { dockerKafkas } from './docker-kafka.ts';
import { externalKafkas } from './external-kafka.ts';
import type { KafkaSecurity } from './kafka-security.ts';
import { type KafkaSource, type KafkaVersion, kafkaVersionNames } from './kafka-source.ts';
import { nativeKafkas } from './native-kafka.ts';
import { announceMissing, missingOffer, type Offer, offerOf } from './offer.ts';
import type { Provider } from './provider.ts';
import { choose, type Stocks, type Wanted } from './stock.ts';
import { TestKafka } from './test-kafka.ts';

/** How one Kafka is started. */
export interface KafkaStartOptions {
  /** Lines of server.properties for each broker, such as `message.max.bytes=1000`. @default none */
  readonly config?: readonly string[] | undefined;
  /** Who gets in, and how. @default everybody, without TLS */
  readonly security?: KafkaSecurity | undefined;
  /**
   * Where each broker tells clients that connect directly to come back, as `host:port`, right or wrong.
   *
   * @default where it is
   */
  readonly advertised?: string | undefined;
  /**
   * Options of the Java machine of each broker. The default spares the second compiler, with which a broker starts in half
   * the time and then does less: benchmarks give `[]`.
   *
   * @default ['-XX:TieredStopAtLevel=1']
   */
  readonly javaOptions?: readonly string[] | undefined;
}

/** A Kafka that tests want to run on: one that can be had, or the reason why not. */
export type KafkaOffer = Offer<KafkaVersion, KafkaStartOptions, TestKafka>;

/** Where brokers may come from. */
export interface KafkaVersionsOptions {
  /** Ask only this one. @default what `NQ_TESTBED` says, or the first of docker, native and external that has any */
  readonly provider?: Provider | undefined;
}

const stocks: Stocks<KafkaVersion, KafkaSource> = {
  docker: dockerKafkas,
  native: nativeKafkas,
  external: externalKafkas,
};

/**
 * Every version that tests want, of one broker each, from the first provider that has any: those that can be had, and the
 * others with the reason. Made for `describe`, like `redisVersions()`.
 *
 * @throws {Error} if the provider that `NQ_TESTBED` asks for has none.
 */
export async function kafkaVersions({ provider }: KafkaVersionsOptions = {}): Promise<readonly KafkaOffer[]> {
  const offers = await listKafka({ provider, versions: kafkaVersionNames, one: false }, 1);
  announceMissing(offers);
  return offers;
}

/** The offers of the first provider that has any of what is wanted, and those that are missing. @throws as kafkaVersions() */
export async function listKafka(wanted: Wanted<KafkaVersion>, brokers: number): Promise<readonly KafkaOffer[]> {
  const { sources, others, why } = await choose(stocks, wanted);
  const offers: KafkaOffer[] = sources.map((source) =>
    offerOf(source, others, ({ javaOptions = ['-XX:TieredStopAtLevel=1'], ...options }: KafkaStartOptions = {}) =>
      TestKafka.start(source, { ...options, brokers, javaOptions }),
    ),
  );
  if (wanted.one) return offers.length > 0 ? offers : [missingOffer<KafkaVersion>('Kafka', undefined, why())];
  const missing = wanted.versions.filter((version) => sources.every((source) => source.version !== version));
  return [...offers, ...missing.map((version) => missingOffer(`Kafka ${version}`, version, why(version)))];
}
