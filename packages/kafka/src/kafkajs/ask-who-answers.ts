import type { Broker, Cluster } from './internals.ts';

/** As if a broker that is not connected had not answered for so long, in milliseconds: one that is at work is asked before. */
const unknownMs = 5000;

/**
 * Has `cluster` ask the broker that has most likely something to say, where any broker will do: kafkajs asks any that it is
 * connected to, also one that hangs, and then a member that is to join waits as long as a request may take.
 */
export function askWhoAnswers({ brokerPool }: Cluster): void {
  const find = brokerPool.findConnectedBroker.bind(brokerPool);
  brokerPool.findConnectedBroker = async () => {
    for (const nodeId of likeliestFirst(brokerPool.brokers)) {
      try {
        return await brokerPool.findBroker({ nodeId });
      } catch {
        // Another one, then.
      }
    }
    return find();
  };
}

/** The numbers of brokers: first those of which no request has been without an answer for long, in any order. */
export function likeliestFirst(brokers: Readonly<Record<string, Broker>>): readonly string[] {
  // By the clock of kafkajs, which notes when it has sent something, and by chance as it chooses itself.
  const now = Date.now();
  const found = Object.entries(brokers).map(([nodeId, broker]) => {
    return { nodeId, since: waitsSince(broker, now), tie: Math.random() };
  });
  return found.toSorted((a, b) => b.since - a.since || a.tie - b.tie).map(({ nodeId }) => nodeId);
}

/** Since when the oldest request waits for an answer of it, in milliseconds since the Unix epoch; `now`, if none does. */
function waitsSince(broker: Broker, now: number): number {
  if (!broker.isConnected()) return now - unknownMs;
  const sent = broker.connectionPool.pool.flatMap(({ requestQueue }) => [...requestQueue.inflight.values()]);
  return Math.min(now, ...sent.map(({ sentAt }) => sentAt ?? now));
}
