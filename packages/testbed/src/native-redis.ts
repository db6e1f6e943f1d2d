import { join } from 'node:path';
import { findProgram, runProgram } from './find-program.ts';
import { freePort } from './free-port.ts';
import { NativeServer } from './native-server.ts';
import { type RedisSource, redisVersionOf } from './redis-source.ts';

/** The programs that are looked for on PATH. A distribution may install the one under the name of the other. */
const programs = ['redis-server', 'valkey-server'];

/** A server that can be run as a process of this machine. */
export interface RedisProgram {
  readonly path: string;
  readonly product: string;
  readonly version: string;
}

/** Every server on PATH, each once. */
export async function redisPrograms(): Promise<readonly RedisProgram[]> {
  const found = new Map<string, RedisProgram>();
  for (const name of programs) {
    const path = await findProgram(name);
    if (path === undefined) continue;
    const program = await describeProgram(path);
    const key = `${program.product} ${program.version}`;
    if (!found.has(key)) found.set(key, program);
  }
  return [...found.values()];
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
export function nativeRedis({ path, product, version }: RedisProgram): RedisSource {
  return {
    provider: 'native',
    version: redisVersionOf(product, version),
    name: `${product} ${version}`,
    from: path,
    async start(config) {
      const port = await freePort();
      const server = await startNativeRedis(path, port, config);
      return { address: { host: server.host, port, password: passwordIn(config) }, server };
    },
  };
}

/** Starts the program with a configuration of its own. */
function startNativeRedis(path: string, port: number, config: readonly string[]): Promise<NativeServer> {
  const lines = ['bind 127.0.0.1', `port ${port}`, 'save ""', ...config];
  return NativeServer.start({
    port,
    files: { 'redis.conf': `${lines.join('\n')}\n` },
    command: (folder) => [path, join(folder, 'redis.conf'), '--dir', folder],
  });
}

/** The password that a configuration asks for. */
function passwordIn(config: readonly string[]): string | undefined {
  return config
    .map((line) => /^\s*requirepass\s+"?([^"\s]+)"?\s*$/i.exec(line)?.[1])
    .findLast((found) => found !== undefined);
}
