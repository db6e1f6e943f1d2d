import { fileURLToPath } from 'node:url';
import type { Service } from '../harness/service.ts';
import { startService } from '../harness/start-service.ts';

/** The same from `src` and from `dist`. */
const program = fileURLToPath(new URL('../../src/redis/serve.ts', import.meta.url));

/**
 * Starts the Redis that all cases are measured on, as a process of this machine. It keeps nothing on disk.
 *
 * @throws {Failure} if there is none.
 */
export function startRedis(): Promise<Service> {
  return startService('Redis server', program);
}
