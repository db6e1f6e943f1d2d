import { type Cluster, protocolErrorOf } from './internals.ts';
import { refusalOf } from './refusals.ts';

/**
 * Has what `cluster` knows of several topics be what brokers say of each: who asks for one of which they say that it is not
 * there, or not for the user, is told so, and nobody else. kafkajs fails for all of them.
 */
export function tellTopicsApart(cluster: Cluster): void {
  const find = cluster.findTopicPartitionMetadata.bind(cluster);
  cluster.findTopicPartitionMetadata = (topic) => {
    const code = errorCodeOf(cluster, topic);
    if (code !== undefined) throw refusalOf(topic, protocolErrorOf(code) as object);
    return find(topic);
  };
}

/** Asks what brokers know, if that was long ago, or something was wrong with `topic`: that may have passed. */
export async function refreshFor(cluster: Cluster, topic: string): Promise<void> {
  if (errorCodeOf(cluster, topic) === undefined) await cluster.refreshMetadataIfNecessary();
  else await cluster.refreshMetadata();
}

function errorCodeOf({ brokerPool }: Cluster, topic: string): number | undefined {
  return brokerPool.metadata?.topicMetadata?.find((one) => one.topic === topic)?.ownErrorCode;
}
