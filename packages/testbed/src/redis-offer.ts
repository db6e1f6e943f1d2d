import { announce } from './announce.ts';
import type { Provider } from './provider.ts';
import { type RedisSource, type RedisVersion, titleOf } from './redis-source.ts';
import { TestRedis } from './test-redis.ts';

/** How one Redis is started. */
export interface RedisStartOptions {
  /** Lines of redis.conf, such as `appendonly yes`. @default none: what it holds is gone when it ends */
  readonly config?: readonly string[] | undefined;
  /** Speak TLS only, with a certificate of its own: `ca` of the server holds it. @default false */
  readonly tls?: boolean | undefined;
}

/** A Redis that tests want to run on: one that can be had, or the reason why not. */
export interface RedisOffer {
  /** For the title of tests: what it is and who provides it, or why it is missing. */
  readonly name: string;
  readonly version: RedisVersion | undefined;
  /** `undefined` where it is missing. */
  readonly provider: Provider | undefined;
  /** Why it cannot be had; `undefined` where it can. */
  readonly missing: string | undefined;
  /** Whether it can be configured, restarted, killed and frozen: one that was given by its address cannot. */
  readonly ours: boolean;
  /** @throws {Error} if it is missing, or does not start. */
  start(options?: RedisStartOptions): Promise<TestRedis>;
}

/** What `source` offers. `others` says why the providers before it were not taken; it may be empty. */
export function offerOf(source: RedisSource, others: string): RedisOffer {
  const { provider, version, name, from } = source;
  return {
    name: `${name} (${provider})`,
    version,
    provider,
    missing: undefined,
    ours: provider !== 'external',
    async start({ config = [], tls = false } = {}) {
      const server = await TestRedis.open({ provider, from }, await source.start({ config, tls }));
      announce(`${server.product} ${server.version} from ${provider} (${from})${others === '' ? '' : `; ${others}`}`);
      return server;
    },
  };
}

/** The offer of what cannot be had. */
export function missingOffer(version: RedisVersion | undefined, reason: string): RedisOffer {
  const title = version === undefined ? 'Redis' : titleOf(version);
  return {
    name: `${title}, which is missing: ${reason}`,
    version,
    provider: undefined,
    missing: reason,
    ours: false,
    start: () => Promise.reject(new Error(`Cannot start ${title}: ${reason}`)),
  };
}
