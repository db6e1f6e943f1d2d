import { announce } from './announce.ts';
import { dockerRedises } from './docker-redis.ts';
import { externalRedises } from './external-redis.ts';
import { nativeRedises } from './native-redis.ts';
import { forcedProvider, type Provider, providers } from './provider.ts';
import { missingOffer, offerOf, type RedisOffer } from './redis-offer.ts';
import { type Reason, type RedisStock, type RedisVersion, redisVersionNames } from './redis-source.ts';

/** Where servers may come from. */
export interface RedisVersionsOptions {
  /** Ask only this one. @default what `NQ_TESTBED` says, or the first of docker, native and external that has any */
  readonly provider?: Provider | undefined;
}

/** Of each provider, what it has of `versions`; or just the first, if `one` is enough. */
const stocks: Readonly<Record<Provider, (versions: readonly RedisVersion[], one: boolean) => Promise<RedisStock>>> = {
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
  for (const { missing, name } of offers) if (missing !== undefined) announce(name);
  return offers;
}

/** What is looked for. */
export interface RedisWanted {
  readonly provider: Provider | undefined;
  readonly versions: readonly RedisVersion[];
  /** Whether one of the versions is enough: then those that are not there are no loss. */
  readonly one: boolean;
}

/** The offers of the first provider that has any of what is wanted, and what is missing. @throws as redisVersions() */
export async function listRedis({ provider, versions, one }: RedisWanted): Promise<readonly RedisOffer[]> {
  const forced = forcedProvider();
  const asked = provider ?? forced;
  const tried: Tried[] = [];
  for (const candidate of asked === undefined ? providers : [asked]) {
    const { sources, reasons } = await stocks[candidate](versions, one);
    tried.push({ provider: candidate, reasons });
    if (sources.length === 0) continue;

    const offers = sources.map((source) => offerOf(source, why(tried.slice(0, -1))));
    if (one) return offers;
    const has = `${candidate} has ${sources.map(({ name }) => name).join(', ')}`;
    const missing = versions.filter((version) => sources.every((source) => source.version !== version));
    return [...offers, ...missing.map((version) => missingOffer(version, join(why(tried, version), has)))];
  }
  if (provider === undefined && forced !== undefined) throw new Error(`Cannot do as NQ_TESTBED says: ${why(tried)}`);
  return one
    ? [missingOffer(undefined, why(tried))]
    : versions.map((version) => missingOffer(version, why(tried, version)));
}

/** A provider that was asked, and what it is lacking. */
interface Tried {
  readonly provider: Provider;
  readonly reasons: readonly Reason[];
}

/** Why `version`, or any, could not be had of those that were tried: `docker: no engine answers; native: …`. */
function why(tried: readonly Tried[], version?: RedisVersion): string {
  return tried
    .map(({ provider, reasons }) => {
      const texts = reasons
        .filter((reason) => version === undefined || reason.version === undefined || reason.version === version)
        .map(({ text }) => text);
      return texts.length === 0 ? '' : `${provider}: ${texts.join(', ')}`;
    })
    .reduce(join, '');
}

function join(one: string, other: string): string {
  return [one, other].filter((text) => text !== '').join('; ');
}
