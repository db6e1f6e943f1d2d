import { announce } from './announce.ts';
import { nativeRedis, redisPrograms } from './native-redis.ts';
import { forcedProvider, type Provider, providers } from './provider.ts';
import { missingOffer, offerOf, type RedisOffer } from './redis-offer.ts';
import { type RedisSource, redisVersionNames } from './redis-source.ts';

/** Where servers may come from. */
export interface RedisVersionsOptions {
  /** Ask only this one. @default what `NQ_TESTBED` says, or the first of docker, native and external that has any */
  readonly provider?: Provider | undefined;
}

/** What a provider has, and what it has not. */
interface Stock {
  readonly sources: readonly RedisSource[];
  /** Why there are no others, as it follows the name of the provider. */
  readonly reasons: readonly string[];
}

const stocks: Partial<Record<Provider, () => Promise<Stock>>> = {
  native: async () => {
    const sources = (await redisPrograms()).map(nativeRedis);
    return { sources, reasons: sources.length > 0 ? [] : ['there is no redis-server on PATH'] };
  },
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
export async function redisVersions(options: RedisVersionsOptions = {}): Promise<readonly RedisOffer[]> {
  const offers = await listRedis(options);
  for (const { missing, name } of offers) if (missing !== undefined) announce(`no ${name}`);
  return offers;
}

/** The same for one that looks for the one it needs: what it does not need, it need not announce. */
export async function listRedis({ provider }: RedisVersionsOptions): Promise<readonly RedisOffer[]> {
  const forced = forcedProvider();
  const asked = provider ?? forced;
  const others: string[] = [];
  for (const one of asked === undefined ? providers : [asked]) {
    const { sources, reasons } = (await stocks[one]?.()) ?? { sources: [], reasons: [] };
    const told = reasons.map((reason) => `${one}: ${reason}`);
    if (sources.length === 0) {
      others.push(...told);
      continue;
    }
    const has = `${one} has ${sources.map(({ name }) => name).join(', ')}`;
    const missing = redisVersionNames.filter((version) => sources.every((source) => source.version !== version));
    return [
      ...sources.map((source) => offerOf(source, others)),
      ...missing.map((version) => missingOffer(version, [...others, ...told, has].join('; '))),
    ];
  }
  const reason = others.join('; ');
  if (provider === undefined && forced !== undefined) throw new Error(`Cannot do as NQ_TESTBED says: ${reason}`);
  return redisVersionNames.map((version) => missingOffer(version, reason));
}
