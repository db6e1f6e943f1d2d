import type { Provider } from './provider.ts';
import type { RedisAddress } from './redis-command.ts';
import type { RedisSetup } from './redis-setup.ts';
import type { Server } from './server.ts';

/** The servers that nq is tested with. */
export type RedisVersion = 'redis-7' | 'redis-8' | 'valkey-8';

/** In the order in which tests that want any of them try them. */
export const redisVersionNames: readonly RedisVersion[] = ['redis-7', 'redis-8', 'valkey-8'];

/** Something that a Redis can be started from. */
export interface RedisSource {
  readonly provider: Provider;
  /** Which of the versions it is; `undefined` for another one. */
  readonly version: RedisVersion | undefined;
  /** What it is, as exactly as is known before it runs: `Redis 7.0.15`. */
  readonly name: string;
  /** The program, the image or the variable it comes from. */
  readonly from: string;
  /** Starts one. Does not wait until it answers. */
  start(setup: RedisSetup): Promise<RedisSite>;
}

/** Where a Redis runs. */
export interface RedisSite {
  readonly address: RedisAddress;
  /** `undefined` where it is not ours. */
  readonly server: Server | undefined;
}

/** What a provider has, and why it has no more. */
export interface RedisStock {
  readonly sources: readonly RedisSource[];
  readonly reasons: readonly Reason[];
}

/** Why a version, or any of them, cannot be had. */
export interface Reason {
  readonly version?: RedisVersion;
  /** As it follows the name of the provider. */
  readonly text: string;
}

/** The version that a server of this product and version number counts as. */
export function redisVersionOf(product: string, number: string): RedisVersion | undefined {
  const major = `${product.toLowerCase()}-${number.split('.')[0]}`;
  return redisVersionNames.find((version) => version === major);
}

/** `Redis 7` for `redis-7`. */
export function titleOf(version: RedisVersion): string {
  const [product = '', major = ''] = version.split('-');
  return `${product[0]?.toUpperCase()}${product.slice(1)} ${major}`;
}
