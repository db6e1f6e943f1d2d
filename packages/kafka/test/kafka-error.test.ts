import type { Kafka } from 'kafkajs';
import { describe, expect, test } from 'vitest';
import { howToMake } from '../src/kafka-error.ts';
import type { ServerOptions } from '../src/kafka-options.ts';

describe('the command that makes a topic', () => {
  const sasl = { mechanism: 'plain', username: 'nq', password: 's3cr3t' } as const;

  test.each<[string, ServerOptions, string]>([
    ['the default broker', {}, 'localhost:9092'],
    ['the first broker', { brokers: ['a:1', 'b:2'], tls: false }, 'a:1'],
    ['no broker that it knows', { client: {} as Kafka }, 'host:port'],
  ])('asks %s', (_what, server, broker) => {
    expect(howToMake('t', server)).toBe(
      `make it with kafka-topics.sh --bootstrap-server ${broker} --create --topic "t" --partitions 12, or open the queue with createTopic`,
    );
  });

  test.each<[string, ServerOptions]>([
    ['a user', { sasl }],
    ['TLS', { tls: true }],
    ['certificates', { tls: { ca: '' } }],
  ])('needs a file that says how to connect with %s', (_what, server) => {
    expect(howToMake('t', server, '--config a=b')).toBe(
      'make it with kafka-topics.sh --bootstrap-server localhost:9092 --command-config client.properties --create --topic "t" --partitions 12 --config a=b, where client.properties says how to connect, or open the queue with createTopic',
    );
  });
});
