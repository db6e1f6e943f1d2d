import { chmod, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder } from './cache-folder.ts';
import { mavenDependency } from './maven.ts';

/** A library for Java programs whose jar carries Redis 6.2 for several systems. */
const artifact = 'com.github.codemonstur:embedded-redis:1.4.4';

/** Its names for processors, which are those of Go. */
const processors: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', ia32: '386' };

/**
 * The path of a Redis that Maven Central has for this machine; fetched once.
 *
 * @throws {Error} if there is no Maven, or no Redis for this machine.
 */
export async function embeddedRedis(): Promise<string> {
  const folder = await cacheFolder(
    `${artifact.split(':').slice(1).join('-')}-${process.platform}-${process.arch}`,
    fetch,
  );
  return join(folder, 'redis-server');
}

async function fetch(folder: string): Promise<void> {
  const jar = join(folder, 'jar');
  await mavenDependency(folder, 'unpack', { artifact, outputDirectory: jar });
  const system = `${process.platform}-${processors[process.arch]}`;
  const name = (await readdir(jar)).find((file) => file.startsWith('redis-server-') && file.endsWith(system));
  if (name === undefined) throw new Error(`${artifact} has no server for ${system}`);
  await rename(join(jar, name), join(folder, 'redis-server'));
  await chmod(join(folder, 'redis-server'), 0o755);
  await rm(jar, { recursive: true });
}
