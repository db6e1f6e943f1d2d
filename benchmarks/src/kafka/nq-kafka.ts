import type { Delivery, Dispatcher, MessageQueue } from '@nq/core';
import { concurrently } from '../harness/concurrently.ts';
import { type Notification, notificationType } from '../harness/notification.ts';
import type { BenchTopic } from './bench-topic.ts';
import { batchSize, type Consumer, type Contender, groupOf, type OpenConsumer, type Receive } from './contender.ts';

type Queue = MessageQueue<Notification>;

/** How many are at work at once. */
const together = 100;

/** The default of `prefetch`. */
const ahead = 1000;

/** With its defaults. */
async function openQueue(bench: BenchTopic, order?: 'none'): Promise<Queue> {
  const { kafkaQueue } = await import('@nq/kafka');
  const { brokers, topic } = bench;
  return kafkaQueue<Notification>({ brokers, topic, groupId: groupOf(bench), order });
}

const eventOf = (data: Notification) => ({ type: notificationType, key: data.account, data });

async function createDispatcher(queue: Queue, receive: Receive): Promise<Dispatcher> {
  const { createDispatcher: create } = await import('@nq/core');
  const dispatcher = create({ queue: queue as MessageQueue });
  dispatcher.on(notificationType, ({ data }) => receive(data as Notification));
  return dispatcher;
}

export const nqKafka: Contender = {
  name: 'nq',
  async openProducer(bench) {
    const queue = await openQueue(bench);
    return {
      push: (notification) => queue.push(eventOf(notification)),
      pushMany: (notifications) => queue.pushMany(notifications.map(eventOf)),
    };
  },
  async listen(bench, receive) {
    const queue = await openQueue(bench);
    const dispatcher = await createDispatcher(queue, receive);
    await dispatcher.start(together);
    return {
      async close() {
        await dispatcher.stop();
        await queue.close();
      },
    };
  },
};

/** Pops up to 500 and acknowledges them all before it pops again. */
async function popBatches(bench: BenchTopic, receive: Receive, order?: 'none'): Promise<Consumer> {
  const queue = await openQueue(bench, order);
  return {
    ahead,
    async run(count) {
      for (let left = count; left > 0;) {
        const deliveries = await queue.popMany(Math.min(left, batchSize));
        left -= deliveries.length;
        for (const delivery of deliveries) receive(delivery.event.data);
        await Promise.all(deliveries.map((delivery) => delivery.ack()));
      }
    },
  };
}

export const popMany: OpenConsumer = (bench, receive) => popBatches(bench, receive);

/** So many acknowledgements may be under way while the next events are popped: those of ten full batches. */
const mostAcking = 10 * batchSize;

/** Pops up to 500, and pops again while their acknowledgements are under way; all of them have resolved at the end. */
export const popManyAhead: OpenConsumer = async (bench, receive) => {
  const queue = await openQueue(bench);
  return {
    ahead,
    async run(count) {
      const acking = new Set<Promise<unknown>>();
      let underWay = 0;
      for (let left = count; left > 0;) {
        const deliveries = await queue.popMany(Math.min(left, batchSize));
        left -= deliveries.length;
        for (const delivery of deliveries) receive(delivery.event.data);
        const acks: Promise<unknown> = Promise.all(deliveries.map((delivery) => delivery.ack()));
        acking.add(acks);
        underWay += deliveries.length;
        void acks.finally(() => {
          acking.delete(acks);
          underWay -= deliveries.length;
        });
        if (underWay >= mostAcking) await Promise.race(acking);
      }
      await Promise.all(acking);
    },
  };
};

/** As `popMany`, where an event of a key need not wait for the one before. */
export const popManyOfAnyOrder: OpenConsumer = (bench, receive) => popBatches(bench, receive, 'none');

/** 100 callers, each of which pops one event and acknowledges it before it pops again. */
export const popSingly: OpenConsumer = async (bench, receive) => {
  const queue = await openQueue(bench);
  const takeOne = async (): Promise<void> => {
    const delivery = (await queue.pop()) as Delivery<Notification>;
    receive(delivery.event.data);
    await delivery.ack();
  };
  return { ahead, run: (count) => concurrently(together, count, takeOne) };
};

/** A dispatcher, from its start to its stop. */
export const dispatch: OpenConsumer = async (bench, receive) => {
  const queue = await openQueue(bench);
  let left = 0;
  let onAll = (): void => {};
  const dispatcher = await createDispatcher(queue, (notification) => {
    receive(notification);
    if (--left <= 0) onAll();
  });
  return {
    ahead,
    async run(count) {
      // Less, if it has handled more than it was told to before it stopped.
      left += count;
      const all = new Promise<void>((resolve) => {
        onAll = resolve;
        if (left <= 0) resolve();
      });
      await dispatcher.start(together);
      await all;
      // Resolves once what was handled is acknowledged.
      await dispatcher.stop();
    },
  };
};
