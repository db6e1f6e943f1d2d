import type { RedisAddress } from './redis-command.ts';
import type { RedisSetup } from './redis-setup.ts';
import type { Server } from './server.ts';
import type { Source } from './stock.ts';

/** The servers that nq is tested with. */
export type RedisVersion = 'redis-7' | 'redis-8' | 'valkey-8';

/** In the order in which tests that want any of them try them. */
export const redisVersionNames: readonly RedisVersion[] = ['redis-7', 'redis-8', 'valkey-8'];

/** Something that a Redis can be started from. */
export interface RedisSource extends Source<RedisVersion> {
  /** Starts one. Does not wait until it answers. */
  start(setup: RedisSetup): Promise<RedisSite>;
}

/** Where a Redis runs. */
export interface RedisSite {
  readonly address: RedisAddress;
  /** `undefined` where it is not ours. */
  readonly server: Server | undefined;
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
