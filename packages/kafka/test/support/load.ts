import { type Delivery, isNqError, type MessageQueue } from '@nq/core';

/** Callers that push one event after the other, each with a key of its own, until they are stopped. */
export class Load {
  /** The ids of events whose push resolved, in the order of the answers. */
  readonly stored: string[] = [];
  /** The codes of pushes that rejected. */
  readonly refused: string[] = [];
  /** The longest time without an answer, in milliseconds. */
  longestGapMs = 0;
  #stopped = false;
  #answeredAt = performance.now();
  readonly #callers: Promise<unknown>;

  constructor(queue: MessageQueue, callers: number) {
    this.#callers = Promise.all(Array.from({ length: callers }, (_, caller) => this.#push(queue, `key-${caller}`)));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#callers;
  }

  async #push(queue: MessageQueue, key: string): Promise<void> {
    for (let index = 0; !this.#stopped; index++) {
      const id = `${key}-${index}`;
      try {
        await queue.push({ id, type: 'load', key });
        this.stored.push(id);
      } catch (error) {
        // The test is over.
        if (isNqError(error, 'NQ_CLOSED')) return;
        this.refused.push(isNqError(error) ? error.code : String(error));
      }
      const now = performance.now();
      this.longestGapMs = Math.max(this.longestGapMs, now - this.#answeredAt);
      this.#answeredAt = now;
    }
  }
}

/** Handles one event after the other in so many loops, until it is stopped. */
export class Handling {
  /** The ids of events whose acknowledgement resolved, in the order of the hand-outs. */
  readonly done: string[] = [];
  /** The ids of all that was handed out. */
  readonly seen: string[] = [];
  readonly #queue: MessageQueue;
  readonly #handle: () => Promise<unknown> | undefined;
  readonly #ending = new AbortController();
  readonly #loops: Promise<unknown>;

  constructor(queue: MessageQueue, loops: number, handle: () => Promise<unknown> | undefined = () => undefined) {
    this.#queue = queue;
    this.#handle = handle;
    this.#loops = Promise.all(Array.from({ length: loops }, () => this.#loop()));
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    await this.#loops;
  }

  async #loop(): Promise<void> {
    const { signal } = this.#ending;
    while (!signal.aborted) {
      const delivery = await this.#queue.pop({ signal }).catch((error: unknown) => {
        // The test is over.
        if (isNqError(error, 'NQ_CLOSED')) this.#ending.abort();
      });
      if (delivery === undefined) continue;
      const { id } = delivery.event;
      this.seen.push(id);
      await this.#handle();
      if (await this.#settles(delivery)) this.done.push(id);
    }
  }

  /** Whether it is acknowledged: who does not know asks again. What is lost comes again, to whoever has its partition then. */
  async #settles(delivery: Delivery): Promise<boolean> {
    for (;;) {
      try {
        await delivery.ack();
        return true;
      } catch (error) {
        if (!isNqError(error, 'NQ_OUTCOME_UNKNOWN')) return false;
      }
    }
  }
}

/** For each key, the numbers of its events in the order in which they came first. */
export function firstsByKey(ids: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const firsts = new Map<string, number[]>();
  for (const id of new Set(ids)) {
    const dash = id.lastIndexOf('-');
    const key = id.slice(0, dash);
    firsts.set(key, [...(firsts.get(key) ?? []), Number(id.slice(dash + 1))]);
  }
  return firsts;
}
