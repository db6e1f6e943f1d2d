import { describe } from '../../check.ts';
import { decodeEvent } from '../../cloudevents.ts';
import type { MessageQueue } from '../../queue.ts';
import { checkQueue } from '../check-opened.ts';
import type { OpenOptions } from '../harness.ts';
import { explainError } from '../journal.ts';
import { isPeerRequest, type PeerAnswer, type PeerCall } from './peer-messages.ts';
import { workOn } from './worker.ts';

/** Opens the queue in the process that serves it. */
export type OpenQueue = (options: OpenOptions) => MessageQueue | Promise<MessageQueue>;

/** A process that serves a queue. */
export interface ServingProcess {
  readonly open: OpenQueue;
  /** Sets its clock so many milliseconds ahead of that of the machine, or behind. */
  readonly setClockAhead: (aheadMs: number) => void;
}

/** A queue that is used by messages. */
export class ServedQueue {
  readonly #process: ServingProcess;
  #queue: MessageQueue | undefined;
  #closed = false;

  constructor(process: ServingProcess) {
    this.#process = process;
  }

  /** Whether the queue was closed: there is nothing more to do. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Does what `message` asks for, if it is a request, and sends the answer. Never rejects. */
  async answer(message: unknown, send: (answer: PeerAnswer) => void): Promise<void> {
    if (!isPeerRequest(message)) return;
    const { number, call } = message;
    try {
      send({ nq: 'answer', number, value: await this.#do(call) });
    } catch (error) {
      const text = error instanceof Error ? explainError(error) : `${describe(error)} was thrown`;
      send({ nq: 'answer', number, error: text });
    }
  }

  async #do(call: PeerCall): Promise<unknown> {
    if (call.verb === 'open') {
      if (call.clockAheadMs !== 0) this.#process.setClockAhead(call.clockAheadMs);
      const queue = await this.#process.open(call.options);
      checkQueue(queue);
      this.#queue = queue;
      return undefined;
    }
    if (this.#queue === undefined) throw new Error('the queue was not opened');
    switch (call.verb) {
      case 'push':
        return workOn(this.#queue).push(
          call.events.map((text) => decodeEvent(text)),
          call.timeoutMs,
        );
      case 'take':
        return workOn(this.#queue).take(call.taking);
      case 'replay':
        return workOn(this.#queue).replay(call.ids);
      case 'close':
        await this.#queue.close();
        this.#closed = true;
        return undefined;
    }
  }
}
