import { createQueue, isNqError, type MessageQueue, NqError, systemClock } from '@nq/core';
import { askNodeOf } from './ask-node-of.ts';
import { Connection } from './connection.ts';
import { redisError } from './errors.ts';
import type { Layout } from './layout.ts';
import { listLayout } from './list-layout.ts';
import { clientMaker } from './open-client.ts';
import { capabilitiesOf } from './redis-capabilities.ts';
import { RedisDriver } from './redis-driver.ts';
import { type RedisQueueOptions, resolveOptions } from './redis-options.ts';
import { pause, read } from './request.ts';
import { type RedisClient, runScript } from './script.ts';
import { type ServerFacts, serverFactsOf, warningsOf } from './server-facts.ts';
import { streamLayout } from './stream-layout.ts';

const verb = 'open a Redis queue';

/** In less time than this, in milliseconds, it is not worth asking again. */
const leastMs = 100;

/**
 * Opens a queue on Redis: connects, and makes sure that the key can be used and that the user may run scripts there. What
 * the user lacks of what scripts call is told by the calls that need it. The queue has connections of its own, and closes
 * them.
 *
 * @throws {TypeError} {RangeError} if an option is not as it should be. @throws {NqError} `NQ_CONFIG` if the server refuses
 * the user, the database or the key, or if events of the other mode are left beside the key; `NQ_UNAVAILABLE` if there is no
 * connection, or no answer, within `openTimeoutMs`, or if the server still says then that it can run no scripts for now.
 * Nothing is open then.
 */
export async function redisQueue<Data = unknown>(options: RedisQueueOptions): Promise<MessageQueue<Data>> {
  const resolved = resolveOptions(options);
  const { queueKey, stream } = resolved;
  const layout = stream === undefined ? listLayout(queueKey) : streamLayout(queueKey, stream);
  const makeClient = clientMaker(resolved.server);
  const clock = systemClock;
  // CLIENT SETNAME takes what can be seen in ASCII.
  const name = `nq:${queueKey.replaceAll(/[^!-~]/g, '_')}`;
  const connect = (): Connection => new Connection(makeClient, name, clock);
  const connection = connect();
  const deadline = clock.now() + resolved.openTimeoutMs;
  // Whatever is asked may be asked again, so a server that is slow to answer, or cannot for now, is no reason to give up.
  const ask = async <Answer>(question: (client: RedisClient) => Promise<Answer>): Promise<Answer> => {
    let refusal: unknown;
    for (;;) {
      // The reason that it was refused for says more than that the next try was given no time.
      if (refusal !== undefined && deadline - clock.now() < leastMs) throw refusal;
      // Also for one that is made anew: a request would wait for it no longer than for its own answer.
      await connection.ready(Math.max(1, deadline - clock.now()), verb);
      const requestTimeoutMs = Math.min(resolved.requestTimeoutMs, Math.max(1, deadline - clock.now()));
      try {
        // A try that was lost may have made the group, which the next one finds: so it counts as a question.
        return await read({ connection, clock, options: { requestTimeoutMs } }, verb, question);
      } catch (error) {
        if (!isNqError(error, 'NQ_UNAVAILABLE')) throw error;
        refusal = error;
      }
      // Some say so at once, such as a cluster whose nodes send it to one another.
      await pause(clock);
    }
  };
  let facts: ServerFacts;
  try {
    await ask((client) => openKey(client, queueKey, layout));
    const info = (client: RedisClient): Promise<string> => askNodeOf(client, queueKey, 'info').then(String);
    facts = serverFactsOf(await ask(info).catch(unlessRefused));
  } catch (error) {
    connection.close();
    throw error instanceof NqError ? error : redisError({ verb, changes: false }, error);
  }
  try {
    for (const warning of warningsOf(facts, queueKey)) resolved.onWarning(warning);
  } catch (error) {
    connection.close();
    throw error;
  }
  const capabilities = capabilitiesOf(resolved, facts);
  return createQueue<Data, string>(
    new RedisDriver({ connection, clock, options: resolved, capabilities, layout, connect }),
  );
}

/** @throws {NqError} `NQ_CONFIG` if `queueKey` is of another type, or if events are left there of the other mode. */
async function openKey(client: RedisClient, queueKey: string, { type: expected, open }: Layout): Promise<void> {
  const answer = (await runScript(client, open.script, open.keys, open.args)) as readonly Buffer[];
  const [type, ...left] = answer.map(String);
  const isWrong = type !== expected && type !== 'none';
  if (!isWrong && left.length === 0) return;
  const what = JSON.stringify(queueKey) + (isWrong ? ` is a ${type}` : '');
  const other = expected === 'list' ? 'stream' : 'list';
  const names = left.slice(0, mostNames).join(', ') + (left.length > mostNames ? ', …' : '');
  const events = left.length === 0 ? '' : `${isWrong ? ', and' : ' has'} events of a ${other} in ${names}`;
  throw new NqError('NQ_CONFIG', `Cannot ${verb}: queueKey must name a ${expected}, and ${what}${events}`);
}

/** How many keys of the other mode a message names. */
const mostNames = 5;

/** Where INFO may not be run, or has another name, nothing is known. */
function unlessRefused(error: unknown): undefined {
  if (isNqError(error, 'NQ_CONFIG')) return undefined;
  throw error;
}
