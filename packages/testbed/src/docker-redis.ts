import { ContainerServer } from './container-server.ts';
import type { DockerEngine } from './docker-engine.ts';
import { dockerStock, type Image } from './docker-stock.ts';
import { freePort } from './free-port.ts';
import { prepareRedis, redisConfig } from './redis-setup.ts';
import { type RedisSource, type RedisVersion, titleOf } from './redis-source.ts';
import type { Stock } from './stock.ts';

/** The image of each version, and the program in it. */
const images: Readonly<Record<RedisVersion, Image & { readonly program: string }>> = {
  'redis-7': { variable: 'NQ_TEST_REDIS_7_IMAGE', image: 'redis:7.0', program: 'redis-server' },
  'redis-8': { variable: 'NQ_TEST_REDIS_8_IMAGE', image: 'redis:8.0', program: 'redis-server' },
  'valkey-8': { variable: 'NQ_TEST_VALKEY_8_IMAGE', image: 'valkey/valkey:8.1', program: 'valkey-server' },
};

/** Where the official images keep the data, which their entry points make over to the user of the server. */
const folder = '/data';

/** The versions whose images are to be had. */
export function dockerRedises(versions: readonly RedisVersion[], one: boolean): Promise<Stock<RedisSource>> {
  return dockerStock(images, { versions, one }, dockerRedis);
}

function dockerRedis(engine: DockerEngine, version: RedisVersion, image: string): RedisSource {
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
        command: [images[version].program, `${folder}/${redisConfig}`, '--dir', folder, '--protected-mode', 'no'],
      });
      return { address: { host: server.host, port, ...access }, server };
    },
  };
}
