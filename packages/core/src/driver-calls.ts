import { checkCount, checkIds, checkOptions } from './check.ts';
import type { QueueDriver } from './driver.ts';
import { errorCodes, isNqError, NqError, type NqErrorCode } from './errors.ts';
import type { DeadLetters } from './queue.ts';

/** The error that a caller of nq sees for what a driver threw: wrapped once, named by the driver. */
export function wrapDriverError(driver: QueueDriver, verb: string, cause: unknown): NqError {
  if (isNqError(cause)) return cause;
  // The message of a client library may hold addresses with passwords, or payload: it stays in the cause.
  return new NqError(classify(driver, cause), `Cannot ${verb}: the backend failed`, { cause });
}

/** A driver that cannot name its own failure must not hide it. */
function classify(driver: QueueDriver, cause: unknown): NqErrorCode {
  try {
    const code = driver.classify(cause);
    return Object.hasOwn(errorCodes, code) ? code : 'NQ_BACKEND';
  } catch {
    return 'NQ_BACKEND';
  }
}

/** What `call` resolves. @throws {NqError} for what the driver threw, at once or later. */
export async function callDriver<Result>(
  driver: QueueDriver,
  verb: string,
  call: () => Promise<Result>,
): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    throw wrapDriverError(driver, verb, error);
  }
}

/**
 * The dead letters of `driver` as users see them: options are checked, errors are wrapped.
 *
 * @param refuse throws if the queue is closed.
 */
export function wrapDeadLetters(
  driver: QueueDriver,
  letters: DeadLetters,
  refuse: (verb: string) => void,
): DeadLetters {
  const call = <Result>(verb: string, ask: () => Promise<Result>): Promise<Result> => {
    refuse(verb);
    return callDriver(driver, verb, ask);
  };
  return Object.freeze({
    count: async () => call('count dead letters', () => letters.count()),
    list: async (options: { readonly limit?: number } = {}) => {
      checkOptions('Cannot list dead letters', options, ['limit']);
      const { limit = 100 } = options;
      checkCount('Cannot list dead letters', 'limit', limit, 0, Infinity);
      return call('list dead letters', () => letters.list({ limit }));
    },
    replay: async (ids?: readonly string[]) => {
      checkIds('Cannot replay dead letters', ids);
      return call('replay dead letters', () => letters.replay(ids));
    },
    remove: async (ids?: readonly string[]) => {
      checkIds('Cannot remove dead letters', ids);
      return call('remove dead letters', () => letters.remove(ids));
    },
  });
}
