import type { Put } from '../harness/arrivals.ts';
import type { Case } from '../harness/case.ts';
import { indexOf, makeNotification } from '../harness/notification.ts';
import { openTopic } from './bench-topic.ts';
import type { Contender } from './contender.ts';
import { idle, latencies, rebalanceRounds, rebalances, slowRounds } from './groups.ts';
import { javaCase } from './java-case.ts';
import { idleCpu } from './measure-idle.ts';
import { paced } from './measure-paced.ts';
import { type Join, rebalance } from './measure-rebalance.ts';
import { nqKafka } from './nq-kafka.ts';
import { platformatic } from './platformatic.ts';
import { rawKafkajs } from './raw-kafkajs.ts';

const contenders: readonly Contender[] = [rawKafkajs, platformatic, nqKafka];

/** What each has that waits for messages. */
const waiting: ReadonlyMap<Contender, string> = new Map([
  [rawKafkajs, '`eachMessage`, which commits after each batch of a partition.'],
  [platformatic, '`data` of its stream, which commits what it has fetched.'],
  [nqKafka, 'A dispatcher with 100 workers, which acknowledges each event.'],
]);

async function openGroup(contender: Contender, address: string): Promise<{ readonly put: Put; readonly join: Join }> {
  const topic = await openTopic(address);
  const producer = await contender.openProducer(topic);
  return {
    put: (index) => producer.push(makeNotification(index)),
    async join(handled) {
      const listener = await contender.listen(topic, (notification) => handled(indexOf(notification)));
      return () => listener.close();
    },
  };
}

const rates = [
  [1000, '1,000/s', contenders],
  [5000, '5,000/s', contenders],
  // Neither of the others sends so many single messages.
  [50_000, '50,000/s', [nqKafka]],
] as const;

const latencyCases = rates.flatMap(([perSecond, rate, able]) =>
  able.map((contender): Case => ({
    name: `${rate}, ${contender.name}`,
    group: latencies,
    does: waiting.get(contender) ?? '',
    maxRounds: slowRounds,
    run: paced(perSecond, async (handled, address) => {
      const { put, join } = await openGroup(contender, address);
      await join(handled);
      return put;
    }),
  })),
);

const rebalanceCases = contenders.map((contender): Case => ({
  name: `rebalance, ${contender.name}`,
  group: rebalances,
  does: waiting.get(contender) ?? '',
  maxRounds: rebalanceRounds,
  run: rebalance((address) => openGroup(contender, address)),
}));

const idleCases = contenders.map((contender): Case => ({
  name: `idle, ${contender.name}`,
  group: idle,
  does: waiting.get(contender) ?? '',
  maxRounds: slowRounds,
  run: idleCpu(async (address) => {
    const { put, join } = await openGroup(contender, address);
    let onHandled = (): void => {};
    const handled = new Promise<void>((resolve) => {
      onHandled = resolve;
    });
    await join(() => onHandled());
    // Connections are made with the first message.
    await put(0);
    await handled;
  }),
}));

export const otherCases: readonly Case[] = [javaCase, ...latencyCases, ...rebalanceCases, ...idleCases];
