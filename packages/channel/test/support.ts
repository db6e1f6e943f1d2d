import type { Delivery, EventInput, MessageQueue } from '@nq/core';

/** An event with this data. */
export function event(data: unknown): EventInput {
  return { type: 'test', data };
}

export function dataOf(delivery: Delivery | undefined): unknown {
  return delivery?.event.data;
}

/** Pops until nothing comes at once, or `count` deliveries are there; leaves them unsettled. */
export async function popAll(queue: MessageQueue, count = Infinity): Promise<Delivery[]> {
  const deliveries: Delivery[] = [];
  while (deliveries.length < count) {
    const delivery = await queue.pop(count === Infinity ? { timeoutMs: 0 } : {});
    if (delivery === undefined) break;
    deliveries.push(delivery);
  }
  return deliveries;
}

/** How `promise` stands after everything that is in motion has had its turn. */
export async function stateOf(promise: Promise<unknown>): Promise<'pending' | 'resolved' | 'rejected'> {
  let state: 'pending' | 'resolved' | 'rejected' = 'pending';
  promise.then(
    () => (state = 'resolved'),
    () => (state = 'rejected'),
  );
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
  return state;
}
