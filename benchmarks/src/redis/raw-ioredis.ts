import type { Contender, Producer } from './contender.ts';
import { inBatches, inWay, together } from './contender.ts';
import type { Notification } from '../harness/notification.ts';

const key = 'bench';

async function connect(address: string) {
  const { Redis } = await import('ioredis');
  const client = new Redis(address);
  await client.ping();
  return client;
}

const read = (text: string | null | undefined): Notification => JSON.parse(text ?? 'null') as Notification;

async function openProducer(address: string): Promise<Producer> {
  const client = await connect(address);
  return {
    push: (notification) => client.lpush(key, JSON.stringify(notification)),
    pushMany: (notifications) => client.lpush(key, ...notifications.map((one) => JSON.stringify(one))),
  };
}

/** ioredis and nothing else. What was taken is gone when the consumer dies. */
export const rawIoredis: Contender = {
  name: 'ioredis',
  openProducer,
  async openConsumer(address, way, receive) {
    const client = await connect(address);
    if (way === 'batches of 100') {
      return {
        run: (count) =>
          inBatches(count, async () => {
            for (const text of (await client.rpop(key, together)) ?? []) receive(read(text));
          }),
      };
    }
    return { run: (count) => inWay(way, count, async () => receive(read((await client.brpop(key, 0))?.[1]))) };
  },
  async listen(address, receive) {
    const client = await connect(address);
    const loop = async (): Promise<never> => {
      for (;;) receive(read((await client.brpop(key, 0))?.[1]));
    };
    void loop();
  },
  count: (control) => control.llen(key),
};

const taken = 'bench:taken';

/** The same with what Redis has for a consumer that must not lose anything: a second list, from which is removed. */
export const rawReliable: Contender = {
  ...rawIoredis,
  name: 'ioredis, BLMOVE + LREM',
  async openConsumer(address, _way, receive) {
    const client = await connect(address);
    const takeOne = async (): Promise<void> => {
      const text = (await client.blmove(key, taken, 'RIGHT', 'LEFT', 0)) ?? '';
      receive(read(text));
      await client.lrem(taken, 1, text);
    };
    return { run: (count) => inWay('one at a time', count, takeOne) };
  },
};
