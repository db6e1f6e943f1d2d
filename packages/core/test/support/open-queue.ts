import { createQueue, type Delivery, type MessageQueue, type QueueDriver } from '../../src/index.ts';
import { virtualClock, type VirtualClock } from '../../src/testing.ts';
import { scriptedDriver, type ScriptedDriver, type ScriptedDriverOptions } from './scripted-driver.ts';

/** A queue on a scripted driver, and the clock of both. */
export interface OpenedQueue extends ScriptedDriver {
  readonly queue: MessageQueue;
  readonly clock: VirtualClock;
}

export function openQueueOn(
  options: Omit<ScriptedDriverOptions, 'clock'> = {},
  script?: (backend: QueueDriver<string>, clock: VirtualClock) => Partial<QueueDriver<string>>,
): OpenedQueue {
  const clock = virtualClock();
  const scripted = scriptedDriver({ ...options, clock }, (backend) => script?.(backend, clock) ?? {});
  return { ...scripted, clock, queue: createQueue(scripted.driver, { clock }) };
}

/** An event that is nothing but its id. */
export function event(id: string): { readonly id: string; readonly type: string; readonly data: string } {
  return { id, type: 'test', data: id };
}

/** Takes an event that is there. @throws if there is none. */
export async function take(queue: MessageQueue): Promise<Delivery> {
  const delivery = await queue.pop({ timeoutMs: 0 });
  if (delivery === undefined) throw new Error('expected an event in the queue, got none');
  return delivery;
}

/** The ids of all ready events, in order; they are acknowledged. */
export async function drain(queue: MessageQueue): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const deliveries = await queue.popMany(100, { timeoutMs: 0 });
    if (deliveries.length === 0) return ids;
    ids.push(...deliveries.map(({ event: { id } }) => id));
    await Promise.all(deliveries.map((delivery) => delivery.ack()));
  }
}
