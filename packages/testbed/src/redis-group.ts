import { announce } from './announce.ts';
import { nativeRedises } from './native-redis.ts';
import type { RedisSetup } from './redis-setup.ts';
import { TestRedis } from './test-redis.ts';

/**
 * Starts several native servers that are to know each other, one after the other, each as the entry of `setups` says. All
 * are stopped if one does not start.
 *
 * @param what what they are together, for the log of the tests
 * @throws {Error} if there is no native Redis, or one does not start.
 */
export async function startNativeRedises(what: string, setups: readonly RedisSetup[]): Promise<readonly TestRedis[]> {
  const { sources, reasons } = await nativeRedises();
  const [source] = sources;
  if (source === undefined) {
    throw new Error(`Cannot start ${what}: native: ${reasons.map(({ text }) => text).join(', ')}`);
  }
  const { provider, from } = source;
  const servers: TestRedis[] = [];
  try {
    for (const setup of setups) servers.push(await TestRedis.open({ provider, from }, await source.start(setup)));
  } catch (error) {
    await stopAll(servers);
    throw error;
  }
  announce(`${source.name} as ${what} from ${provider} (${from})`);
  return servers;
}

export async function stopAll(servers: readonly TestRedis[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()));
}
