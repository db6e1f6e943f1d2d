import { inspect } from 'node:util';
import { openQueue } from '@nq/core';
import { describe, expect, test } from 'vitest';
import { kafkaQueue, type KafkaQueueOptions } from '../src/index.ts';

const valid = { topic: 't', groupId: 'g' };

describe('kafkaQueue() refuses, before it connects', () => {
  test.each<[string, unknown, typeof TypeError | typeof RangeError]>([
    ['topic must be a string, got undefined', { groupId: 'g' }, TypeError],
    ['topic must be 1 to 249 of the characters a-z, A-Z, 0-9, ".", "_" and "-"', { ...valid, topic: '' }, RangeError],
    ['got "orders/eu"', { ...valid, topic: 'orders/eu' }, RangeError],
    ['not "." or "..", got ".."', { ...valid, topic: '..' }, RangeError],
    ['topic must be 1 to 249 of the characters', { ...valid, topic: 'x'.repeat(250) }, RangeError],
    [
      'got 252 characters, which is the default here: give another one',
      { topic: 'x'.repeat(200), groupId: 'g'.repeat(46) },
      RangeError,
    ],
    [
      'got "t.my group.dead", which is the default here: give another one',
      { topic: 't', groupId: 'my group' },
      RangeError,
    ],
    ['deadLetterTopic must be 1 to 249 of the characters', { ...valid, deadLetterTopic: 'a b' }, RangeError],
    ['deadLetterTopic must be another topic than topic', { ...valid, deadLetterTopic: 't' }, RangeError],
    ['retryTopic must be a string, got number', { ...valid, retryTopic: 5 }, TypeError],
    ['retryTopic must be 1 to 249 of the characters', { ...valid, retryTopic: 'a b' }, RangeError],
    ['retryTopic must be another topic than topic and deadLetterTopic', { ...valid, retryTopic: 't' }, RangeError],
    ['retryTopic must be another topic', { ...valid, retryTopic: 'd', deadLetterTopic: 'd' }, RangeError],
    ['retryAfterMs needs a retryTopic', { ...valid, retryAfterMs: 1000 }, TypeError],
    ['retryAfterMs must be finite, got Infinity', { ...valid, retryTopic: true, retryAfterMs: Infinity }, RangeError],
    ['groupId must not be empty', { ...valid, groupId: '' }, RangeError],
    ['version must be like "2.8" or "2.8.0", got "v2.8"', { ...valid, version: 'v2.8' }, RangeError],
    ['version must be like "2.8" or "2.8.0", got "3"', { ...valid, version: '3' }, RangeError],
    ['version must be a string, got number', { ...valid, version: 2.8 }, TypeError],
    ['groupId must be a string, got number', { ...valid, groupId: 5 }, TypeError],
    ['unknown option "brokrs"', { ...valid, brokrs: [] }, TypeError],
    ['brokers must be an array of addresses', { ...valid, brokers: 'localhost:9092' }, TypeError],
    ['brokers must be an array of addresses', { ...valid, brokers: [] }, TypeError],
    [
      'brokers[1] must be "host:port", such as "localhost:9092", got "kafka"',
      { ...valid, brokers: ['a:1', 'kafka'] },
      RangeError,
    ],
    [
      'brokers[0] must be "host:port", such as "localhost:9092", got "kafka://a:1"',
      { ...valid, brokers: ['kafka://a:1'] },
      RangeError,
    ],
    [
      'brokers[0] must be "host:port", such as "localhost:9092", got something with an @',
      { ...valid, brokers: ['u:p@a:1'] },
      RangeError,
    ],
    ['brokers[0] must be a string, got undefined', { ...valid, brokers: [undefined] }, TypeError],
    ['give one of client and brokers, not both', { ...valid, client: {}, brokers: ['a:1'] }, TypeError],
    ['tls must be true, false or an object', { ...valid, tls: 'yes' }, TypeError],
    ['sasl.mechanism must be one of', { ...valid, sasl: { mechanism: 'x', username: 'u', password: 'p' } }, RangeError],
    [
      'sasl.password must be a string, got undefined',
      { ...valid, sasl: { mechanism: 'plain', username: 'u' } },
      TypeError,
    ],
    ['createTopic must be a number of partitions, such as 12, or', { ...valid, createTopic: 'yes' }, TypeError],
    ['createTopic.partitions must be a whole number', { ...valid, createTopic: { partitions: 0 } }, RangeError],
    ['order must be one of', { ...valid, order: 'fifo' }, RangeError],
    ['compression must be one of', { ...valid, compression: 'brotli' }, RangeError],
    ['leaseMs must be finite', { ...valid, leaseMs: Infinity }, RangeError],
    ['deliveryTimeoutMs must be finite', { ...valid, deliveryTimeoutMs: Infinity }, RangeError],
    ['capacity must be a whole number', { ...valid, capacity: 0 }, RangeError],
    ['deliveryTimeoutMs must be <= 2147483647, got 2147483648', { ...valid, deliveryTimeoutMs: 2 ** 31 }, RangeError],
    ['sessionTimeoutMs must be <= 1073741823, got 1073741824', { ...valid, sessionTimeoutMs: 2 ** 30 }, RangeError],
    [
      'createTopic must be a whole number from 1 to 2147483647, got 2147483648',
      { ...valid, createTopic: 2 ** 31 },
      RangeError,
    ],
    [
      'createTopic.partitions must be a whole number from 1 to 2147483647',
      { ...valid, createTopic: { partitions: 2 ** 31 } },
      RangeError,
    ],
    [
      'createTopic.replicationFactor must be a whole number from 1 to 32767',
      { ...valid, createTopic: { partitions: 1, replicationFactor: 2 ** 15 } },
      RangeError,
    ],
    [
      'maxPayloadBytes must be a whole number from 1 to 251658240',
      { ...valid, maxPayloadBytes: 256 * 1024 * 1024 },
      RangeError,
    ],
  ])('%s', async (message, options, type) => {
    const opened = kafkaQueue(options as KafkaQueueOptions);
    await expect(opened).rejects.toThrow(type);
    await expect(opened).rejects.toThrow(message);
  });

  test('a user in a URL, which would be left out', async () => {
    const failure: unknown = await openQueue('kafka://nq:hunter2@localhost:9092/t?groupId=g').catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: 'NQ_CONFIG', message: expect.stringContaining('give sasl') });
    expect(inspect(failure)).not.toContain('hunter2');
  });

  test.each([
    ['kafka://localhost:9092/t', 'groupId is missing, which is ?groupId=orders-service in a URL, or group_id in extra'],
    ['kafka://localhost:9092?groupId=g', 'topic is missing, which is the path of a URL'],
    ['kafka://localhost:9092/100%?groupId=g', 'the topic in the URL is not percent-encoded'],
    ['kafka://localhost:9092/t?groupId=g&sasl=me', '"sasl" has no form in a URL: give it in extra'],
  ])('%s, which is told in the words of URLs', async (url, message) => {
    await expect(openQueue(url)).rejects.toMatchObject({
      code: 'NQ_CONFIG',
      message: expect.stringContaining(`Cannot open a queue of type kafka: ${message}`),
    });
  });

  test('a password is shown nowhere', async () => {
    const sasl = { mechanism: 'plain', username: 'u', password: { secret: 'hunter2' } };
    const error = await kafkaQueue({ ...valid, sasl } as unknown as KafkaQueueOptions).catch(
      (failure: unknown) => failure,
    );
    expect(String(error)).not.toContain('hunter2');
  });
});
