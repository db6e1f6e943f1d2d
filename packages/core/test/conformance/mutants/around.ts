import { type Clock, type MessageQueue, NqError } from '../../../src/index.ts';
import type { ConformanceHarness, Namespace, OpenOptions } from '../../../src/conformance.ts';

/** Changes one queue when it is opened. */
export type ChangeOpened = (
  queue: MessageQueue,
  place: Namespace,
  options: OpenOptions,
) => MessageQueue | Promise<MessageQueue>;

/** `harness`, with every queue changed as it is opened. @param changeOf is called for each namespace. */
export function whereOpened(harness: ConformanceHarness, changeOf: () => ChangeOpened): ConformanceHarness {
  return whereEntered(harness, (place) => {
    const change = changeOf();
    return { ...place, open: async (options) => change(await place.open(options), place, options) };
  });
}

/** `harness`, with every namespace changed. */
export function whereEntered(harness: ConformanceHarness, change: (place: Namespace) => Namespace): ConformanceHarness {
  return { ...harness, namespace: async (id) => change(await harness.namespace(id)) };
}

/** Resolves after `ms` milliseconds. */
export function wait(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(resolve, ms);
  });
}

/** What never settles. */
export function never<Result>(): Promise<Result> {
  return new Promise(() => {});
}

/** What a closed queue rejects with. */
export function closedError(): NqError {
  return new NqError('NQ_CLOSED', 'Cannot do it: the queue is closed');
}
