// A process of its own: pushes events, or takes them, until it is told to stop or is killed.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Delivery, MessageQueue } from '@nq/core';
import { redisQueue } from '../../src/index.ts';
import { ActorLog } from './actor-log.ts';

/** What an actor is told by its parent. */
export interface ActorOptions {
  readonly role: 'producer' | 'consumer';
  readonly name: string;
  /** Tells its hand-outs from those of others. */
  readonly connection: number;
  readonly url: string;
  readonly queueKey: string;
  readonly mode: 'list' | 'stream';
  readonly capacity: number;
  readonly leaseMs: number;
  readonly log: string;
  /** How many callers there are at once. */
  readonly callers: number;
  /** How many events a producer pushes at the least. */
  readonly events: number;
}

/** What belongs to the event `id`, so that whoever gets it can tell whether it is as it was. */
const dataOf = (id: string): { readonly id: string; readonly text: string } => ({ id, text: `é😀${id}`.repeat(4) });

const options = JSON.parse(process.argv[2] ?? '') as ActorOptions;
const { role, name, connection, url, queueKey, mode, capacity, leaseMs, callers } = options;
const log = new ActorLog(options.log);
const ending = new AbortController();
let nextHandOut = 0;
process.on('message', () => ending.abort());
// Who has no parent any more has nobody to work for.
process.on('disconnect', () => process.exit(1));

const queue: MessageQueue<ReturnType<typeof dataOf>> = await redisQueue({
  url,
  queueKey,
  capacity,
  leaseMs,
  requestTimeoutMs: 1000,
  onWarning: () => {},
  ...(mode === 'stream' ? { mode, group: 'chaos' } : {}),
});
process.send?.('ready');
await Promise.all(Array.from({ length: callers }, (_, index) => (role === 'producer' ? produce(index) : consume())));
await queue.close();
process.disconnect();

async function produce(caller: number): Promise<void> {
  const mine = Math.ceil(options.events / callers);
  for (let index = 0; index < mine || !ending.signal.aborted; index++) {
    const id = `${name}-${caller}-${index}`;
    const key = `key-${caller % 3}`;
    const event = { id, type: 'chaos', key, data: dataOf(id) };
    const { outcome } = await log.call({ kind: 'push', event: id, key }, () =>
      queue.push(event, { timeoutMs: 20_000 }),
    );
    // What was refused is not counted.
    if (outcome !== 'ok') await sleep(20);
    if (index >= mine) await sleep(5);
  }
}

async function consume(): Promise<void> {
  let handOuts = 0;
  while (!ending.signal.aborted) {
    const number = nextHandOut++ * 1000 + connection;
    const timeoutMs = 1000;
    const { result: delivery, outcome } = await log.call(
      { kind: 'pop', timeoutMs },
      () => queue.pop({ timeoutMs }),
      (popped) => popped && { number, event: popped.event.id, attempt: popped.attempt, intact: isIntact(popped) },
    );
    if (outcome !== 'ok') await sleep(20);
    if (delivery === undefined) continue;
    if (++handOuts % 7 === 0) await sleep(Math.random() * 4);
    await settle(delivery, number);
  }
}

async function settle(delivery: Delivery, handOut: number): Promise<void> {
  const event = delivery.event.id;
  const chance = Math.random();
  const kind = chance < 0.03 ? 'nack' : 'ack';
  const delayMs = chance < 0.015 ? 20 + Math.random() * 200 : 0;
  for (;;) {
    const { outcome, error } = await log.call({ kind, event, handOut }, () =>
      kind === 'ack' ? delivery.ack() : delivery.nack(delayMs > 0 ? { delayMs } : {}),
    );
    // Whoever does not know asks again, until there is nothing left to settle.
    if (outcome === 'ok' || error === 'NQ_LEASE_LOST' || error === 'NQ_CLOSED') return;
    await sleep(20);
  }
}

function isIntact({ event: { id, data, type } }: Delivery<ReturnType<typeof dataOf>>): boolean {
  const { text } = dataOf(id);
  return type === 'chaos' && data.id === id && data.text === text;
}
