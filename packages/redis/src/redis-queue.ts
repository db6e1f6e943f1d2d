import { createQueue, type MessageQueue, NqError, systemClock } from '@nq/core';
import { Connection } from './connection.ts';
import { redisError } from './errors.ts';
import { listLayout } from './list-layout.ts';
import { clientMaker } from './open-client.ts';
import { capabilitiesOf } from './redis-capabilities.ts';
import { RedisDriver } from './redis-driver.ts';
import { type RedisQueueOptions, resolveOptions } from './redis-options.ts';
import { request } from './request.ts';
import { readServerFacts, warningsOf } from './server-facts.ts';
import { streamLayout } from './stream-layout.ts';

/**
 * Opens a queue on Redis: connects, and makes sure that the server can be used. The queue has connections of its own, and
 * closes them.
 *
 * @throws {TypeError} {RangeError} if an option is not as it should be. @throws {NqError} `NQ_CONFIG` if the server refuses
 * the user, the database or the key; `NQ_UNAVAILABLE` if it is not reached within `openTimeoutMs`. Nothing is open then.
 */
export async function redisQueue<Data = unknown>(options: RedisQueueOptions): Promise<MessageQueue<Data>> {
  const resolved = resolveOptions(options);
  const { queueKey, stream } = resolved;
  const layout = stream === undefined ? listLayout(queueKey) : streamLayout(queueKey, stream);
  const makeClient = clientMaker(resolved.server);
  const clock = systemClock;
  const connect = (): Connection => new Connection(makeClient, `nq:${queueKey}`, clock);
  const connection = connect();
  try {
    const client = await connection.ready(resolved.openTimeoutMs, 'open a Redis queue');
    const parts = { connection, options: resolved, clock };
    const type = await request(parts, 'open a Redis queue', () => client.type(queueKey));
    if (type !== layout.type && type !== 'none') throw wrongType(queueKey, layout.type, type);
    await layout.prepare?.(client);
    const facts = await readServerFacts(client);
    for (const warning of warningsOf(facts, queueKey)) resolved.onWarning(warning);
    const capabilities = capabilitiesOf(resolved, facts);
    return createQueue<Data, string>(new RedisDriver({ ...parts, capabilities, layout, connect }));
  } catch (error) {
    connection.close();
    throw error instanceof NqError ? error : redisError('open a Redis queue', error);
  }
}

function wrongType(queueKey: string, expected: string, type: string): NqError {
  const message = `Cannot open a Redis queue: queueKey must name a ${expected}, and ${JSON.stringify(queueKey)} is a ${type}`;
  return new NqError('NQ_CONFIG', message);
}
