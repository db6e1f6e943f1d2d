import type { MessageQueue, QueueDriver, QueueEvent, WaitOptions } from '../../../src/index.ts';
import { type Alive, changed } from '../mutant.ts';

/** One call of `push`, `pushMany`, `pop` or `popMany`. */
export interface WaitingCall<Result> {
  readonly verb: 'push' | 'pushMany' | 'pop' | 'popMany';
  readonly options: WaitOptions | undefined;
  /** Makes the call, with other options. */
  readonly make: (options: WaitOptions | undefined) => Promise<Result>;
}

/** `queue`, with something done around every call that may wait. */
export function aroundCalls(
  queue: MessageQueue,
  around: <Result>(call: WaitingCall<Result>) => Promise<Result>,
): MessageQueue {
  return changed(queue, {
    push: (event, options) => around({ verb: 'push', options, make: (other) => queue.push(event, other) }),
    pushMany: (events, options) =>
      around({ verb: 'pushMany', options, make: (other) => queue.pushMany(events, other) }),
    pop: (options) => around({ verb: 'pop', options, make: (other) => queue.pop(other) }),
    popMany: (max, options) => around({ verb: 'popMany', options, make: (other) => queue.popMany(max, other) }),
  });
}

/** `queue`, with other options for some calls. @param change answers `undefined` where a call stays as it is. */
export function withOptions(
  queue: MessageQueue,
  alive: Alive,
  change: (options: WaitOptions) => WaitOptions | undefined,
): MessageQueue {
  return aroundCalls(queue, async ({ options, make }) => {
    const other = options && change(options);
    if (other === undefined) return make(options);
    alive();
    return make(other);
  });
}

/** `queue`, with other errors for some calls. @param change answers `undefined` where an error stays as it is. */
export function withErrors(
  queue: MessageQueue,
  alive: Alive,
  change: (error: unknown, options: WaitOptions) => Error | undefined,
): MessageQueue {
  return aroundCalls(queue, async ({ options, make }) => {
    try {
      return await make(options);
    } catch (error) {
      const other = change(error, options ?? {});
      if (other === undefined) throw error;
      alive();
      throw other;
    }
  });
}

/** `driver`, with events that are written otherwise. @param change answers `undefined` where an event stays as it is. */
export function withEncoding(
  driver: QueueDriver<string>,
  alive: Alive,
  change: (event: QueueEvent) => QueueEvent | undefined,
): QueueDriver<string> {
  return changed(driver, {
    encode(event) {
      const other = change(event);
      if (other === undefined) return driver.encode(event);
      alive();
      return driver.encode(other);
    },
  });
}
