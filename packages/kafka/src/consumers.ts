import type { Clock, LeasedEvent, ReturnedLease } from '@nq/core';
import { Changes } from './changes.ts';
import type { ConsumerParts } from './consumer-parts.ts';
import type { HandOut } from './held-partition.ts';
import { IdleWatch } from './idle-watch.ts';
import { KafkaConsumer } from './kafka-consumer.ts';
import { ParkedReader } from './parked-reader.ts';
import type { RetryTopic } from './retry-topic.ts';

/** How long a pop that does not wait for events waits for the first look at the partitions, in milliseconds. */
const firstLookMs = 900;

/** How many records of a retry topic are in memory at most, for nearly all of them wait for the end of their delay. */
const mostParked = 20_000;

/** How long a join may wait to learn what time it is at the brokers, in parts of the session. */
const learnPart = 1 / 5;

/** What all consumers of a queue are made of, and where its retries are. */
export interface ConsumersParts extends Omit<ConsumerParts, 'changes' | 'onQuiet' | 'retries' | 'parked'> {
  /** The retry topic, its name, and the group that reads it; `undefined` if there is none. */
  readonly retry: { readonly retries: RetryTopic; readonly topic: string; readonly group: string } | undefined;
  /** After how long without a pop, and with nothing handed out, partitions are left to others, in milliseconds. */
  readonly idleMs: number;
}

/** What a queue object consumes: its topic, and its retry topic if it has one, as a member of a group for each. */
export class Consumers {
  readonly main: KafkaConsumer;
  readonly retry: KafkaConsumer | undefined;
  /** Those that there are; what was given back comes first. */
  readonly #all: readonly KafkaConsumer[];
  readonly #clock: Clock;
  /** They leave together: whoever has something of one in hand comes back soon. */
  readonly #idle: IdleWatch;
  /** Told of what can be handed out. */
  readonly #changes: Changes;
  #closed = false;

  constructor({ retry, idleMs, ...parts }: ConsumersParts) {
    const { clock, driver, options } = parts;
    const retries = retry?.retries;
    this.#clock = clock;
    this.#changes = new Changes(clock);
    const common = { ...parts, retries, changes: this.#changes, onQuiet: () => this.#idle.look() };
    this.main = new KafkaConsumer({ ...common, parked: undefined });
    if (retry !== undefined) {
      const { topic, group } = retry;
      const reading = { topic, group, order: 'none', startFrom: 'earliest', prefetch: mostParked } as const;
      const limitMs = options.sessionTimeoutMs * learnPart;
      const parked = new ParkedReader({ ...retry, driver, clock, retriesOf: options, limitMs });
      this.retry = new KafkaConsumer({ ...common, options: { ...options, ...reading }, parked });
    }
    this.#all = this.retry === undefined ? [this.main] : [this.retry, this.main];
    this.#idle = new IdleWatch({
      clock,
      idleMs,
      isBusy: () =>
        this.#closed || this.#all.some(({ hasOut }) => hasOut) || !this.#all.some(({ isMember }) => isMember),
      onIdle: () => this.#all.forEach((consumer) => consumer.leave()),
    });
  }

  /** Resolves as soon as there is something, with at most `max` events; after `waitMs`, or when `signal` aborts, with none. */
  pop(max: number, waitMs: number, signal: AbortSignal): Promise<readonly LeasedEvent[]> {
    return this.#idle.during(() => this.#pop(max, waitMs, signal));
  }

  ack(handOuts: readonly HandOut[]): Promise<readonly (boolean | Error)[]> {
    const own = (handOut: HandOut): HandOut => handOut;
    return this.#idle.during(() => this.#divided(handOuts, own, (consumer, part) => consumer.ack(part)));
  }

  nack(returns: readonly ReturnedLease[]): Promise<readonly (boolean | Error)[]> {
    const own = ({ receipt }: ReturnedLease): HandOut => receipt as HandOut;
    return this.#idle.during(() => this.#divided(returns, own, (consumer, part) => consumer.nack(part)));
  }

  /** @returns for each whether it is still handed out. */
  extend(handOuts: readonly HandOut[], ms: number): readonly boolean[] {
    return handOuts.map((handOut) => this.#consumerOf(handOut).extend(handOut, ms));
  }

  /** Calls `listener` with each hand-out that is no longer ours. */
  onLeaseLost(listener: (handOut: unknown) => void): void {
    for (const consumer of this.#all) consumer.onLeaseLost(listener);
  }

  /** Gives back what is handed out, commits what is done, and leaves. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#idle.cancel();
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

  #consumerOf({ held }: HandOut): KafkaConsumer {
    return this.retry !== undefined && held.partition.topic === this.retry.place.topic ? this.retry : this.main;
  }

  /**
   * Asks each consumer about those that are of it: one whose coordinator does not answer fails for its own alone.
   *
   * @returns the answers in the order of `items`.
   */
  async #divided<Item>(
    items: readonly Item[],
    handOutOf: (item: Item) => HandOut,
    ask: (consumer: KafkaConsumer, own: readonly Item[]) => Promise<readonly (boolean | Error)[]>,
  ): Promise<readonly (boolean | Error)[]> {
    if (this.retry === undefined) return ask(this.main, items);
    const consumers = items.map((item) => this.#consumerOf(handOutOf(item)));
    const asked = this.#all.map(async (consumer) => {
      const own = items.filter((_item, index) => consumers[index] === consumer);
      const answers = await ask(consumer, own).catch((error: unknown) => own.map(() => error as Error));
      return [consumer, answers.values()] as const;
    });
    const answers = new Map(await Promise.all(asked));
    return consumers.map((consumer) => answers.get(consumer)?.next().value ?? false);
  }
}
