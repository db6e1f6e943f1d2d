import fc from 'fast-check';
import { until } from 'nq-testbed';
import { describe, expect, test } from 'vitest';
import { type Connection, encoded } from '../src/kafkajs/internals.ts';
import { failureOf } from '../src/kafkajs/kafkajs-failures.ts';
import { openQueue } from './support/queue.ts';
import { answerTo, connectionsTo, speaker } from './support/speaker.ts';

/** Asks something, what it is does not matter. @returns the bytes of the answer. */
async function ask(connection: Connection): Promise<unknown> {
  await connection.connect();
  return connection.send({
    request: { apiKey: 18, apiVersion: 0, apiName: 'ApiVersions', encode: async () => encoded(Buffer.alloc(0)) },
    response: { decode: async (bytes) => bytes, parse: async (bytes) => bytes },
  });
}

const nonsense = [
  ['of no length', '00000000'],
  ['too short for its number', '00000003 000000'],
  ['of the length -1', 'ffffffff'],
  ['of a length below zero', 'fffffffb 00000000 00'],
  ['longer than any', '7fffffff 00000000'],
  ['of a broker that speaks TLS', '15030300 020246'],
  ['of no Kafka', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n').toString('hex')],
] as const;

describe('an answer', () => {
  test.each(nonsense)('%s ends its connection, and is told as a lost one', async (_what, text) => {
    await using server = await speaker((client) => client.write(Buffer.from(text.replaceAll(' ', ''), 'hex')));
    const connection = (await connectionsTo(server.port)).pool[0];
    const error: unknown = await ask(connection).catch((thrown: unknown) => thrown);
    expect(failureOf(error, false)).toMatchObject({
      kind: 'away',
      meaning: `the broker at 127.0.0.1:${server.port} has sent what is no answer of Kafka`,
    });
    expect(failureOf(error, true).kind).toBe('unsure');
    expect(connection.socket?.destroyed).toBe(true);
  });

  test('that is none is told by who opens a queue', async () => {
    await using server = await speaker((client) => client.write(Buffer.alloc(4)));
    const opened = openQueue({ brokers: [`127.0.0.1:${server.port}`] } as never, { openTimeoutMs: 5000 });
    await expect(opened).rejects.toMatchObject({
      code: 'NQ_UNAVAILABLE',
      message: expect.stringContaining('has sent what is no answer of Kafka'),
    });
  });

  test('is read in whatever pieces it comes', async () => {
    const sent = Buffer.concat(['', 'to be', 'or not'].map((body, number) => answerTo(number, Buffer.from(body))));
    await using server = await speaker(() => {});
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(sent.length), { maxLength: 8 }), async (cuts) => {
        const connection = (await connectionsTo(server.port)).pool[0];
        const asked = [ask(connection), ask(connection), ask(connection)];
        await until('all to be asked', () => connection.requestQueue.inflight.size === 3);
        const ends = [...cuts.toSorted((a, b) => a - b), sent.length];
        for (const [index, end] of ends.entries()) {
          connection.socket?.emit('data', sent.subarray(ends[index - 1] ?? 0, end));
        }
        expect((await Promise.all(asked)).map(String)).toEqual(['', 'to be', 'or not']);
        connection.socket?.destroy();
      }),
      { numRuns: 50 },
    );
  });

  test('that broke off is no begin of the first one of the next connection', async () => {
    const whole = answerTo(0, Buffer.from('to be or not to be'));
    await using server = await speaker((client, _asked, number) => {
      if (number === 0) client.write(whole.subarray(0, 12), () => client.resetAndDestroy());
      else client.write(answerTo(1, Buffer.from('that is the question')));
    });
    const connection = (await connectionsTo(server.port)).pool[0];
    await expect(ask(connection)).rejects.toThrow(/ECONNRESET/);
    expect(String(await ask(connection))).toBe('that is the question');
    connection.socket?.destroy();
  });
});

describe('a connection that has ended', () => {
  test('keeps no listener of those who end it again', async () => {
    await using server = await speaker((client) => client.resetAndDestroy());
    const connection = (await connectionsTo(server.port)).pool[0];
    await expect(ask(connection)).rejects.toThrow(/ECONNRESET/);
    for (let times = 0; times < 20; times++) await connection.disconnect();
    // What waits for a connection to be made, which this one never will be.
    expect(connection.socket?.listenerCount('connect')).toBeLessThan(3);
  });
});
