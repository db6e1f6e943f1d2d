import type { ConnectionPool, RequestQueue } from './internals.ts';

/**
 * How many requests have their answer before the map of those under way is made anew, unless many more are under way: before
 * it is old, which it is after two of the frequent collections, in a process that does nothing else some 40 ms.
 */
const renewAfter = 32;

/** How many of each had it since. */
const answered = new WeakMap<RequestQueue, number>();
const passes = Symbol('passes');

/**
 * Has requests be forgotten that have their answer. kafkajs has those under way in one `Map` for as long as a connection
 * lives, which keeps alive what has passed through it, as core's `PassingMap` tells: the bytes of requests and of answers, until
 * everything is collected, which had to be done ten times as often for that (1,000 callers that push; Node 20, `--trace-gc`).
 * It is so for every client of kafkajs in this process.
 */
export function passRequests({ pool }: ConnectionPool): void {
  for (const { requestQueue } of pool) {
    const prototype = Object.getPrototypeOf(requestQueue) as RequestQueue & { [passes]?: boolean };
    if (prototype[passes] === true) continue;
    const fulfill = prototype.fulfillRequest;
    prototype.fulfillRequest = function (this: RequestQueue, answer: unknown): void {
      fulfill.call(this, answer);
      const count = (answered.get(this) ?? 0) + 1;
      const isOver = count >= renewAfter + this.inflight.size;
      if (isOver) this.inflight = new Map(this.inflight);
      answered.set(this, isOver ? 0 : count);
    };
    prototype[passes] = true;
  }
}
