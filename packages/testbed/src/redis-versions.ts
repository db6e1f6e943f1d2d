import { dockerRedises } from './docker-redis.ts';
import { externalRedises } from './external-redis.ts';
import { nativeRedises } from './native-redis.ts';
import { announceMissing, missingOffer, type Offer, offerOf } from './offer.ts';
import type { Provider } from './provider.ts';
import { type RedisSource, type RedisVersion, redisVersionNames, titleOf } from './redis-source.ts';
import { choose, type Stocks, type Wanted } from './stock.ts';
import { TestRedis } from './test-redis.ts';

/** How one Redis is started. */
export interface RedisStartOptions {
  /** Lines of redis.conf, such as `appendonly yes`. @default none: what it holds is gone when it ends */
  readonly config?: readonly string[] | undefined;
  /** Speak TLS only, with a certificate of its own: `ca` of the server holds it. @default false */
  readonly tls?: boolean | undefined;
}

/** A Redis that tests want to run on: one that can be had, or the reason why not. */
export type RedisOffer = Offer<RedisVersion, RedisStartOptions, TestRedis>;

/** Where servers may come from. */
export interface RedisVersionsOptions {
  /** Ask only this one. @default what `NQ_TESTBED` says, or the first of docker, native and external that has any */
  readonly provider?: Provider | undefined;
}

const stocks: Stocks<RedisVersion, RedisSource> = {
  docker: dockerRedises,
  native: nativeRedises,
  external: externalRedises,
};

/**
 * Every version that tests want, from the first provider that has any: those that can be had, and the others with the
 * reason. Made for `describe`, so that nothing is silently left out:
 *
 * ```ts
 * for (const { name, missing, start } of await redisVersions()) {
 *   describe.skipIf(missing !== undefined)(`a queue on ${name}`, () => { … });
 * }
 * ```
 *
 * @throws {Error} if the provider that `NQ_TESTBED` asks for has none.
 */
export async function redisVersions({ provider }: RedisVersionsOptions = {}): Promise<readonly RedisOffer[]> {
  const offers = await listRedis({ provider, versions: redisVersionNames, one: false });
  announceMissing(offers);
  return offers;
}

/** The offers of the first provider that has any of what is wanted, and those that are missing. @throws as redisVersions() */
export async function listRedis(wanted: Wanted<RedisVersion>): Promise<readonly RedisOffer[]> {
  const { sources, others, why } = await choose(stocks, wanted);
  const offers: RedisOffer[] = sources.map((source) =>
    offerOf(source, others, async ({ config = [], tls = false }: RedisStartOptions = {}) =>
      TestRedis.open(source, await source.start({ config, tls })),
    ),
  );
  if (wanted.one) return offers.length > 0 ? offers : [missingOffer<RedisVersion>('Redis', undefined, why())];
  const missing = wanted.versions.filter((version) => sources.every((source) => source.version !== version));
  return [...offers, ...missing.map((version) => missingOffer(titleOf(version), version, why(version)))];
}
