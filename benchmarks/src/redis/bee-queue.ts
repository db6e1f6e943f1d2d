import type BeeQueue from 'bee-queue';
import { type Contender, together, workersOf } from './contender.ts';
import type { Notification } from '../harness/notification.ts';

const name = 'bench';
/**
 * How long a job may be with nobody before it is handed out again, in milliseconds. The connection of a consumer that was
 * closed may still take one of the next pass (seen on a busy machine), which would then wait for it for ever.
 */
const stallInterval = 1000;

async function openQueue(address: string, isWorker: boolean): Promise<BeeQueue<Notification>> {
  const { default: Queue } = await import('bee-queue');
  const { hostname, port } = new URL(address);
  const queue = new Queue<Notification>(name, {
    redis: { host: hostname, port: Number(port) },
    isWorker,
    getEvents: false,
    sendEvents: false,
    storeJobs: false,
    stallInterval,
    removeOnSuccess: true,
    removeOnFailure: true,
  });
  await queue.ready();
  return queue;
}

/** bee-queue with everything off that costs time, as its README advises. */
export const beeQueue: Contender = {
  name: 'bee-queue',
  async openProducer(address) {
    const queue = await openQueue(address, false);
    return {
      push: (notification) => queue.createJob(notification).save(),
      async pushMany(notifications) {
        const failed = await queue.saveAll(notifications.map((one) => queue.createJob(one)));
        if (failed.size > 0) throw new Error(`${failed.size} jobs were not saved`);
      },
    };
  },
  async openConsumer(address, way, receive) {
    // What it has begun to do, it does for ever: each pass has a new one.
    let queue: BeeQueue<Notification> | undefined;
    return {
      async prepare() {
        queue = await openQueue(address, true);
        await queue.checkStalledJobs(stallInterval);
      },
      run: (count) =>
        new Promise<void>((resolve) => {
          let left = count;
          queue?.on('succeeded', () => {
            if (--left === 0) resolve();
          });
          queue?.process(workersOf(way), async ({ data }) => receive(data));
        }),
      stop: async () => queue?.close(),
    };
  },
  async listen(address, receive) {
    const queue = await openQueue(address, true);
    queue.process(together, async ({ data }) => receive(data));
  },
  count: (control) => control.llen(`bq:${name}:waiting`),
};
