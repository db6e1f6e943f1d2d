import type { Quantity } from '../harness/samples.ts';
import type { Target } from '../harness/targets.ts';

/** A ratio of one reading of two cases. */
function ratio(
  row: string,
  what: string,
  [above, below]: readonly [above: string, below: string],
  asked?: Target['asked'],
  reading = 'opsPerSecond',
): Target {
  const quantity = (name: string): Quantity => ({ case: name, reading });
  const bound = asked === undefined ? {} : { asked };
  return { row, what, numerator: quantity(above), denominator: quantity(below), ...bound };
}

const rawSend = 'push, kafkajs, one at a time';
const rawConsume = 'consume, kafkajs eachBatch';

/** What is asked of the latency at a rate, beside kafkajs alone. */
function latencyTargets(rate: string): readonly Target[] {
  const pair = [`${rate}, nq`, `${rate}, kafkajs`] as const;
  return [
    ratio('6', `arrival → handler at ${rate}, p50 ÷ kafkajs`, pair, { atMost: 0.2 }, 'arrivalP50Ms'),
    ratio('6', `arrival → handler at ${rate}, p99 ÷ kafkajs`, pair, { atMost: 0.3 }, 'arrivalP99Ms'),
  ];
}

export const kafkaTargets: readonly Target[] = [
  ratio('1', 'push, one at a time ÷ awaited send', ['push, nq, one at a time', rawSend], { atLeast: 0.95 }),
  ratio('2', 'push, 100 concurrent ÷ kafkajs', ['push, nq, 100 concurrent', 'push, kafkajs, 100 concurrent'], {
    atLeast: 6,
  }),
  ratio('3', 'push, 1,000 concurrent ÷ awaited send', ['push, nq, 1,000 concurrent', rawSend], { atLeast: 35 }),
  ratio('3', 'push, 1,000 concurrent ÷ ProducerPerformance', ['push, nq, 1,000 concurrent', 'push, Java'], {
    atLeast: 0.4,
  }),
  {
    row: '3',
    what: 'push, 1,000 concurrent, p99 of a call',
    numerator: { case: 'push, nq, 1,000 concurrent', reading: 'callP99Ms' },
    asked: { atMost: 20 },
    unit: 'ms',
  },
  ratio('4', 'push, batches of 500 ÷ sendBatch', ['push, nq, batches of 500', 'push, kafkajs, batches of 500'], {
    atLeast: 1.3,
  }),
  ratio(
    '5',
    'consume + commit ÷ eachBatch, of the same records',
    ['consume, nq popMany, acks meanwhile', 'consume, kafkajs eachBatch, records of nq'],
    { atLeast: 1.4 },
  ),
  ...latencyTargets('1,000/s'),
  ...latencyTargets('5,000/s'),
  {
    row: '7',
    what: 'arrival → handler at 50,000/s, p99',
    numerator: { case: '50,000/s, nq', reading: 'arrivalP99Ms' },
    asked: { atMost: 25 },
    unit: 'ms',
  },
  {
    row: '8',
    what: 'CPU while nothing arrives',
    numerator: { case: 'idle, nq', reading: 'idlePercent' },
    asked: { atMost: 0.5 },
    unit: '% of a core',
  },
  ratio('', 'push, 1,000 concurrent ÷ kafkajs', ['push, nq, 1,000 concurrent', 'push, kafkajs, 1,000 concurrent']),
  ...(['one at a time', '100 concurrent', '1,000 concurrent', 'batches of 500'] as const).map((way) =>
    ratio('', `push, ${way} ÷ @platformatic/kafka`, [`push, nq, ${way}`, `push, @platformatic/kafka, ${way}`]),
  ),
  ratio('', 'consume + commit ÷ eachBatch of the data alone', ['consume, nq popMany, acks meanwhile', rawConsume]),
  ratio('', 'consume + commit, acks awaited ÷ eachBatch of the data alone', ['consume, nq popMany', rawConsume]),
  ratio('', "consume + commit, acks awaited, order 'none' ÷ eachBatch of the data alone", [
    'consume, nq popMany, order none',
    rawConsume,
  ]),
  ratio('', 'consume + commit ÷ @platformatic/kafka of the data alone', [
    'consume, nq popMany, acks meanwhile',
    'consume, @platformatic/kafka',
  ]),
  ratio('', 'consume + commit, dispatcher ÷ eachMessage of the data alone', [
    'consume, nq dispatcher',
    'consume, kafkajs eachMessage',
  ]),
  ratio(
    '',
    'client CPU per message, push, 100 concurrent: kafkajs ÷ nq',
    ['push, kafkajs, 100 concurrent', 'push, nq, 100 concurrent'],
    undefined,
    'clientCpuUs',
  ),
  ratio(
    '',
    'client CPU per message, consume + commit: kafkajs eachBatch of the data alone ÷ nq',
    [rawConsume, 'consume, nq popMany, acks meanwhile'],
    undefined,
    'clientCpuUs',
  ),
  ratio(
    '',
    'longest wait in a rebalance: kafkajs ÷ nq',
    ['rebalance, kafkajs', 'rebalance, nq'],
    undefined,
    'longestWaitMs',
  ),
];
