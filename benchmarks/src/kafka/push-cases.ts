import type { Case } from '../harness/case.ts';
import { concurrently } from '../harness/concurrently.ts';
import { inBatchesOf } from '../harness/in-batches-of.ts';
import { makeNotification, makeNotifications } from '../harness/notification.ts';
import { openTopic } from './bench-topic.ts';
import { batchSize, type Contender, type PushWay } from './contender.ts';
import { pushes } from './groups.ts';
import { type CallOperation, callThroughput } from './measure-calls.ts';
import { nqKafka } from './nq-kafka.ts';
import { platformatic } from './platformatic.ts';
import { rawKafkajs } from './raw-kafkajs.ts';

const callersIn = { 'one at a time': 1, '100 concurrent': 100, '1,000 concurrent': 1000 } as const;
/** With many callers at work, reading the clock would cost as much as a call. */
const everyConcurrent = 10;

/** What a contender does in one way, in a few words. */
type Told = readonly [contender: Contender, way: PushWay, does: string];

function pushCase([contender, way, does]: Told): Case {
  const every = way === '100 concurrent' || way === '1,000 concurrent' ? everyConcurrent : 1;
  return {
    name: `push, ${contender.name}, ${way}`,
    group: pushes,
    does,
    run: callThroughput(every, async (address): Promise<CallOperation> => {
      const topic = await openTopic(address);
      const producer = await contender.openProducer(topic);
      let stored = 0;
      return {
        run: (count, timedCall) =>
          way === 'batches of 500'
            ? inBatchesOf(batchSize, count, (from, end) =>
                timedCall(from, () => producer.pushMany(makeNotifications(from, end))),
              )
            : concurrently(callersIn[way], count, (index) =>
                timedCall(index, () => producer.push(makeNotification(index))),
              ),
        async check(count) {
          stored += count;
          const found = await topic.count();
          if (found !== stored) throw new Error(`There are ${found} messages, and ${stored} were pushed`);
        },
      };
    }),
  };
}

const told: readonly Told[] = [
  [rawKafkajs, 'one at a time', '`send`, awaited.'],
  [rawKafkajs, '100 concurrent', '`send` by each caller.'],
  [rawKafkajs, '1,000 concurrent', '`send` by each caller.'],
  [rawKafkajs, 'batches of 500', '`sendBatch`.'],
  [platformatic, 'one at a time', '`send`, awaited.'],
  [platformatic, '100 concurrent', '`send` by each caller.'],
  [platformatic, '1,000 concurrent', '`send` by each caller.'],
  [platformatic, 'batches of 500', '`send` with 500 messages.'],
  [nqKafka, 'one at a time', '`push`, awaited.'],
  [nqKafka, '100 concurrent', '`push` by each caller.'],
  [nqKafka, '1,000 concurrent', '`push` by each caller.'],
  [nqKafka, 'batches of 500', '`pushMany`.'],
];

export const pushCases: readonly Case[] = told.map(pushCase);
