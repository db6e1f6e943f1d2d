import type { Case } from '../harness/case.ts';
import { beeQueue } from './bee-queue.ts';
import { bullMq } from './bullmq.ts';
import { type Contender, inBatches, inWay, type Way } from './contender.ts';
import { consumptions, pushes } from './groups.ts';
import { type ServerOperation, serverThroughput } from './measure-server.ts';
import { indexOf, makeNotification, makeNotifications, type Notification } from '../harness/notification.ts';
import { nqDispatcher, nqList, nqStream } from './nq-redis.ts';
import { rawIoredis, rawReliable } from './raw-ioredis.ts';

/** What a contender does in one way, in a few words. */
type Told = readonly [contender: Contender, way: Way, does: string];

function pushCase([contender, way, does]: Told): Case {
  return {
    name: `push, ${contender.name}, ${way}`,
    group: pushes,
    does,
    run: serverThroughput(async (address, control): Promise<ServerOperation> => {
      const producer = await contender.openProducer(address);
      let stored = 0;
      return {
        run:
          way === 'batches of 100'
            ? (count) => inBatches(count, (from, end) => producer.pushMany(makeNotifications(from, end)))
            : (count) => inWay(way, count, (index) => producer.push(makeNotification(index))),
        async check(count) {
          stored += count;
          const found = await contender.count(control);
          if (found !== stored) throw new Error(`There are ${found} messages, and ${stored} were pushed`);
        },
      };
    }),
  };
}

function consumeCase([contender, way, does]: Told): Case {
  return {
    name: `consume, ${contender.name}, ${way}`,
    group: consumptions,
    does,
    run: serverThroughput(async (address): Promise<ServerOperation> => {
      let sum = 0;
      const receive = (notification: Notification): void => {
        sum += indexOf(notification);
      };
      const producer = await contender.openProducer(address);
      const consumer = await contender.openConsumer(address, way, receive);
      return {
        async prepare(count) {
          sum = 0;
          await inBatches(count, (from, end) => producer.pushMany(makeNotifications(from, end)));
          await consumer.prepare?.();
        },
        run: async (count) => void (await consumer.run(count)),
        async check(count) {
          await consumer.stop?.();
          if (sum !== (count * (count - 1)) / 2) throw new Error(`What was handled is not the ${count} messages`);
        },
      };
    }),
  };
}

const pushing: readonly Told[] = [
  [rawIoredis, 'one at a time', '`LPUSH`, awaited.'],
  [rawIoredis, '100 concurrent', '`LPUSH` by each caller; ioredis writes them one after the other.'],
  [rawIoredis, 'batches of 100', '`LPUSH` with 100 elements.'],
  [nqList, 'one at a time', '`push`.'],
  [nqList, '100 concurrent', '`push` by each caller.'],
  [nqList, 'batches of 100', '`pushMany`.'],
  [nqStream, 'one at a time', '`push`; one group.'],
  [nqStream, '100 concurrent', '`push` by each caller; one group.'],
  [nqStream, 'batches of 100', '`pushMany`; one group.'],
  [bullMq, 'one at a time', '`add`.'],
  [bullMq, '100 concurrent', '`add` by each caller.'],
  [bullMq, 'batches of 100', '`addBulk`.'],
  [beeQueue, 'one at a time', '`save`.'],
  [beeQueue, '100 concurrent', '`save` by each caller.'],
  [beeQueue, 'batches of 100', '`saveAll`.'],
];

const consuming: readonly Told[] = [
  [rawIoredis, 'one at a time', '`BRPOP`, awaited; nothing is acknowledged.'],
  [rawIoredis, 'batches of 100', '`RPOP` of 100; nothing is acknowledged.'],
  [rawReliable, 'one at a time', '`BLMOVE` into a second list, and `LREM` from there; both awaited.'],
  [nqList, 'one at a time', '`pop` and `ack`, both awaited.'],
  [nqList, '100 concurrent', '`pop` and `ack`, both awaited by each caller.'],
  [nqList, 'batches of 100', '`popMany`, then `ack` of all.'],
  [nqDispatcher, 'one at a time', 'A dispatcher with one worker, from its start to its stop.'],
  [nqDispatcher, '100 concurrent', 'A dispatcher with 100 workers, from its start to its stop.'],
  [nqStream, 'one at a time', '`pop` and `ack`, both awaited.'],
  [nqStream, '100 concurrent', '`pop` and `ack`, both awaited by each caller.'],
  [nqStream, 'batches of 100', '`popMany`, then `ack` of all.'],
  [bullMq, 'one at a time', 'A worker with concurrency 1.'],
  [bullMq, '100 concurrent', 'A worker with concurrency 100.'],
  [beeQueue, 'one at a time', '`process` with concurrency 1.'],
  [beeQueue, '100 concurrent', '`process` with concurrency 100.'],
];

export const throughputCases: readonly Case[] = [...pushing.map(pushCase), ...consuming.map(consumeCase)];
