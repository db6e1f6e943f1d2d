import { describe, expect, test } from 'vitest';
import { KafkaFailure } from '../src/kafka-failure.ts';
import { type Broker, protocolErrorOf } from '../src/kafkajs/internals.ts';
import { failureOf } from '../src/kafkajs/kafkajs-failures.ts';
import { produceBatch } from '../src/kafkajs/produce-batch.ts';

const named = (name: string, message: string, more: object = {}): Error =>
  Object.assign(new Error(message), { name, ...more });

/** What `call` throws. */
function thrown(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error;
  }
}

describe('a failure', () => {
  test.for([
    ['no leader any more', 6],
    ['a disk that fails', 56],
    ['something unknown', -1],
    ['no coordinator any more', 16],
    ['a coordinator that is away', 15],
  ] as const)('that says %s says nothing of what was to be stored, and all of what was asked', ([, code]) => {
    expect(failureOf(protocolErrorOf(code), true).kind).toBe('unsure');
    expect(failureOf(protocolErrorOf(code), false).kind).not.toBe('unsure');
  });

  test.for([
    ['too few replicas', 19, 'away'],
    ['a record that is too large', 10, 'tooLarge'],
    ['a user who may not', 29, 'refused'],
  ] as const)('that says %s says that nothing was stored', ([, code, kind]) => {
    expect(failureOf(protocolErrorOf(code), true).kind).toBe(kind);
  });

  test.for([
    [
      'a connection that breaks',
      named('KafkaJSConnectionError', 'Connection error: read ECONNRESET', { code: 'ECONNRESET' }),
    ],
    [
      'TLS that breaks',
      named('KafkaJSConnectionError', 'Connection error: bad record', { code: 'ERR_SSL_BAD_RECORD_MAC' }),
    ],
    ['an answer that cannot be read', new RangeError('offset is out of range')],
    ['an answer that goes back', new KafkaFailure('unreadable', 'a text is longer than what holds it')],
    ['an answer that is cut off', thrown(() => Buffer.alloc(2).readInt32BE(0))],
  ] as const)('of %s leaves open what was sent', ([, error]) => {
    expect(failureOf(error, true).kind).toBe('unsure');
  });

  test.for([
    [
      'nobody listens',
      named('KafkaJSConnectionError', 'Connection error: ECONNREFUSED', { code: 'ECONNREFUSED' }),
      'away',
    ],
    [
      'the certificate is not trusted',
      named('KafkaJSConnectionError', 'Connection error: self-signed', { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
      'refused',
    ],
  ] as const)('that there is no connection, for %s, says that nothing was sent', ([, error, kind]) => {
    expect(failureOf(error, true).kind).toBe(kind);
  });

  test.for([
    ['an int32 that is none', thrown(() => Buffer.alloc(4).writeInt32BE(2 ** 31, 0))],
    ['text that is none', thrown(() => Buffer.from(5 as never))],
    ['an answer that is cut off', thrown(() => Buffer.alloc(2).readInt32BE(0))],
  ] as const)('of %s is not taken for a connection that was lost', ([, error]) => {
    expect(error).toHaveProperty('code', expect.stringMatching(/^ERR_/));
    expect(failureOf(error, false)).toMatchObject({ kind: 'other', meaning: 'the client has failed' });
  });

  test('to write what is to be stored says that nothing was sent', async () => {
    const produced = { topic: 't', partition: 0, batch: Buffer.alloc(0), timeoutMs: 2 ** 31 };
    const failure: unknown = await produceBatch({} as Broker, produced).catch((error: unknown) => error);
    expect(failureOf(failure, true)).toMatchObject({ kind: 'other', meaning: 'the request cannot be written' });
  });
});
