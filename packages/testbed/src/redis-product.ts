import type { RedisReply } from './resp.ts';

/** What a server is, as it says itself. */
export interface RedisProduct {
  readonly product: 'Redis' | 'Valkey';
  readonly version: string;
}

/** Reads it in the answer to `INFO server`. A Valkey also tells, as `redis_version`, which Redis it is compatible with. */
export function productOf(info: RedisReply): RedisProduct {
  const value = (name: string): string | undefined => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(String(info))?.[1];
  return {
    product: value('server_name') === 'valkey' ? 'Valkey' : 'Redis',
    version: value('valkey_version') ?? value('redis_version') ?? 'of an unknown version',
  };
}
