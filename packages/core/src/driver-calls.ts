import { checkCount, checkIds, checkOptions, describe } from './check.ts';
import type { QueueDriver } from './driver.ts';
import { errorCodes, isNqError, NqError, type NqErrorCode } from './errors.ts';
import type { DeadLetters, QueueSize } from './queue.ts';

/** The error that a caller of nq sees for what a driver threw: wrapped once, named by the driver. */
export function wrapDriverError(driver: QueueDriver, verb: string, cause: unknown): NqError {
  if (isNqError(cause)) return cause;
  // The message of a client library may hold addresses with passwords, or payload: it stays in the cause.
  return new NqError(classify(driver, cause), `Cannot ${verb}: the backend failed`, { cause });
}

/**
 * The error of a driver that has answered something else than {@link QueueDriver} says, for its author to read. Not for
 * `classify`, which knows what the client library throws.
 */
export function misanswered(code: NqErrorCode, verb: string, expected: string, got: string): NqError {
  return new NqError(code, `Cannot ${verb}: driver.${expected}, got ${got}`);
}

/** What a driver has answered, in words. No text is shown, for it may be payload. */
export function describeAnswer(answer: unknown): string {
  return typeof answer === 'string' ? 'a string' : describe(answer);
}

/** The error of an `answer` that does not say of `count` leases whether they were ours: they may be settled all the same. */
export function unsaid(method: 'ack' | 'nack' | 'extend', count: number, answer: unknown): NqError {
  const expected = `${method} must answer an array of ${count} ${count === 1 ? 'boolean' : 'booleans'}`;
  const got = !Array.isArray(answer)
    ? describeAnswer(answer)
    : answer.length === count
      ? `an array that holds ${describeAnswer(answer.find((one) => typeof one !== 'boolean'))}`
      : `an array of ${answer.length}`;
  return misanswered('NQ_OUTCOME_UNKNOWN', method, expected, got);
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

/** The size of `driver`. @throws {NqError} for what it threw, and `NQ_BACKEND` if it did not answer one. */
export async function sizeOf(driver: QueueDriver): Promise<QueueSize> {
  const size: unknown = await callDriver(driver, 'count', () => driver.size());
  const wrong = (got: string): NqError =>
    misanswered('NQ_BACKEND', 'count', 'size must answer { ready, inFlight, delayed, oldestAgeMs, exact }', got);
  if (typeof size !== 'object' || size === null) throw wrong(describeAnswer(size));
  const members = size as Partial<Record<keyof QueueSize, unknown>>;
  for (const name of ['ready', 'inFlight', 'delayed', 'oldestAgeMs', 'exact'] as const) {
    const member = members[name];
    if (typeof member !== (name === 'exact' ? 'boolean' : 'number')) {
      throw wrong(`an object whose ${name} is ${describeAnswer(member)}`);
    }
  }
  return size as QueueSize;
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
    count: async () => {
      const verb = 'count dead letters';
      const count: unknown = await call(verb, () => letters.count());
      if (typeof count === 'number') return count;
      throw misanswered('NQ_BACKEND', verb, 'deadLetters.count must answer a number', describeAnswer(count));
    },
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
