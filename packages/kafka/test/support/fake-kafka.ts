import { createQueue, type MessageQueue } from '@nq/core';
import { type VirtualClock, virtualClock } from '@nq/core/testing';
import { capabilitiesOf } from '../../src/kafka-capabilities.ts';
import type { KafkaDriver, ProduceRequest } from '../../src/kafka-driver.ts';
import { resolveOptions } from '../../src/kafka-options.ts';
import { KafkaQueueDriver } from '../../src/kafka-queue-driver.ts';
import type { TestOptions } from './queue.ts';

/** A Kafka that takes what it is given, on a clock of its own, and of which a test says what becomes of a request. */
export interface FakeKafka {
  readonly clock: VirtualClock;
  readonly driver: KafkaDriver;
  /** What is stored, by the text of the values, with the partition in front: `0:a`. */
  readonly stored: string[];
  /** Ends, or fails, before a request is stored. */
  produce: (request: ProduceRequest) => Promise<void>;
}

export function fakeKafka(): FakeKafka {
  const stored: string[] = [];
  const fake: FakeKafka = {
    clock: virtualClock(),
    stored,
    produce: async () => {},
    driver: {
      newIdentity: async () => ({ id: 1n, epoch: 0 }),
      partitionsOf: () => new Promise(() => {}),
      close: async () => {},
      async produce(request: ProduceRequest) {
        await fake.produce(request);
        stored.push(...request.records.map(({ value }) => `${request.partition}:${String(value)}`));
        return undefined;
      },
    } as Partial<KafkaDriver> as KafkaDriver,
  };
  return fake;
}

/** A queue on it, which pushes into a topic that has so many partitions. */
export function openFakeQueue(
  { clock, driver }: FakeKafka,
  partitions: number,
  changes: TestOptions = {},
): MessageQueue {
  const options = resolveOptions({ topic: 'events', groupId: 'tests', onWarning: () => {}, ...changes });
  const capabilities = capabilitiesOf(options, { deadLetters: false });
  const topics = { partitions, retryPartitions: 0, hasDeadLetters: false };
  return createQueue(new KafkaQueueDriver({ options, capabilities, driver, topics, clock }), { clock });
}
