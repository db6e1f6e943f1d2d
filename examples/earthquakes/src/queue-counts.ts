import { setTimeout as sleep } from 'node:timers/promises';
import { type DeadLetter, type MessageQueue, openQueue, type QueueConfig, type StopReport } from '@nq/core';

/** How many events `queue` holds. */
export async function sizeOf(queue: MessageQueue): Promise<number> {
  const { ready, inFlight, delayed } = await queue.size();
  return ready + inFlight + delayed;
}

/** How often a queue is asked whether it is empty, in milliseconds. */
const emptyPollMs = 20;

/**
 * Resolves once `queue` is empty: whoever handles its events, each is acknowledged or given up. `drain()` of a dispatcher
 * would do, but it warns that nothing is started here.
 *
 * @throws the reason of `signal`.
 */
export async function untilEmpty(queue: MessageQueue, signal: AbortSignal): Promise<void> {
  while ((await sizeOf(queue)) > 0) {
    signal.throwIfAborted();
    await sleep(emptyPollMs);
  }
}

/** How many dead letters `queue` holds. */
export async function countDead(queue: MessageQueue): Promise<number> {
  return queue.capabilities.deadLetter ? queue.deadLetters.count() : 0;
}

/** The oldest `limit` dead letters after the `before` that were there already. */
export async function listDead(queue: MessageQueue, before: number, limit: number): Promise<readonly DeadLetter[]> {
  if (!queue.capabilities.deadLetter || limit <= 0) return [];
  return (await queue.deadLetters.list({ limit: before + limit })).slice(before);
}

/** How many events a run has left behind: gone with a queue in this process, still in the queue elsewhere. */
export async function countLeft(
  source: string | QueueConfig,
  queue: MessageQueue,
  { abandoned }: StopReport,
  endedEarly: boolean,
): Promise<number> {
  if (!endedEarly || queue.capabilities.durable === 'none') return abandoned;
  // The dispatcher has closed the queue, and what it gave back is counted only now.
  const reopened = await openQueue(source);
  try {
    return await sizeOf(reopened);
  } finally {
    await reopened.close();
  }
}
