import type { ConnectionPool, RequestQueue } from './internals.ts';

/** How many requests have their answer before the map of those under way is made anew. */
const renewAfter = 32;

/** How many of each had it since. */
const answered = new WeakMap<RequestQueue, number>();
const passes = Symbol('passes');

/**
 * Has requests that are done with be forgotten. kafkajs has those under way in one `Map` for as long as a connection lives,
 * which keeps alive what has passed through it, as core's `PassingMap` tells: the bytes of every request and of every answer,
 * until all garbage is collected, which they bring about ten times as often (Node 20, `--trace-gc`). It is so for every client
 * of kafkajs in this process.
 */
export function passRequests({ pool }: ConnectionPool): void {
  for (const { requestQueue } of pool) {
    const prototype = Object.getPrototypeOf(requestQueue) as RequestQueue & { [passes]?: boolean };
    if (prototype[passes] === true) continue;
    const fulfill = prototype.fulfillRequest;
    prototype.fulfillRequest = function (this: RequestQueue, answer: unknown): void {
      fulfill.call(this, answer);
      const count = (answered.get(this) ?? 0) + 1;
      if (count >= renewAfter) this.inflight = new Map(this.inflight);
      answered.set(this, count % renewAfter);
    };
    prototype[passes] = true;
  }
}
