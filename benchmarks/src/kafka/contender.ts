import type { Notification } from '../harness/notification.ts';
import type { BenchTopic } from './bench-topic.ts';

/** How messages are pushed. */
export type PushWay = 'one at a time' | '100 concurrent' | '1,000 concurrent' | 'batches of 500';

/** How many messages are in a call for many. */
export const batchSize = 500;

/** Puts messages into a topic. */
interface Producer {
  /** Resolves when all replicas in sync have the message. */
  push(notification: Notification): Promise<unknown>;
  /** The same of many, in one call. */
  pushMany(notifications: readonly Notification[]): Promise<unknown>;
}

/** Called with every message that a consumer was given. */
export type Receive = (notification: Notification) => void;

/** A member of a group that takes messages only when it is told to. */
export interface Consumer {
  /** How many messages it fetches before they are asked for. @default not many beside what is there */
  readonly ahead?: number;
  /** Takes `count` messages, which are there. Resolves when all of them are handled and committed. */
  run(count: number): Promise<unknown>;
}

/** A member of a group that takes messages for as long as it is there. */
interface Listener {
  /** Leaves the group. */
  close(): Promise<unknown>;
}

export type OpenConsumer = (bench: BenchTopic, receive: Receive) => Promise<Consumer>;

/** A way to use a topic of Kafka. */
export interface Contender {
  readonly name: string;
  openProducer(bench: BenchTopic): Promise<Producer>;
  /** Hands out each message as soon as it is there. */
  listen(bench: BenchTopic, receive: Receive): Promise<Listener>;
}

/** The consumer group of all of them; each process has a topic of its own. */
export const groupOf = ({ topic }: BenchTopic): string => `${topic}-group`;

/** What is written of a message by those who write JSON and nothing else. */
export const messageOf = (notification: Notification) => ({
  key: notification.account,
  value: JSON.stringify(notification),
});

/** What {@link messageOf} has written. */
export const readValue = (value: Buffer | string | null | undefined): Notification =>
  JSON.parse(value?.toString() ?? 'null') as Notification;
