import type { Case } from '../harness/case.ts';
import type { Put } from '../harness/arrivals.ts';
import { latency } from '../harness/measure-latency.ts';
import { wakeUps } from '../harness/measure-wake-ups.ts';
import { beeQueue } from './bee-queue.ts';
import { bullMq } from './bullmq.ts';
import { type Contender, inBatches, type Receive } from './contender.ts';
import { openControl } from './control.ts';
import { latencies, memory, slowRounds, wakeUpsWhenIdle } from './groups.ts';
import { queuedMemory } from './measure-server.ts';
import { indexOf, makeNotification, makeNotifications } from '../harness/notification.ts';
import { fillWithElements, nqList, nqStream } from './nq-redis.ts';
import { rawIoredis } from './raw-ioredis.ts';

const contenders: readonly Contender[] = [rawIoredis, nqList, nqStream, bullMq, beeQueue];

/** What each has that waits for messages. */
const waiting: ReadonlyMap<Contender, string> = new Map([
  [rawIoredis, 'One `BRPOP` after the other.'],
  [nqList, 'A dispatcher with 100 workers.'],
  [nqStream, 'A dispatcher with 100 workers.'],
  [bullMq, 'A worker with concurrency 100.'],
  [beeQueue, '`process` with concurrency 100.'],
]);

/** Empties the server, and opens a queue with somebody who waits for messages. @returns what puts one in. */
async function openListened(contender: Contender, address: string, receive: Receive): Promise<Put> {
  await openControl(address);
  const producer = await contender.openProducer(address);
  await contender.listen(address, receive);
  return (index) => producer.push(makeNotification(index));
}

const wakeUpCases = contenders.map((contender): Case => ({
  name: `wake, ${contender.name}`,
  group: wakeUpsWhenIdle,
  does: waiting.get(contender) ?? '',
  maxRounds: slowRounds,
  run: wakeUps((handled, address) => openListened(contender, address, handled)),
}));

const rates = [
  [1000, '1,000/s'],
  [5000, '5,000/s'],
] as const;

const latencyCases = rates.flatMap(([perSecond, rate]) =>
  contenders.map((contender): Case => ({
    name: `${rate}, ${contender.name}`,
    group: latencies,
    does: waiting.get(contender) ?? '',
    maxRounds: slowRounds,
    run: latency(perSecond, (handled, address) =>
      openListened(contender, address, (notification) => handled(indexOf(notification))),
    ),
  })),
);

const memoryCases: readonly Case[] = [
  ...contenders.map((contender): Case => ({
    name: `memory, ${contender.name}`,
    group: memory,
    does: 'The notification of all other cases, whose JSON is 200 bytes, and what is stored with it.',
    maxRounds: slowRounds,
    run: queuedMemory(async (address) => {
      const producer = await contender.openProducer(address);
      return (from, end) =>
        inBatches(end - from, (first, last) => producer.pushMany(makeNotifications(from + first, from + last)));
    }),
  })),
  ...(['list', 'stream'] as const).map((mode): Case => ({
    name: `memory, nq ${mode}, 200 bytes stored`,
    group: memory,
    does: 'Events that are smaller, so that what is stored of each is 200 bytes, its attributes included.',
    maxRounds: slowRounds,
    run: queuedMemory((address, control) => fillWithElements(address, control, mode)),
  })),
];

export const otherCases: readonly Case[] = [...memoryCases, ...wakeUpCases, ...latencyCases];
