import type { Clock, LeasedEvent, ReturnedLease } from '@nq/core';
import { Changes } from './changes.ts';
import type { ConsumerParts } from './consumer-parts.ts';
import type { HandOut } from './held-partition.ts';
import { KafkaConsumer } from './kafka-consumer.ts';

/** How long a pop that does not wait for events waits for the first look at the partitions, in milliseconds. */
const firstLookMs = 900;

/** How many records of a retry topic are in memory at most, for nearly all of them wait for the end of their delay. */
const mostParked = 20_000;

/** What all consumers of a queue are made of, and where its retries are. */
export interface ConsumersParts extends Omit<ConsumerParts, 'changes' | 'isRetry'> {
  /** The retry topic, and the group that reads it; `undefined` if there is none. */
  readonly retry: { readonly topic: string; readonly group: string } | undefined;
}

/** What a queue object consumes: its topic, and its retry topic if it has one, as a member of a group for each. */
export class Consumers {
  readonly main: KafkaConsumer;
  readonly retry: KafkaConsumer | undefined;
  /** Those that there are; what was given back comes first. */
  readonly #all: readonly KafkaConsumer[];
  readonly #clock: Clock;
  /** Told of what can be handed out. */
  readonly #changes: Changes;
  #closed = false;

  constructor({ retry, ...parts }: ConsumersParts) {
    const { clock, options } = parts;
    this.#clock = clock;
    this.#changes = new Changes(clock);
    this.main = new KafkaConsumer({ ...parts, changes: this.#changes, isRetry: false });
    if (retry !== undefined) {
      const reading = { ...options, ...retry, order: 'none', startFrom: 'earliest', prefetch: mostParked } as const;
      this.retry = new KafkaConsumer({ ...parts, options: reading, changes: this.#changes, isRetry: true });
    }
    this.#all = this.retry === undefined ? [this.main] : [this.retry, this.main];
  }

  /** Resolves as soon as there is something, with at most `max` events; after `waitMs`, or when `signal` aborts, with none. */
  pop(max: number, waitMs: number, signal: AbortSignal): Promise<readonly LeasedEvent[]> {
    const [pop, { retry }] = [() => this.#pop(max, waitMs, signal), this];
    return this.main.during(retry === undefined ? pop : () => retry.during(pop));
  }

  ack(handOuts: readonly HandOut[]): Promise<readonly boolean[]> {
    return this.#divided(
      handOuts,
      (handOut) => handOut,
      (consumer, own) => consumer.ack(own),
    );
  }

  nack(returns: readonly ReturnedLease[]): Promise<readonly boolean[]> {
    return this.#divided(
      returns,
      ({ receipt }) => receipt as HandOut,
      (consumer, own) => consumer.nack(own),
    );
  }

  extend(handOuts: readonly HandOut[], ms: number): Promise<readonly boolean[]> {
    return this.#divided(
      handOuts,
      (handOut) => handOut,
      async (consumer, own) => consumer.extend(own, ms),
    );
  }

  /** Calls `listener` with each hand-out that is no longer ours. */
  onLeaseLost(listener: (handOut: unknown) => void): void {
    for (const consumer of this.#all) consumer.onLeaseLost(listener);
  }

  /** Gives back what is handed out, commits what is done, and leaves. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#all.map((consumer) => consumer.close()));
  }

  async #pop(max: number, waitMs: number, signal: AbortSignal): Promise<readonly LeasedEvent[]> {
    const [clock, all] = [this.#clock, this.#all];
    const deadline = clock.now() + waitMs;
    const lookUntil = clock.now() + firstLookMs;
    for (;;) {
      if (signal.aborted) return [];
      for (const consumer of all) await consumer.join();
      if (signal.aborted) return [];
      const leases: LeasedEvent[] = [];
      for (const consumer of all) leases.push(...consumer.take(max - leases.length));
      const failed = all.find(({ failure }) => failure !== undefined);
      if (leases.length === 0 && failed !== undefined) throw failed.failure;
      // What is there is not known as long as nobody has looked.
      const until = all.some(({ isReading }) => isReading) ? Math.max(deadline, lookUntil) : deadline;
      const leftMs = until - clock.now();
      if (leases.length > 0 || leftMs <= 0 || this.#closed) return leases;
      await this.#changes.next(leftMs, signal);
    }
  }

  /** Asks each consumer about those that are of it. @returns the answers in the order of `items`. */
  async #divided<Item>(
    items: readonly Item[],
    handOutOf: (item: Item) => HandOut,
    ask: (consumer: KafkaConsumer, own: readonly Item[]) => Promise<readonly boolean[]>,
  ): Promise<readonly boolean[]> {
    const { main, retry } = this;
    if (retry === undefined) return ask(main, items);
    const isRetry = (item: Item): boolean => handOutOf(item).held.partition.topic === retry.place.topic;
    const [ofRetry, ofMain] = await Promise.all([
      ask(retry, items.filter(isRetry)),
      ask(
        main,
        items.filter((item) => !isRetry(item)),
      ),
    ]);
    const [retries, others] = [ofRetry.values(), ofMain.values()];
    return items.map((item) => (isRetry(item) ? retries : others).next().value === true);
  }
}
