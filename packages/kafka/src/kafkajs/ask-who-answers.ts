import type { Broker, Cluster } from './internals.ts';

/** As if a broker that is not connected had not answered for so long, in milliseconds: one that is at work is asked before. */
const unknownMs = 1000;

/**
 * Has `cluster` ask the broker that has most likely something to say, where any broker will do: kafkajs asks any that it is
 * connected to, also one that hangs, and then a member that is to join waits as long as a request may take.
 */
export function askWhoAnswers({ brokerPool }: Cluster): void {
  const find = brokerPool.findConnectedBroker.bind(brokerPool);
  brokerPool.findConnectedBroker = async () => {
    const [nodeId] = likeliestFirst(brokerPool.brokers);
    const isConnected = nodeId !== undefined && brokerPool.brokers[nodeId]?.isConnected() === true;
    return isConnected ? brokerPool.findBroker({ nodeId }) : find();
  };
}

/** The numbers of brokers: first those of which no request has been without an answer for long. */
export function likeliestFirst(brokers: Readonly<Record<string, Broker>>): readonly string[] {
  const since = new Map(Object.entries(brokers).map(([nodeId, broker]) => [nodeId, waitsSince(broker)]));
  return [...since.keys()].toSorted((a, b) => (since.get(b) as number) - (since.get(a) as number));
}

/** Since when the oldest request waits for an answer of it, in milliseconds since the Unix epoch; now, if none does. */
function waitsSince(broker: Broker): number {
  const now = Date.now();
  if (!broker.isConnected()) return now - unknownMs;
  const sent = broker.connectionPool.pool.flatMap(({ requestQueue }) => [...requestQueue.inflight.values()]);
  return Math.min(now, ...sent.map(({ sentAt }) => sentAt ?? now));
}
