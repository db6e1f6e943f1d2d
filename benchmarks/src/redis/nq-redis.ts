import type { Delivery, Dispatcher, MessageQueue } from '@nq/core';
import type { Consumer, Contender, Receive, Way } from './contender.ts';
import { inBatches, inWay, together, workersOf } from './contender.ts';
import type { Control } from './control.ts';
import { type Notification, notificationType } from '../harness/notification.ts';

type Mode = 'list' | 'stream';
type Queue = MessageQueue<Notification>;

const key = 'bench';

/** With its defaults, but for a capacity that no case reaches, and without the warning that nothing is kept on disk. */
async function openQueue<Data = Notification>(address: string, mode: Mode): Promise<MessageQueue<Data>> {
  const { redisQueue } = await import('@nq/redis');
  const common = { url: address, queueKey: key, capacity: 10_000_000, onWarning: () => {} };
  return redisQueue<Data>(mode === 'list' ? common : { ...common, mode, group: 'bench' });
}

const eventOf = (data: Notification) => ({ type: notificationType, data });

async function startDispatcher(queue: Queue, receive: Receive, workers: number): Promise<Dispatcher> {
  const { createDispatcher } = await import('@nq/core');
  const dispatcher = createDispatcher({ queue: queue as MessageQueue });
  dispatcher.on(notificationType, ({ data }) => receive(data as Notification));
  await dispatcher.start(workers);
  return dispatcher;
}

function consumerOf(queue: Queue, way: Way, receive: Receive): Consumer {
  const takeOne = async (): Promise<void> => {
    const delivery = (await queue.pop()) as Delivery<Notification>;
    receive(delivery.event.data);
    await delivery.ack();
  };
  if (way !== 'batches of 100') return { run: (count) => inWay(way, count, takeOne) };
  const takeMany = async (): Promise<void> => {
    const deliveries = await queue.popMany(together);
    for (const delivery of deliveries) receive(delivery.event.data);
    await Promise.all(deliveries.map((delivery) => delivery.ack()));
  };
  return { run: (count) => inBatches(count, takeMany) };
}

function nqOf(mode: Mode): Contender {
  return {
    name: `nq ${mode}`,
    async openProducer(address) {
      const queue = await openQueue(address, mode);
      return {
        push: (notification) => queue.push(eventOf(notification)),
        pushMany: (notifications) => queue.pushMany(notifications.map(eventOf)),
      };
    },
    openConsumer: async (address, way, receive) => consumerOf(await openQueue(address, mode), way, receive),
    listen: async (address, receive) => startDispatcher(await openQueue(address, mode), receive, together),
    count: (control: Control) => (mode === 'list' ? control.llen(key) : control.xlen(key)),
  };
}

export const nqList: Contender = nqOf('list');
export const nqStream: Contender = nqOf('stream');

/** A dispatcher instead of callers that pop: what a user of BullMQ has too. */
export const nqDispatcher: Contender = {
  ...nqList,
  name: 'nq dispatcher',
  async openConsumer(address, way, receive) {
    let queue: Queue | undefined;
    return {
      async prepare() {
        queue = await openQueue(address, 'list');
      },
      async run(count) {
        let left = count;
        let onAll = (): void => {};
        const all = new Promise<void>((resolve) => {
          onAll = resolve;
        });
        const counted: Receive = (notification) => {
          receive(notification);
          if (--left === 0) onAll();
        };
        const dispatcher = await startDispatcher(queue as Queue, counted, workersOf(way));
        await all;
        await dispatcher.stop();
      },
      stop: async () => queue?.close(),
    };
  },
};

const storedBytes = 200;

/** Fills a queue with events of which each is stored in 200 bytes. */
export async function fillWithElements(address: string, control: Control, mode: Mode) {
  const queue = await openQueue<string>(address, mode);
  // Ids as long as those of nq, and all of the same length.
  const eventWith = (index: number, data: string) => {
    const id = `bench-0000-0000-0000-000000000000-${String(index).padStart(7, '0')}`;
    return { id, type: notificationType, data };
  };
  const elementBytes = async (): Promise<number> => {
    if (mode === 'list') return (await control.lindex(key, 0))?.length ?? 0;
    const [entry] = await control.xrange(key, '-', '+', 'COUNT', 1);
    return entry?.[1][1]?.length ?? 0;
  };
  await queue.push(eventWith(0, ''));
  const data = 'x'.repeat(storedBytes - (await elementBytes()));
  return (from: number, end: number) =>
    inBatches(end - from, (first, last) =>
      queue.pushMany(Array.from({ length: last - first }, (_, at) => eventWith(from + first + at, data))),
    );
}
