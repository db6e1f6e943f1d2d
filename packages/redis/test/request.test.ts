import { NqError } from '@nq/core';
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

const unsent = new Error("Stream isn't writeable and enableOfflineQueue options is false");
const unavailable = new NqError('NQ_UNAVAILABLE', 'there is no connection');

/** What becomes of a request that loses its connection, and is answered `answers`, one by one; then no connection is left. */
async function afterLoss(...answers: readonly (string | Error)[]): Promise<unknown> {
  const clock = virtualClock();
  let asked = 0;
  const settle = async (answer: string | Error): Promise<string> => {
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const connection = {
    get losses() {
      return Math.min(asked, 1);
    },
    answerOf: <Answer>(_client: RedisClient, answer: Promise<Answer>) => answer,
    ready: () => settle(asked < answers.length ? 'a client' : unavailable),
  } as unknown as Connection;
  const ask = (): Promise<string> => settle(answers[asked++] ?? unsent);
  const parts = { connection, clock, options: { requestTimeoutMs: 1000 } };
  return clock.run(request(parts, 'push', ask).catch(({ code }: NqError) => code));
}

test('a request goes on when its connection is lost, and the next one too', async () => {
  expect(await afterLoss(unsent, 'stored')).toBe('stored');
  expect(await afterLoss(unsent, unsent, unsent, 'stored')).toBe('stored');
});

test('a request whose connection was lost may be done, whatever is said later', async () => {
  expect(await afterLoss(unsent, new Error('OOM command not allowed'))).toBe('NQ_OUTCOME_UNKNOWN');
  expect(await afterLoss(unsent, unsent)).toBe('NQ_OUTCOME_UNKNOWN');
});

test('a request ends within its time, however much of it went into waiting for a connection', async () => {
  expect(await unanswered(0)).toEqual({ code: 'NQ_OUTCOME_UNKNOWN', tookMs: 1000 });
  expect(await unanswered(700)).toEqual({ code: 'NQ_OUTCOME_UNKNOWN', tookMs: 1000 });
  expect(await unanswered(800)).toEqual({ code: 'Error: not within 750 ms', tookMs: 750 });
});
