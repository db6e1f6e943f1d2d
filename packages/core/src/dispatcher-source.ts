import { checkCount, checkOptions, describe } from './check.ts';
import type { MessageQueue } from './queue.ts';
import { parseConfig, type QueueConfig } from './registry.ts';

/**
 * Where a dispatcher gets its events from: a channel of so many events, a queue of yours, a queue named as in a
 * configuration file, or the same as a URL. A queue of yours is never closed; one that is named is opened by the first
 * `start()` or `dispatch()`, and closed by `stop()`.
 */
export type DispatcherSource = number | string | QueueConfig | { readonly queue: MessageQueue };

/** A {@link DispatcherSource}, read. */
export type Source = { readonly queue: MessageQueue } | { readonly config: string | QueueConfig };

/** @throws as `createDispatcher` for a source that is none. */
export function readSource(source: DispatcherSource): Source {
  if (typeof source === 'number') {
    checkCount('Cannot create a dispatcher', 'capacity', source, 0, Infinity);
    return { config: { type: 'channel', bufferSize: source } };
  }
  if (typeof source === 'string') {
    parseConfig(source);
    return { config: source };
  }
  if (typeof source !== 'object' || source === null) {
    throw new TypeError(
      `Cannot create a dispatcher: expected a capacity, a URL, { type } or { queue }, got ${describe(source)}`,
    );
  }
  if ('popMany' in source) throw new TypeError('Cannot create a dispatcher: a queue is given as { queue }');
  if (!('queue' in source)) {
    parseConfig(source);
    return { config: { ...source } };
  }
  checkOptions('Cannot create a dispatcher', source, ['queue']);
  if (typeof (source.queue as Partial<MessageQueue> | undefined)?.popMany !== 'function') {
    throw new TypeError(`Cannot create a dispatcher: queue must be a MessageQueue, got ${describe(source.queue)}`);
  }
  return { queue: source.queue };
}
