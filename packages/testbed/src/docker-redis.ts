import { ContainerServer } from './container-server.ts';
import { type DockerEngine, dockerEngine } from './docker-engine.ts';
import { freePort } from './free-port.ts';
import { prepareRedis, redisConfig } from './redis-setup.ts';
import { type Reason, type RedisSource, type RedisStock, type RedisVersion, titleOf } from './redis-source.ts';

/** The official image of each version, the variable that names another one, and the program in it. */
const images: Readonly<
  Record<RedisVersion, { readonly variable: string; readonly image: string; readonly program: string }>
> = {
  'redis-7': { variable: 'NQ_TEST_REDIS_7_IMAGE', image: 'redis:7.0', program: 'redis-server' },
  'redis-8': { variable: 'NQ_TEST_REDIS_8_IMAGE', image: 'redis:8.0', program: 'redis-server' },
  'valkey-8': { variable: 'NQ_TEST_VALKEY_8_IMAGE', image: 'valkey/valkey:8.1', program: 'valkey-server' },
};

/** Where the official images keep the data, which their entry points make over to the user of the server. */
const folder = '/data';

/** Those of `versions` whose images are there or can be pulled; only the first of them, if `one` is enough. */
export async function dockerRedises(versions: readonly RedisVersion[], one: boolean): Promise<RedisStock> {
  let engine: DockerEngine;
  try {
    engine = await dockerEngine();
  } catch {
    return { sources: [], reasons: [{ text: 'no engine answers' }] };
  }
  const sources: RedisSource[] = [];
  const reasons: Reason[] = [];
  for (const version of versions) {
    const { variable, image: official, program } = images[version];
    const image = process.env[variable] || official;
    try {
      await engine.fetchImage(image);
    } catch (error) {
      reasons.push({ version, text: (error as Error).message });
      continue;
    }
    sources.push(dockerRedis(engine, { version, image, program }));
    if (one) break;
  }
  return { sources, reasons };
}

function dockerRedis(
  engine: DockerEngine,
  { version, image, program }: { readonly version: RedisVersion; readonly image: string; readonly program: string },
): RedisSource {
  return {
    provider: 'docker',
    version,
    name: titleOf(version),
    from: image,
    async start(setup) {
      const port = await freePort();
      const { files, ...access } = await prepareRedis({ ...setup, bind: '0.0.0.0', port });
      const server = await ContainerServer.start(engine, {
        image,
        ports: [port],
        folder,
        files,
        // Outside of the container only this machine reaches it, where tests connect without a password.
        command: [program, `${folder}/${redisConfig}`, '--dir', folder, '--protected-mode', 'no'],
      });
      return { address: { host: server.host, port, ...access }, server };
    },
  };
}
