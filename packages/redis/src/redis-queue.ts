import { createQueue, type MessageQueue, NqError, systemClock } from '@nq/core';
import { Connection } from './connection.ts';
import { redisError } from './errors.ts';
import { keysOf } from './keys.ts';
import { ListDriver } from './list-driver.ts';
import { clientMaker } from './open-client.ts';
import { capabilitiesOf } from './redis-capabilities.ts';
import { type RedisQueueOptions, resolveOptions } from './redis-options.ts';
import { request } from './request.ts';
import { readServerFacts, warningsOf } from './server-facts.ts';

/**
 * Opens a queue on Redis: connects, and makes sure that the server can be used. The queue has connections of its own, and
 * closes them.
 *
 * @throws {TypeError} {RangeError} if an option is not as it should be. @throws {NqError} `NQ_CONFIG` if the server refuses
 * the user, the database or the key; `NQ_UNAVAILABLE` if it is not reached within `openTimeoutMs`. Nothing is open then.
 */
export async function redisQueue<Data = unknown>(options: RedisQueueOptions): Promise<MessageQueue<Data>> {
  const resolved = resolveOptions(options);
  const keys = keysOf(resolved.queueKey);
  const makeClient = clientMaker(resolved.server);
  const clock = systemClock;
  const connect = (): Connection => new Connection(makeClient, `nq:${resolved.queueKey}`, clock);
  const connection = connect();
  try {
    const client = await connection.ready(resolved.openTimeoutMs, 'open a Redis queue');
    const parts = { connection, options: resolved, clock };
    const type = await request(parts, 'open a Redis queue', () => client.type(keys.ready));
    if (type !== 'list' && type !== 'none') throw wrongType(resolved.queueKey, type);
    const facts = await readServerFacts(client);
    for (const warning of warningsOf(facts, resolved.queueKey)) resolved.onWarning(warning);
    const capabilities = capabilitiesOf(resolved, facts);
    return createQueue<Data, string>(new ListDriver({ ...parts, capabilities, keys, connect }));
  } catch (error) {
    connection.close();
    throw error instanceof NqError ? error : redisError('open a Redis queue', error);
  }
}

function wrongType(queueKey: string, type: string): NqError {
  const message = `Cannot open a Redis queue: queueKey must name a list, and ${JSON.stringify(queueKey)} is a ${type}`;
  return new NqError('NQ_CONFIG', message);
}
