import { type DeadLetter, type MessageQueue, openQueue, type StopReport } from '@nq/core';

/** How many events `queue` holds. */
export async function sizeOf(queue: MessageQueue): Promise<number> {
  const { ready, inFlight, delayed } = await queue.size();
  return ready + inFlight + delayed;
}

/** How many dead letters `queue` holds. */
export async function countDead(queue: MessageQueue): Promise<number> {
  return queue.capabilities.deadLetter ? queue.deadLetters.count() : 0;
}

/** The oldest `limit` dead letters after the `before` that were there already. */
export async function listDead(queue: MessageQueue, before: number, limit: number): Promise<readonly DeadLetter[]> {
  if (!queue.capabilities.deadLetter) return [];
  return (await queue.deadLetters.list({ limit: before + limit })).slice(before);
}

/** How many events a run has left behind: gone with a queue in this process, still in the queue elsewhere. */
export async function countLeft(
  url: string,
  queue: MessageQueue,
  { abandoned }: StopReport,
  endedEarly: boolean,
): Promise<number> {
  if (!endedEarly || queue.capabilities.durable === 'none') return abandoned;
  // The dispatcher has closed the queue, and what it gave back is counted only now.
  const reopened = await openQueue(url);
  try {
    return await sizeOf(reopened);
  } finally {
    await reopened.close();
  }
}
