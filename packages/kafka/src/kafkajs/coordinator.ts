import { likeliestFirst } from './ask-who-answers.ts';
import type { Broker, Cluster } from './internals.ts';

/**
 * Has `cluster` say why there is no coordinator of a group: kafkajs asks one broker after the other and forgets what each
 * has said, so that a user who may not use the group would look like a broker that is away.
 */
export function tellWhyNoCoordinator(cluster: Cluster): void {
  cluster.findGroupCoordinatorMetadata = async (group) => {
    let failure: unknown;
    for (const nodeId of likeliestFirst(cluster.brokerPool.brokers)) {
      let broker: Broker;
      try {
        broker = await cluster.brokerPool.findBroker({ nodeId });
      } catch (error) {
        failure = error;
        continue;
      }
      try {
        return await broker.findGroupCoordinator(group);
      } catch (error) {
        failure = error;
        if ((error as { readonly type?: unknown }).type === 'GROUP_AUTHORIZATION_FAILED') throw error;
      }
    }
    // As kafkajs does, so that it looks for brokers anew.
    throw failure ?? Object.assign(new Error('There are no brokers'), { name: 'KafkaJSBrokerNotFound' });
  };
}
