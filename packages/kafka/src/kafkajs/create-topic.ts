import type { NewTopic } from '../kafka-driver.ts';
import type { Cluster } from './internals.ts';
import { rootOf } from './kafkajs-failures.ts';
import { reach } from './leaders.ts';

/** How long the brokers may take for it, in milliseconds. */
const timeoutMs = 5000;

/** Makes a topic, unless it is there. Does not wait until every broker has heard of it. */
export async function createTopic(
  cluster: Cluster,
  topic: string,
  { partitions, replicationFactor, timestamps }: NewTopic,
): Promise<void> {
  await cluster.refreshMetadata();
  const nodeId = String(cluster.brokerPool.metadata?.controllerId ?? -1);
  const failure = await reach(cluster, nodeId);
  if (failure !== undefined) throw failure;
  const controller = await cluster.brokerPool.findBroker({ nodeId });
  const configEntries = timestamps === 'broker' ? [{ name: 'message.timestamp.type', value: 'LogAppendTime' }] : [];
  const topics = [{ topic, numPartitions: partitions, replicationFactor, configEntries }];
  try {
    await controller.createTopics({ topics, timeout: timeoutMs });
  } catch (error) {
    if (rootOf(error).type !== 'TOPIC_ALREADY_EXISTS') throw error;
  }
}
