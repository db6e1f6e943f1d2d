// A process of its own, which pushes events into a queue on Kafka or takes them.
import { act } from 'nq-testbed/chaos';
import { kafkaQueue, type KafkaQueueOptions } from '../../src/index.ts';

await act((options: KafkaQueueOptions) => kafkaQueue({ ...options, onWarning: () => {} }));
