import { setTimeout as sleep } from 'node:timers/promises';
import type { Delivery, MessageQueue } from '@nq/core';
import { ActorLog } from './actor-log.ts';

/** What an actor is told by its parent. */
export interface ActorOptions<QueueOptions> {
  readonly role: 'producer' | 'consumer';
  readonly name: string;
  /** Tells its hand-outs from those of others. */
  readonly connection: number;
  /** What its queue is opened with. */
  readonly queue: QueueOptions;
  readonly log: string;
  /** How many callers there are at once. */
  readonly callers: number;
  /** How many events a producer pushes at the least. */
  readonly events: number;
  /** How many keys its events have. */
  readonly keys: number;
}

/** What actors push. */
type Data = ReturnType<typeof dataOf>;

/** What belongs to the event `id`, so that whoever gets it can tell whether it is as it was. */
const dataOf = (id: string): { readonly id: string; readonly text: string } => ({ id, text: `é😀${id}`.repeat(4) });

/**
 * The life of a process that was started by a cast: pushes events, or takes them, until it is told to stop or is killed.
 *
 * @param open opens its queue with what it was told.
 */
export async function act<QueueOptions>(open: (options: QueueOptions) => Promise<MessageQueue<Data>>): Promise<void> {
  const options = JSON.parse(process.argv[2] ?? '') as ActorOptions<QueueOptions>;
  const ending = new AbortController();
  process.on('message', () => ending.abort());
  // Who has no parent any more has nobody to work for.
  process.on('disconnect', () => process.exit(1));
  const queue = await open(options.queue);
  const actor = new Actor(queue, options, ending.signal);
  process.send?.('ready');
  await Promise.all(
    Array.from({ length: options.callers }, (_, index) =>
      options.role === 'producer' ? actor.produce(index) : actor.consume(),
    ),
  );
  await queue.close();
  process.disconnect();
}

class Actor {
  readonly #queue: MessageQueue<Data>;
  readonly #options: ActorOptions<unknown>;
  readonly #ending: AbortSignal;
  readonly #log: ActorLog;
  #nextHandOut = 0;

  constructor(queue: MessageQueue<Data>, options: ActorOptions<unknown>, ending: AbortSignal) {
    this.#queue = queue;
    this.#options = options;
    this.#ending = ending;
    this.#log = new ActorLog(options.log);
  }

  async produce(caller: number): Promise<void> {
    const { name, events, callers, keys } = this.#options;
    const mine = Math.ceil(events / callers);
    for (let index = 0; index < mine || !this.#ending.aborted; index++) {
      const id = `${name}-${caller}-${index}`;
      const key = `key-${caller % keys}`;
      const event = { id, type: 'chaos', key, data: dataOf(id) };
      const { outcome } = await this.#log.call({ kind: 'push', event: id, key }, () =>
        this.#queue.push(event, { timeoutMs: 20_000 }),
      );
      // What was refused is not counted.
      if (outcome !== 'ok') await sleep(20);
      if (index >= mine) await sleep(5);
    }
  }

  async consume(): Promise<void> {
    let handOuts = 0;
    while (!this.#ending.aborted) {
      const number = this.#nextHandOut++ * 1000 + this.#options.connection;
      const timeoutMs = 1000;
      const { result: delivery, outcome } = await this.#log.call(
        { kind: 'pop', timeoutMs },
        () => this.#queue.pop({ timeoutMs }),
        (popped) => popped && { number, event: popped.event.id, attempt: popped.attempt, intact: isIntact(popped) },
      );
      if (outcome !== 'ok') await sleep(20);
      if (delivery === undefined) continue;
      if (++handOuts % 7 === 0) await sleep(Math.random() * 4);
      await this.#settle(delivery, number);
    }
  }

  async #settle(delivery: Delivery, handOut: number): Promise<void> {
    const event = delivery.event.id;
    const chance = Math.random();
    const kind = chance < 0.03 ? 'nack' : 'ack';
    const delayMs = chance < 0.015 ? 20 + Math.random() * 200 : 0;
    for (;;) {
      const { outcome, error } = await this.#log.call({ kind, event, handOut }, () =>
        kind === 'ack' ? delivery.ack() : delivery.nack(delayMs > 0 ? { delayMs } : {}),
      );
      // Whoever does not know asks again, until there is nothing left to settle.
      if (outcome === 'ok' || error === 'NQ_LEASE_LOST' || error === 'NQ_CLOSED') return;
      await sleep(20);
    }
  }
}

function isIntact({ event: { id, data, type } }: Delivery<Data>): boolean {
  const { text } = dataOf(id);
  return type === 'chaos' && data.id === id && data.text === text;
}
