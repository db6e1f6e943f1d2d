import { type RedisAddress, redisCommand } from './redis-command.ts';
import { productOf } from './redis-product.ts';
import { type RedisSource, redisVersionOf } from './redis-source.ts';
import type { Stock } from './stock.ts';

const variable = 'NQ_TEST_REDIS_URL';

/** The server that `NQ_TEST_REDIS_URL` names, if it answers. It is not ours: no test may stop it, and it is not empty. */
export async function externalRedises(): Promise<Stock<RedisSource>> {
  const url = process.env[variable];
  if (url === undefined || url === '') return { sources: [], reasons: [{ text: `${variable} is not set` }] };
  try {
    const address = readUrl(url);
    const { product, version } = productOf(await redisCommand(address, ['INFO', 'server']));
    const source: RedisSource = {
      provider: 'external',
      version: redisVersionOf(product, version),
      name: `${product} ${version}`,
      from: variable,
      start: async ({ config, tls }) => {
        if (config.length > 0 || tls)
          throw new Error(`Cannot configure ${product}: ${variable} names one that is not ours`);
        return { address, server: undefined };
      },
    };
    return { sources: [source], reasons: [] };
  } catch (error) {
    return { sources: [], reasons: [{ text: `${variable} is of no use (${(error as Error).message})` }] };
  }
}

/** @throws {Error} if it is not the URL of a Redis. Never shows it, because it may hold a password. */
function readUrl(text: string): RedisAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const db = url === undefined ? null : /^\/?(\d*)$/.exec(url.pathname);
  if (url === undefined || db === null || !/^rediss?:$/.test(url.protocol)) {
    throw new Error('it is not like redis://host:6379/0');
  }
  const given = (part: string): string | undefined => (part === '' ? undefined : decodeURIComponent(part));
  return {
    host: url.hostname.replaceAll(/[[\]]/g, ''),
    port: Number(url.port || 6379),
    username: given(url.username),
    password: given(url.password),
    db: Number(db[1]),
    tls: url.protocol === 'rediss:' ? true : undefined,
  };
}
