import { concurrently } from '../harness/concurrently.ts';
import { inBatchesOf } from '../harness/in-batches-of.ts';
import type { Notification } from '../harness/notification.ts';
import type { Control } from './control.ts';

/** How calls follow one another. */
export type Way = 'one at a time' | '100 concurrent' | 'batches of 100';

/** How many callers are at work at once, or how many messages are in a call. */
export const together = 100;

/** Puts messages into a queue. */
export interface Producer {
  /** Resolves when Redis has the message. */
  push(notification: Notification): Promise<unknown>;
  /** The same of many, in one call. */
  pushMany(notifications: readonly Notification[]): Promise<unknown>;
}

/** Called with every message that a consumer was given. */
export type Receive = (notification: Notification) => void;

/** Takes messages out of a queue that holds them already. */
export interface Consumer {
  /** Gets ready, once the messages are there. Takes nothing yet. */
  prepare?(): Promise<unknown>;
  /** Takes `count` messages. Resolves when all of them are acknowledged. */
  run(count: number): Promise<unknown>;
  /** Takes no more, until it is prepared again. */
  stop?(): Promise<unknown>;
}

/** A way to have a queue on Redis. */
export interface Contender {
  readonly name: string;
  openProducer(address: string): Promise<Producer>;
  openConsumer(address: string, way: Way, receive: Receive): Promise<Consumer>;
  /** Hands out each message as soon as it is there, for ever. Resolves once it waits for them. */
  listen(address: string, receive: Receive): Promise<unknown>;
  /** How many messages wait. */
  count(control: Control): Promise<number>;
}

/** How many are at work at once in that way. */
export const workersOf = (way: Way): number => (way === 'one at a time' ? 1 : together);

/** Calls `each` so often, in that way, where a call is for one message. */
export function inWay(
  way: Exclude<Way, 'batches of 100'>,
  count: number,
  each: (index: number) => unknown,
): Promise<void> {
  return concurrently(workersOf(way), count, each);
}

/** Calls `each` for one batch after the other. */
export function inBatches(count: number, each: (from: number, end: number) => Promise<unknown>): Promise<void> {
  return inBatchesOf(together, count, each);
}
