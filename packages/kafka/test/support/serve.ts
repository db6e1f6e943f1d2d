// A process of its own, which opens the queue that its argument names and serves it to the kit.
import { serveQueue } from '@nq/core/conformance';
import { kafkaQueue, type KafkaQueueOptions } from '../../src/index.ts';

const options = JSON.parse(process.argv[2] ?? '') as KafkaQueueOptions;
const createTopic = { partitions: 4, replicationFactor: 1 };
serveQueue(({ group = 'default', leaseMs }) => {
  const lease = leaseMs === undefined ? {} : { leaseMs };
  return kafkaQueue({ ...options, ...lease, createTopic, groupId: group, onWarning: () => {} });
});
