import { NqError } from './errors.ts';
import type { QueueEvent } from './event.ts';
import type { Delivery } from './queue.ts';
import { done } from './waiting.ts';

/** An event that never was in a queue, because the queue was full: whoever dispatches it waits for its handlers. */
export class InlineDelivery implements Delivery {
  readonly event: QueueEvent;
  readonly attempt = 1;
  readonly waitedMs = undefined;
  readonly signal: AbortSignal = new AbortController().signal;
  /** Resolves when the handlers are done; rejects `NQ_HANDLER_FAILED` when they are not. */
  readonly settled: Promise<'ran'>;
  #resolve!: (result: 'ran') => void;
  #reject!: (reason: NqError) => void;

  constructor(event: QueueEvent) {
    this.event = event;
    this.settled = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  ack(): Promise<void> {
    this.#resolve('ran');
    return done;
  }

  nack(): Promise<void> {
    this.refuse('the dispatcher was stopped');
    return done;
  }

  /** Tells whoever dispatched the event that it is not done: it never was in a queue, so there is no other try. */
  refuse(reason: string, cause?: unknown): void {
    const message = `Event ${JSON.stringify(this.event.id)} was run inline and is not done: ${reason}`;
    this.#reject(new NqError('NQ_HANDLER_FAILED', message, { cause }));
  }

  extend(): Promise<void> {
    return done;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.nack();
  }
}
