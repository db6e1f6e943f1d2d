import { join } from 'node:path';
import { embeddedRedis } from './embedded-redis.ts';
import { findProgram, runProgram } from './find-program.ts';
import { freePort } from './free-port.ts';
import { NativeServer } from './native-server.ts';
import { prepareRedis, redisConfig } from './redis-setup.ts';
import { type RedisSource, redisVersionOf } from './redis-source.ts';
import type { Stock } from './stock.ts';

/** The programs that are looked for on PATH. A distribution may install the one under the name of the other. */
const programs = ['redis-server', 'valkey-server'];

/**
 * The servers on PATH, each once and whatever their versions: these are the ones that this machine has. Where there is
 * none, the one that Maven Central has.
 */
export async function nativeRedises(): Promise<Stock<RedisSource>> {
  const found = new Map<string, RedisSource>();
  for (const name of programs) {
    const path = await findProgram(name);
    if (path === undefined) continue;
    const source = nativeRedis(await describeProgram(path));
    if (!found.has(source.name)) found.set(source.name, source);
  }
  if (found.size > 0) return { sources: [...found.values()], reasons: [] };
  try {
    return { sources: [nativeRedis(await describeProgram(await embeddedRedis()))], reasons: [] };
  } catch (error) {
    const text = `there is no redis-server on PATH, and none from Maven Central (${(error as Error).message})`;
    return { sources: [], reasons: [{ text }] };
  }
}

/** A server that can be run as a process of this machine. */
interface RedisProgram {
  readonly path: string;
  readonly product: string;
  readonly version: string;
}

/** @throws {Error} if the program does not say what it is. */
async function describeProgram(path: string): Promise<RedisProgram> {
  const printed = await runProgram(path, ['--version']);
  // 'Redis server v=7.0.15 sha=…', 'Valkey server v=8.1.1 sha=…'
  const [, product, version] = /^(\w+) server v=(\S+)/.exec(printed) ?? [];
  if (product === undefined || version === undefined) {
    throw new Error(`Cannot tell the version of ${path}: it says ${JSON.stringify(printed.slice(0, 100))}`);
  }
  return { path, product, version };
}

/** `program` as a source of servers on the loopback interface. */
function nativeRedis({ path, product, version }: RedisProgram): RedisSource {
  return {
    provider: 'native',
    version: redisVersionOf(product, version),
    name: `${product} ${version}`,
    from: path,
    async start(setup) {
      const { port = await freePort(), sentinel = false } = setup;
      const { files, ...access } = await prepareRedis({ ...setup, bind: '127.0.0.1', port });
      const server = await NativeServer.start({
        port,
        files,
        command: (folder) => [path, join(folder, redisConfig), ...(sentinel ? ['--sentinel'] : []), '--dir', folder],
      });
      return { address: { host: server.host, port, ...access }, server };
    },
  };
}
