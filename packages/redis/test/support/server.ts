import { randomBytes } from 'node:crypto';
import { redisOffer, type TestRedis } from 'nq-testbed';
import { afterAll, beforeAll } from 'vitest';

/** The Redis that the tests run on. */
export const offer = await redisOffer();

/** Why there are no tests that configure, freeze or kill their server; `undefined` if there are. */
export const notOurs = offer.missing ?? (offer.ours ? undefined : 'the server is not ours to configure');

/** Starts a server for the tests of the block that this is called in. @returns what gives it to them. */
export function useServer(...config: readonly string[]): () => TestRedis {
  let server: TestRedis | undefined;
  beforeAll(async () => {
    server = await offer.start({ config });
  });
  afterAll(async () => {
    if (server !== undefined && !offer.ours) await removeKeys(server);
    await server?.stop();
  });
  return () => {
    if (server === undefined) throw new Error('the server was not started');
    return server;
  };
}

const given: string[] = [];

/** A key that no other test has. */
export function newKey(): string {
  const key = `events:${randomBytes(4).toString('hex')}`;
  given.push(key);
  return key;
}

/** Leaves a server that is not ours as it was, but for what expires by itself. */
async function removeKeys(server: TestRedis): Promise<void> {
  for (const key of given.splice(0)) {
    const keys = (await server.command('KEYS', `*${key}*`)) as string[];
    if (keys.length > 0) await server.command('DEL', ...keys);
  }
}
