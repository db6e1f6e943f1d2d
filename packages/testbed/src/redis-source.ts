import type { Provider } from './provider.ts';
import type { RedisAddress } from './redis-command.ts';
import type { Server } from './server.ts';

/** The servers that nq is tested with. */
export type RedisVersion = 'redis-7' | 'redis-8' | 'valkey-8';

export const redisVersionNames: readonly RedisVersion[] = ['redis-7', 'redis-8', 'valkey-8'];

/** A place where a Redis comes from. */
export interface RedisSource {
  readonly provider: Provider;
  /** Which of the versions it is; `undefined` for another one. */
  readonly version: RedisVersion | undefined;
  /** What it is, as exactly as is known before it runs: `Redis 7.0.15`. */
  readonly name: string;
  /** The program, the image or the variable it comes from. */
  readonly from: string;
  /** Starts one with these lines of configuration. Does not wait until it answers. */
  start(config: readonly string[]): Promise<RedisSite>;
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
