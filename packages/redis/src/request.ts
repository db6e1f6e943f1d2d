import { type Clock, NqError } from '@nq/core';
import { within } from '@nq/core/parts';
import type { Connection } from './connection.ts';
import { type Asked, isUnsent, lateError, lostError, redisError } from './errors.ts';
import type { RedisClient } from './script.ts';

/** What a request needs. */
export interface RequestParts {
  readonly connection: Connection;
  readonly options: { readonly requestTimeoutMs: number };
  readonly clock: Clock;
}

const late = Symbol('late');

/** What is kept of the time for the answer, in parts of all of it: a connection that has just come back has earned a try. */
const answerPart = 1 / 4;

/**
 * One request, bounded: what `ask` resolves, which may be called again when a connection is lost, and must be done once all
 * the same. Of `requestTimeoutMs`, a quarter is kept for the answer when the rest has gone into waiting for a connection.
 *
 * @throws {NqError} `NQ_UNAVAILABLE` if it was not sent; `NQ_OUTCOME_UNKNOWN` if it has no answer in time, the connection
 * is then made anew, or if its connection was lost and what was sent again has failed; otherwise what Redis has answered.
 */
export function request<Answer>(
  parts: RequestParts,
  verb: string,
  ask: (client: RedisClient) => Promise<Answer>,
): Promise<Answer> {
  return send(parts, { verb, changes: true }, ask);
}

/** As {@link request}, of what changes nothing, or nothing that counts: without an answer it rejects `NQ_UNAVAILABLE`. */
export function read<Answer>(
  parts: RequestParts,
  verb: string,
  ask: (client: RedisClient) => Promise<Answer>,
): Promise<Answer> {
  return send(parts, { verb, changes: false }, ask);
}

async function send<Answer>(
  { connection, options: { requestTimeoutMs }, clock }: RequestParts,
  asked: Asked,
  ask: (client: RedisClient) => Promise<Answer>,
): Promise<Answer> {
  const { verb } = asked;
  const deadline = clock.now() + requestTimeoutMs;
  const leftMs = (): number => Math.max(0, deadline - clock.now());
  // Whether it was sent on a connection that was lost: then an error says nothing of what was done before.
  let isLost = false;
  for (;;) {
    const client = await connection.ready(leftMs() * (1 - answerPart), verb).catch((error: unknown) => {
      throw isLost ? lostError(asked, error) : error;
    });
    const { losses } = connection;
    try {
      const answer = await within(connection.answerOf(client, ask(client)), leftMs(), late, clock);
      if (answer !== late) return answer as Answer;
    } catch (error) {
      if (error instanceof NqError) throw error;
      isLost ||= connection.losses !== losses;
      if (!isUnsent(error) || leftMs() === 0) throw isLost ? lostError(asked, error) : redisError(asked, error);
      await pause(clock);
      continue;
    }
    // Also while it is made again: it would send again what nobody waits for, and Redis remembers requests for a while only.
    connection.replace();
    throw lateError(asked);
  }
}

/** How long to wait before something is sent again, in milliseconds. */
const pauseMs = 20;

export function pause(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(resolve, pauseMs);
  });
}
