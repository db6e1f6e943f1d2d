import type { ConnectionPool, RequestQueue } from './internals.ts';

/** How often requests are looked for that have no answer in time, in milliseconds: so much later they are given up, at the most. */
const checkMs = 500;

/** The requests of all connections, and what looks at them: together, for whoever does nothing is not to be woken all the time. */
const watched = new Set<RequestQueue>();
let watch: NodeJS.Timeout | undefined;

const calm = Symbol('calm');

/**
 * Slows down what kafkajs does all the time. Each connection that was ever used looks for requests to send a thousand times in
 * a second, where nothing waits (kafkajs #1556, #1704): now only when something waits, or the broker has asked for a pause. And
 * ten times in a second each looks for requests without an answer, which takes most of the CPU of who does nothing.
 * It is so for every client of kafkajs in this process.
 */
export function calmTimers({ pool }: ConnectionPool): void {
  for (const { requestQueue } of pool) {
    const prototype = Object.getPrototypeOf(requestQueue) as RequestQueue & { [calm]?: boolean };
    if (prototype[calm] === true) return;
    const schedule = prototype.scheduleCheckPendingRequests;
    prototype.scheduleCheckPendingRequests = function (this: RequestQueue): void {
      if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this);
    };
    prototype.scheduleRequestTimeoutCheck = function (this: RequestQueue): void {
      if (!this.enforceRequestTimeout) return;
      watched.add(this);
      // It is the connections that keep the process alive.
      watch ??= setInterval(giveUpLate, checkMs).unref();
    };
    prototype[calm] = true;
  }
}

function giveUpLate(): void {
  // The clock by which kafkajs notes when it has sent something.
  const now = Date.now();
  for (const queue of watched) {
    for (const request of queue.inflight.values()) {
      if (request.sentAt !== null && now - request.sentAt > request.requestTimeout) request.timeoutRequest();
    }
    if (!queue.isConnected()) watched.delete(queue);
  }
  if (watched.size > 0) return;
  clearInterval(watch);
  watch = undefined;
}
