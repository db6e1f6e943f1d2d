import { announceMissing } from './offer.ts';
import type { Provider } from './provider.ts';
import { type RedisVersion, redisVersionNames } from './redis-source.ts';
import { listRedis, type RedisOffer, type RedisStartOptions } from './redis-versions.ts';
import type { TestRedis } from './test-redis.ts';

/** Which Redis, and how it is started. */
export interface RedisOptions extends RedisStartOptions {
  /** @default the first that can be had */
  readonly version?: RedisVersion | undefined;
  /** Take it from there. @default what `NQ_TESTBED` says, or the first of docker, native and external that has it */
  readonly provider?: Provider | undefined;
}

/**
 * Starts a Redis for tests, empty, and shared with nobody unless it is external. Resolves once it answers.
 *
 * @throws {Error} with what each provider says, if it cannot be had or does not start.
 */
export async function redis({ version, provider, ...options }: RedisOptions = {}): Promise<TestRedis> {
  return (await redisOffer({ version, provider })).start(options);
}

/** The Redis that {@link redis} would start, or why there is none: for tests that are skipped then. */
export async function redisOffer({
  version,
  provider,
}: Pick<RedisOptions, 'version' | 'provider'> = {}): Promise<RedisOffer> {
  const offers =
    version === undefined
      ? await listRedis({ provider, versions: redisVersionNames, one: true })
      : await listRedis({ provider, versions: [version], one: false });
  const offer = offers.find((one) => version === undefined || one.version === version) as RedisOffer;
  announceMissing([offer]);
  return offer;
}
