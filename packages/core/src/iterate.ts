import { isNqError } from './errors.ts';
import type { Delivery, MessageQueue } from './queue.ts';

/** The deliveries of `queue`, one after the other, until it closes: what `for await` of a queue runs over. */
export async function* deliveriesOf<Data>(queue: MessageQueue<Data>): AsyncGenerator<Delivery<Data>, void, undefined> {
  for (;;) {
    let delivery: Delivery<Data> | undefined;
    try {
      delivery = await queue.pop();
    } catch (error) {
      if (isNqError(error, 'NQ_CLOSED')) return;
      throw error;
    }
    if (delivery !== undefined) yield delivery;
  }
}
