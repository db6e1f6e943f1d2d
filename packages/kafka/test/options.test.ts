import { describe, expect, test } from 'vitest';
import { kafkaQueue, type KafkaQueueOptions } from '../src/index.ts';

const valid = { topic: 't', groupId: 'g' };

describe('kafkaQueue() refuses, before it connects', () => {
  test.each<[string, unknown, typeof TypeError | typeof RangeError]>([
    ['topic must be a string, got undefined', { groupId: 'g' }, TypeError],
    ['topic must not be empty', { ...valid, topic: '' }, RangeError],
    ['groupId must be a string, got number', { ...valid, groupId: 5 }, TypeError],
    ['unknown option "brokrs"', { ...valid, brokrs: [] }, TypeError],
    ['brokers must be an array of addresses', { ...valid, brokers: 'localhost:9092' }, TypeError],
    ['brokers must be an array of addresses', { ...valid, brokers: [] }, TypeError],
    ['give one of client and brokers, not both', { ...valid, client: {}, brokers: ['a:1'] }, TypeError],
    ['tls must be true, false or an object', { ...valid, tls: 'yes' }, TypeError],
    ['sasl.mechanism must be one of', { ...valid, sasl: { mechanism: 'x', username: 'u', password: 'p' } }, RangeError],
    [
      'sasl.password must be a string, got undefined',
      { ...valid, sasl: { mechanism: 'plain', username: 'u' } },
      TypeError,
    ],
    ['createTopic.partitions must be a whole number', { ...valid, createTopic: { partitions: 0 } }, RangeError],
    ['order must be one of', { ...valid, order: 'fifo' }, RangeError],
    ['compression must be one of', { ...valid, compression: 'brotli' }, RangeError],
    ['leaseMs must be finite', { ...valid, leaseMs: Infinity }, RangeError],
    ['deliveryTimeoutMs must be finite', { ...valid, deliveryTimeoutMs: Infinity }, RangeError],
    ['capacity must be a whole number', { ...valid, capacity: 0 }, RangeError],
  ])('%s', async (message, options, type) => {
    const opened = kafkaQueue(options as KafkaQueueOptions);
    await expect(opened).rejects.toThrow(type);
    await expect(opened).rejects.toThrow(message);
  });

  test('a password is shown nowhere', async () => {
    const sasl = { mechanism: 'plain', username: 'u', password: { secret: 'hunter2' } };
    const error = await kafkaQueue({ ...valid, sasl } as unknown as KafkaQueueOptions).catch(
      (failure: unknown) => failure,
    );
    expect(String(error)).not.toContain('hunter2');
  });
});
