import type { Connection, ConnectionPool, RequestQueue } from './internals.ts';

/** How often requests are looked for that have no answer in time, in milliseconds: so much later they are given up, at the most. */
const checkMs = 500;

/** The requests of all connections, and what looks at them: together, for whoever does nothing is not to be woken all the time. */
const watched = new Set<RequestQueue>();
let watch: NodeJS.Timeout | undefined;

/** The connection of each, if it is one of ours. */
const connections = new WeakMap<RequestQueue, Connection>();
/** How many bytes had been read when a request was first looked at, soon after it was sent. */
const readBefore = new WeakMap<object, number>();

const calm = Symbol('calm');

/**
 * Slows down what kafkajs does all the time. Each connection that was ever used looks for requests to send a thousand times in
 * a second, where nothing waits (kafkajs #1556, #1704): now only when something waits, or the broker has asked for a pause. And
 * ten times in a second each looks for requests without an answer, which takes most of the CPU of who does nothing.
 * It is so for every client of kafkajs in this process.
 */
export function calmTimers({ pool }: ConnectionPool): void {
  for (const connection of pool) {
    const { requestQueue } = connection;
    connections.set(requestQueue, connection);
    const prototype = Object.getPrototypeOf(requestQueue) as RequestQueue & { [calm]?: boolean };
    if (prototype[calm] === true) continue;
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
    giveUpLateOf(queue, now);
    if (!queue.isConnected()) watched.delete(queue);
  }
  if (watched.size > 0) return;
  clearInterval(watch);
  watch = undefined;
}

/**
 * A connection on which nothing has come for as long as a request may take is ended besides, so that the next one makes another:
 * what is between us and the broker may have forgotten it, and then nothing ever comes, of which nobody is told for a quarter
 * of an hour. Not as long as a request in front may take its time, as that of who joins a group: a broker answers in order.
 */
function giveUpLateOf(queue: RequestQueue, now: number): void {
  const socket = connections.get(queue)?.socket;
  let isFirst = true;
  let isSilent = false;
  for (const request of queue.inflight.values()) {
    if (request.sentAt === null || now - request.sentAt <= request.requestTimeout) {
      isFirst = false;
      if (socket && !readBefore.has(request)) readBefore.set(request, socket.bytesRead);
      continue;
    }
    isSilent ||= isFirst && socket?.bytesRead === readBefore.get(request);
    request.timeoutRequest();
  }
  // With an error, or kafkajs does not hear of it.
  if (isSilent) socket?.destroy(new Error('the broker has sent nothing'));
}
