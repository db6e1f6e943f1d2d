import type { Budget } from '../harness/budget.ts';
import type { Case, Readings } from '../harness/case.ts';
import { inBatchesOf } from '../harness/in-batches-of.ts';
import { measurePasses, timed } from '../harness/measure-throughput.ts';
import { indexOf, makeNotifications } from '../harness/notification.ts';
import { median } from '../harness/statistics.ts';
import { openTopic } from './bench-topic.ts';
import { batchSize, type Contender, type OpenConsumer } from './contender.ts';
import { consumptions } from './groups.ts';
import { dispatch, nqKafka, popMany, popManyAhead, popManyOfAnyOrder, popSingly } from './nq-kafka.ts';
import { platformatic, readStream } from './platformatic.ts';
import { eachBatch, eachMessage, rawKafkajs } from './raw-kafkajs.ts';

/** Measures how fast what is there is handled and committed, in some passes of one member of a group. */
function consumption(
  contender: Contender,
  openConsumer: OpenConsumer,
): (budget: Budget, address: string) => Promise<Readings> {
  return async (budget, address) => {
    let sum = 0;
    const topic = await openTopic(address);
    const producer = await contender.openProducer(topic);
    const consumer = await openConsumer(topic, (notification) => {
      sum += indexOf(notification);
    });
    const { ahead = 0 } = consumer;
    const pass = async (count: number) => {
      sum = 0;
      // What was fetched before a pass is paid for by what is fetched for the next one within it.
      const all = count + ahead;
      await inBatchesOf(batchSize, all, (from, end) => producer.pushMany(makeNotifications(from, end)));
      const taken = await timed(async (many) => void (await consumer.run(many)), count);
      if (ahead > 0) await consumer.run(ahead);
      if (sum !== (all * (all - 1)) / 2) throw new Error(`What was handled is not the ${all} messages`);
      return taken;
    };
    // Joins the group, which is not what is measured.
    await pass(1);
    const { count, passes } = await measurePasses(budget, pass);
    return {
      opsPerSecond: (count / median(passes.map(({ wallMs }) => wallMs))) * 1000,
      clientCpuUs: median(passes.map(({ cpuUs }) => cpuUs)) / count,
    };
  };
}

/** Who consumes, how, and that in a few words. */
type Told = readonly [name: string, contender: Contender, openConsumer: OpenConsumer, does: string];

const told: readonly Told[] = [
  ['kafkajs eachBatch', rawKafkajs, eachBatch, '`eachBatch`, which commits after each batch of a partition.'],
  [
    'kafkajs eachBatch, records of nq',
    nqKafka,
    eachBatch,
    '`eachBatch`, with records as nq writes them, which have the attributes of an event in headers.',
  ],
  ['kafkajs eachMessage', rawKafkajs, eachMessage, '`eachMessage`, which commits after each batch of a partition.'],
  [
    '@platformatic/kafka',
    platformatic,
    readStream,
    '`data` of its stream, which commits what it has fetched, before it is handled.',
  ],
  [
    'nq popMany',
    nqKafka,
    popMany,
    '`popMany` of up to 500, then `ack` of all, which is awaited. In the order of keys, of which there are 100: no more than 100 are handed out at once.',
  ],
  [
    'nq popMany, acks meanwhile',
    nqKafka,
    popManyAhead,
    'The same, but it pops again while up to 5,000 acknowledgements are under way.',
  ],
  [
    'nq popMany, order none',
    nqKafka,
    popManyOfAnyOrder,
    "`popMany`, then `ack` of all, which is awaited, with `order: 'none'`.",
  ],
  ['nq pop, 100 callers', nqKafka, popSingly, '`pop` and `ack`, both awaited by each of 100 callers.'],
  ['nq dispatcher', nqKafka, dispatch, 'A dispatcher with 100 workers, from its start to its stop.'],
];

export const consumeCases: readonly Case[] = told.map(([name, contender, openConsumer, does]): Case => ({
  name: `consume, ${name}`,
  group: consumptions,
  does,
  run: consumption(contender, openConsumer),
}));
