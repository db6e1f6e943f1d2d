import type { MemberOptions } from '../kafka-driver.ts';
import { type Cluster, type ConsumerGroup, ConsumerGroupOfKafkajs } from './internals.ts';
import { readJoins } from './join-and-leave.ts';
import { stickyAssigner } from './sticky-assigner.ts';

const silent = (): void => {};

/** kafkajs has much to say about what is as it should be; what is not, rejects. */
const quiet = { namespace: () => ({ info: silent, warn: silent, error: silent, debug: silent }) };

/** What joins a group for us, and fetches nothing. @param wanted what we have, and want to keep, the most wanted first. */
export function newGroup(
  cluster: Cluster,
  { topic, group, sessionTimeoutMs, rebalanceTimeoutMs, fetchBytes, claimsAll }: MemberOptions,
  wanted: () => readonly number[],
): ConsumerGroup {
  const joined = new ConsumerGroupOfKafkajs({
    // Each try is ours.
    retry: { retries: 0 },
    cluster,
    groupId: group,
    topics: [topic],
    topicConfigurations: { [topic]: { fromBeginning: true } },
    logger: quiet,
    instrumentationEmitter: { emit: silent },
    assigners: [stickyAssigner(cluster, () => ({ owned: new Map([[topic, wanted()]]), claimsAll }))],
    sessionTimeout: sessionTimeoutMs,
    rebalanceTimeout: rebalanceTimeoutMs,
    // Of what it would fetch.
    maxBytesPerPartition: fetchBytes,
    minBytes: 1,
    maxBytes: fetchBytes,
    maxWaitTimeInMs: 0,
    autoCommit: false,
    isolationLevel: 1,
    rackId: '',
    metadataMaxAge: Infinity,
  });
  readJoins(cluster, joined);
  return joined;
}
