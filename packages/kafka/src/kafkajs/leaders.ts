import { KafkaFailure } from '../kafka-failure.ts';
import type { Cluster, ConnectionPool } from './internals.ts';
import { bracketed } from './ipv6.ts';
import { failureOf } from './kafkajs-failures.ts';

/**
 * Connects to each broker that leads one of the partitions of `topic`, at the address that the brokers say it has.
 *
 * @returns why those that cannot be reached cannot be. @throws {KafkaFailure} if that is all of them.
 */
export async function reachLeaders(cluster: Cluster, topic: string): Promise<readonly KafkaFailure[]> {
  const numbers = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId);
  const nodes = Object.keys(cluster.findLeaderForPartitions(topic, numbers)).filter((node) => node !== '-1');
  const tries = await Promise.all(nodes.map((node) => reach(cluster, node)));
  const failures = tries.filter((failure) => failure !== undefined);
  const [first] = failures;
  if (first !== undefined && failures.length === nodes.length) throw first;
  return failures;
}

/** Connects to the broker of that number. @returns why it cannot be reached. */
export async function reach(cluster: Cluster, nodeId: string): Promise<KafkaFailure | undefined> {
  const { brokerPool } = cluster;
  const seed = brokerPool.seedBroker;
  const broker = brokerPool.brokers[nodeId];
  try {
    await brokerPool.findBroker({ nodeId });
    return undefined;
  } catch (error) {
    const failure = failureOf(error, false);
    if (seed === undefined || broker === undefined || broker === seed) return failure;
    const meaning =
      `the broker at ${addressOf(seed.connectionPool)} says that clients reach broker ${nodeId} ` +
      `at ${addressOf(broker.connectionPool)}, which cannot be reached (${failure.meaning}): mend advertised.listeners of the broker`;
    return new KafkaFailure(failure.kind, meaning, error);
  }
}

function addressOf({ host, port }: ConnectionPool): string {
  return bracketed(`${host}:${port}`);
}
