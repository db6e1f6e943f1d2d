import type { Quantity } from '../harness/samples.ts';
import type { Target } from '../harness/targets.ts';

const speedOf = (name: string): Quantity => ({ case: name, reading: 'opsPerSecond' });

/** A ratio of two speeds. */
function faster(row: string, what: string, above: string, below: string, atLeast?: number): Target {
  const asked = atLeast === undefined ? {} : { asked: { atLeast } };
  return { row, what, numerator: speedOf(above), denominator: speedOf(below), ...asked };
}

/** What the way of a message through the server costs there: of pushing and of consuming, by 100 at once. */
function serverCpuOf(producer: string, consumer: string): Quantity {
  const reading = 'serverCpuUs';
  const consumed: Quantity = { case: `consume, ${consumer}, 100 concurrent`, reading };
  return { case: `push, ${producer}, 100 concurrent`, reading, plus: consumed };
}

const push = 'push, nq list';
const consume = 'consume, nq list';
/** What others have with a worker of theirs, users of nq have with a dispatcher. */
const dispatcher = 'consume, nq dispatcher';
/** How the table names what 100 do at once. */
const labels = { [consume]: 'pop + ack, 100 concurrent', [dispatcher]: 'dispatcher, 100 workers' } as const;
const rawPush = 'push, ioredis, one at a time';
const rawPop = 'consume, ioredis, one at a time';
const barePush = 'push, ioredis, batches of 100';
const barePop = 'consume, ioredis, batches of 100';
const bareLpush = 'ioredis alone, LPUSH of 100 elements';
const bareRpop = 'ioredis alone, RPOP of 100 elements';

export const redisTargets: readonly Target[] = [
  faster('1', 'push, 100 concurrent ÷ awaited LPUSH', `${push}, 100 concurrent`, rawPush, 10),
  faster('1', 'push, 100 concurrent ÷ BullMQ', `${push}, 100 concurrent`, 'push, BullMQ, 100 concurrent', 18),
  faster('2', 'pop + ack, 100 concurrent ÷ awaited BRPOP', `${consume}, 100 concurrent`, rawPop, 4),
  ...([consume, dispatcher] as const).flatMap((ours) => [
    faster('2', `${labels[ours]} ÷ BullMQ`, `${ours}, 100 concurrent`, 'consume, BullMQ, 100 concurrent', 12),
    faster('2', `${labels[ours]} ÷ bee-queue`, `${ours}, 100 concurrent`, 'consume, bee-queue, 100 concurrent', 6),
  ]),
  faster('3', 'push, one at a time ÷ awaited LPUSH', `${push}, one at a time`, rawPush, 0.6),
  ...(['nq list', 'nq dispatcher'] as const).map((ours) => ({
    row: '4',
    what: `server CPU per message, push + ${labels[`consume, ${ours}`]}: BullMQ ÷ nq`,
    numerator: serverCpuOf('BullMQ', 'BullMQ'),
    denominator: serverCpuOf('nq list', ours),
    asked: { atLeast: 15 },
  })),
  {
    row: '5',
    what: 'server memory per message of 200 bytes',
    numerator: { case: 'memory, nq list, 200 bytes stored', reading: 'bytesPerMessage' },
    asked: { atMost: 230 },
    unit: 'B',
  },
  // What no queue on this client can do better, nothing but the command and nothing acknowledged; and how near ours comes.
  faster('', `${bareLpush} ÷ BullMQ, 100 concurrent`, barePush, 'push, BullMQ, 100 concurrent'),
  faster('', `push, 100 concurrent ÷ ${bareLpush}`, `${push}, 100 concurrent`, barePush),
  faster('', `${bareRpop} ÷ BullMQ, 100 concurrent`, barePop, 'consume, BullMQ, 100 concurrent'),
  faster('', `pop + ack, 100 concurrent ÷ ${bareRpop}`, `${consume}, 100 concurrent`, barePop),
  faster('', 'push, one at a time ÷ BullMQ', `${push}, one at a time`, 'push, BullMQ, one at a time'),
  faster('', 'push, one at a time ÷ bee-queue', `${push}, one at a time`, 'push, bee-queue, one at a time'),
  faster('', 'push, batches of 100 ÷ BullMQ', `${push}, batches of 100`, 'push, BullMQ, batches of 100'),
  faster('', 'push, batches of 100 ÷ bee-queue', `${push}, batches of 100`, 'push, bee-queue, batches of 100'),
  faster(
    '',
    'pop + ack, one at a time ÷ BLMOVE + LREM',
    `${consume}, one at a time`,
    'consume, ioredis, BLMOVE + LREM, one at a time',
  ),
  ...['BullMQ', 'bee-queue'].flatMap((peer) => [
    faster('', `pop + ack, one at a time ÷ ${peer}`, `${consume}, one at a time`, `consume, ${peer}, one at a time`),
    faster('', `dispatcher, one worker ÷ ${peer}`, `${dispatcher}, one at a time`, `consume, ${peer}, one at a time`),
  ]),
];
