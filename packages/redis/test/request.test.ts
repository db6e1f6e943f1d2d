import { virtualClock } from '@nq/core/testing';
import { expect, test } from 'vitest';
import type { Connection } from '../src/connection.ts';
import { request } from '../src/request.ts';
import type { RedisClient } from '../src/script.ts';
import { codeOf } from './support/queue.ts';

/** A connection that is there `readyMs` after it was asked for; and what becomes of a request to it that has no answer. */
async function unanswered(readyMs: number): Promise<{ readonly code: string; readonly tookMs: number }> {
  const clock = virtualClock();
  const connection = {
    losses: 0,
    replace() {},
    answerOf: <Answer>(_client: RedisClient, answer: Promise<Answer>) => answer,
    ready: (limitMs: number) =>
      new Promise<void>((resolve, reject) => {
        clock.schedule(resolve, readyMs);
        clock.schedule(() => reject(new Error(`not within ${limitMs} ms`)), limitMs);
      }),
  } as unknown as Connection;
  const never = (_client: RedisClient): Promise<never> => new Promise(() => {});
  const code = await clock.run(
    codeOf(request({ connection, clock, options: { requestTimeoutMs: 1000 } }, 'push', never)),
  );
  return { code, tookMs: clock.now() };
}

test('a request ends within its time, however much of it went into waiting for a connection', async () => {
  expect(await unanswered(0)).toEqual({ code: 'NQ_OUTCOME_UNKNOWN', tookMs: 1000 });
  expect(await unanswered(700)).toEqual({ code: 'NQ_OUTCOME_UNKNOWN', tookMs: 1000 });
  expect(await unanswered(800)).toEqual({ code: 'Error: not within 750 ms', tookMs: 750 });
});
