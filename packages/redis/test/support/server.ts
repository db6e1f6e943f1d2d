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
  afterAll(() => server?.stop());
  return () => {
    if (server === undefined) throw new Error('the server was not started');
    return server;
  };
}

/** A key that no other test has. */
export const newKey = (): string => `events:${randomBytes(4).toString('hex')}`;
