import type { Worker } from 'bullmq';
import { type Contender, type Receive, together, workersOf } from './contender.ts';
import { notificationType, type Notification } from '../harness/notification.ts';

const name = 'bench';

async function openQueue(address: string) {
  const { Queue } = await import('bullmq');
  const queue = new Queue<Notification>(name, {
    connection: { url: address },
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
  });
  await queue.waitUntilReady();
  return queue;
}

async function openWorker(address: string, receive: Receive, concurrency: number): Promise<Worker<Notification>> {
  const { Worker: BullWorker } = await import('bullmq');
  const worker = new BullWorker<Notification>(name, async ({ data }) => receive(data), {
    connection: { url: address, maxRetriesPerRequest: null },
    autorun: false,
    concurrency,
  });
  await worker.waitUntilReady();
  return worker;
}

/** BullMQ, which keeps no job that is done. */
export const bullMq: Contender = {
  name: 'BullMQ',
  async openProducer(address) {
    const queue = await openQueue(address);
    return {
      push: (notification) => queue.add(notificationType, notification),
      pushMany: (notifications) => queue.addBulk(notifications.map((data) => ({ name: notificationType, data }))),
    };
  },
  async openConsumer(address, way, receive) {
    // A worker cannot be stopped and started again: each pass has a new one.
    let worker: Worker<Notification> | undefined;
    return {
      async prepare() {
        worker = await openWorker(address, receive, workersOf(way));
      },
      run: (count) =>
        new Promise<void>((resolve, reject) => {
          let left = count;
          worker?.on('completed', () => {
            if (--left === 0) resolve();
          });
          worker?.run().catch(reject);
        }),
      stop: async () => worker?.close(),
    };
  },
  async listen(address, receive) {
    const worker = await openWorker(address, receive, together);
    void worker.run();
  },
  count: (control) => control.llen(`bull:${name}:wait`),
};
