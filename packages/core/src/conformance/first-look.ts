import type { Clock } from '../clock.ts';
import type { MessageQueue } from '../queue.ts';
import { settledWithin } from './settled-within.ts';
import { Hang } from './violation.ts';

/** What the first look needs to know. */
interface Look {
  /** Makes what the event carries. */
  readonly make: () => unknown;
  /** How long a call may take, in milliseconds. */
  readonly patienceMs: number;
  readonly clock: Clock;
}

/**
 * Pushes one event, takes it and acknowledges it. With a queue that leaves one of these calls hanging, every rule would wait
 * until its time is over, which takes more than an hour. What rejects or does not come is left to the rules.
 *
 * @returns what did not settle, in words; `undefined` if everything has.
 */
export async function firstLook(queue: MessageQueue, { make, patienceMs, clock }: Look): Promise<string | undefined> {
  const settled = <Result>(verb: string, call: () => Promise<Result>, limitMs = patienceMs): Promise<Result> =>
    settledWithin((async () => call())(), `${verb} of the first event`, limitMs, clock);
  try {
    await settled('push()', () => queue.push({ type: 'nq.conformance', data: make() }));
    const delivery = await settled('pop()', () => queue.pop({ timeoutMs: patienceMs }), 2 * patienceMs);
    if (delivery !== undefined) await settled('ack()', () => delivery.ack());
  } catch (error) {
    if (error instanceof Hang) return error.message;
  }
  return undefined;
}
