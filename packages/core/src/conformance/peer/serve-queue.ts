import { checkFunction } from '../../check.ts';
import type { MessageQueue } from '../../queue.ts';
import type { OpenOptions } from '../harness.ts';
import { type OpenQueue, ServedQueue } from './served-queue.ts';
import { setClockAhead } from './set-clock-ahead.ts';

/**
 * Serves a queue to the conformance kit, from the process that the hook `fork` has started: opens it when the kit asks for
 * it, and pushes, pops and closes as the kit says. Before some rules open it, `Date` of the process is set to another time. After the close the process ends by itself, unless something that is left
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
  const served = new ServedQueue({ open: open as unknown as OpenQueue, setClockAhead });
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
