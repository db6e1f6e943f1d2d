import { checkFunction, describe } from '../../check.ts';
import { decodeEvent } from '../../cloudevents.ts';
import type { MessageQueue } from '../../queue.ts';
import { checkQueue } from '../check-opened.ts';
import type { OpenOptions } from '../harness.ts';
import { explainError } from '../journal.ts';
import { isPeerRequest, type PeerAnswer, type PeerCall } from './messages.ts';
import { workOn } from './work.ts';

/** Opens the queue in the process that serves it. */
export type OpenQueue = (options: OpenOptions) => MessageQueue | Promise<MessageQueue>;

/**
 * Serves a queue to the conformance kit, from the process that the hook `fork` has started: opens it when the kit asks for
 * it, and pushes, pops and closes as the kit says. After the close the process ends by itself, unless something that is left
 * of the queue keeps it alive; it ends at once when the kit has gone.
 *
 * @param open as `open()` of a namespace: with the options that a rule asks for.
 * @throws {TypeError} if `open` is no function. @throws {Error} if the process has no IPC channel to the one that started it.
 */
export function serveQueue<Data>(
  open: (options: OpenOptions) => MessageQueue<Data> | Promise<MessageQueue<Data>>,
): void {
  checkFunction('Cannot serve a queue', 'open', open);
  const send = process.send?.bind(process);
  if (send === undefined) {
    throw new Error(
      'Cannot serve a queue: this process has no IPC channel; start it with fork() of node:child_process',
    );
  }
  const served = new ServedQueue(open as unknown as OpenQueue);
  const end = (): void => process.exit();
  process.on('disconnect', end);
  process.on('message', (message) => {
    void served.answer(message, (answer) => {
      // A kit that has gone is noticed by the disconnect.
      send(answer, undefined, undefined, () => {
        if (!served.closed || !process.connected) return;
        process.off('disconnect', end);
        process.disconnect();
      });
    });
  });
}

/** A queue that is used by messages. */
export class ServedQueue {
  readonly #open: OpenQueue;
  #queue: MessageQueue | undefined;
  #closed = false;

  constructor(open: OpenQueue) {
    this.#open = open;
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
      const queue = await this.#open(call.options);
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
      case 'close':
        await this.#queue.close();
        this.#closed = true;
        return undefined;
    }
  }
}
