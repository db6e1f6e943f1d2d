import { type Clock, NqError } from '@nq/core';
import { within } from '@nq/core/parts';
import type { Connection } from './connection.ts';
import { lostError, redisError } from './errors.ts';
import type { RedisClient } from './script.ts';

/** What a request needs. */
export interface RequestParts {
  readonly connection: Connection;
  readonly options: { readonly requestTimeoutMs: number };
  readonly clock: Clock;
}

const late = Symbol('late');

/**
 * One request, bounded: what `ask` resolves.
 *
 * @throws {NqError} `NQ_UNAVAILABLE` if it was not sent; `NQ_OUTCOME_UNKNOWN` if it has no answer in time, the connection
 * is then made anew, or if its connection was lost and what was sent again has failed; otherwise what Redis has answered.
 */
export async function request<Answer>(
  { connection, options: { requestTimeoutMs }, clock }: RequestParts,
  verb: string,
  ask: (client: RedisClient) => Promise<Answer>,
): Promise<Answer> {
  const client = await connection.ready(requestTimeoutMs, verb);
  const { losses } = connection;
  try {
    const answer = await within(ask(client), requestTimeoutMs, late, clock);
    if (answer !== late) return answer as Answer;
  } catch (error) {
    if (error instanceof NqError) throw error;
    throw connection.losses === losses ? redisError(verb, error) : lostError(verb, error);
  }
  if (connection.isReady) connection.replace();
  throw new NqError('NQ_OUTCOME_UNKNOWN', `Cannot ${verb}: Redis has not answered in time; it may be done`);
}
