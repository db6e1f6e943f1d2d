import { checkCount, checkIds, checkOptions, describeKind } from './check.ts';
import type { QueueDriver } from './driver.ts';
import { errorCodes, isNqError, NqError, type NqErrorCode } from './errors.ts';
import type { DeadLetter, DeadLetters, QueueSize } from './queue.ts';

/** The error that a caller of nq sees for what a driver threw: wrapped once, named by the driver. */
export function wrapDriverError(driver: QueueDriver, verb: string, cause: unknown): NqError {
  if (isNqError(cause)) return cause;
  return new NqError(classify(driver, cause), `Cannot ${verb}: ${explain(driver, cause)}`, { cause });
}

/** The message of a client library may hold addresses with passwords, or payload: it stays in the cause. */
function explain(driver: QueueDriver, cause: unknown): string {
  try {
    const meaning: unknown = driver.explain?.(cause);
    if (typeof meaning === 'string' && meaning !== '') return meaning;
  } catch {
    // It is the failure that counts.
  }
  return 'the backend failed';
}

/**
 * The error of a driver that has answered something else than {@link QueueDriver} says, for its author to read. Not for
 * `classify`, which knows what the client library throws.
 */
export function wrongAnswer(code: NqErrorCode, verb: string, expected: string, got: string): NqError {
  return new NqError(code, `Cannot ${verb}: driver.${expected}, got ${got}`);
}

/** The same of a member of what a driver has answered in an array. */
export function describeMember(name: string, member: unknown): string {
  return `one whose ${name} is ${describeKind(member)}`;
}

/** Whether `value` counts something. */
export function isCount(value: unknown, min = 0): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min;
}

/** The error of an `answer` that does not say of `count` leases whether they were ours: they may be settled all the same. */
export function wrongLeaseAnswer(method: 'ack' | 'nack' | 'extend', count: number, answer: unknown): NqError {
  const isRight = (one: unknown): boolean => typeof one === 'boolean' || (method !== 'extend' && one instanceof Error);
  const expected = `${method} must answer an array of ${count} ${count === 1 ? 'boolean' : 'booleans'}`;
  const got = !Array.isArray(answer)
    ? describeKind(answer)
    : answer.length === count
      ? `an array that holds ${describeKind(answer.find((one) => !isRight(one)))}`
      : `an array of ${answer.length}`;
  return wrongAnswer('NQ_OUTCOME_UNKNOWN', method, expected, got);
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
  const wrongSize = (got: string): NqError =>
    wrongAnswer('NQ_BACKEND', 'count', 'size must answer { ready, inFlight, delayed, oldestAgeMs, exact }', got);
  if (typeof size !== 'object' || size === null) throw wrongSize(describeKind(size));
  const flaw = sizeMembers.find(([name, isRight]) => !isRight((size as Partial<Record<string, unknown>>)[name]));
  if (flaw === undefined) return size as QueueSize;
  const [name] = flaw;
  throw wrongSize(`an object whose ${name} is ${describeKind((size as Partial<Record<string, unknown>>)[name])}`);
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isDuration = (value: unknown): boolean => Number.isFinite(value) && (value as number) >= 0;

type MemberCheck = readonly [name: string, isRight: (value: unknown) => boolean];

const sizeMembers: readonly MemberCheck[] = [
  ['ready', (value) => isCount(value)],
  ['inFlight', (value) => isCount(value)],
  ['delayed', (value) => isCount(value)],
  ['oldestAgeMs', isDuration],
  ['exact', (value) => typeof value === 'boolean'],
];

const letterMembers: readonly MemberCheck[] = [
  ['event', (value) => typeof value === 'object' && value !== null],
  ['attempts', (value) => isCount(value)],
  ['reason', isText],
  ['deadAt', Number.isFinite],
];

/** Why `value` is no {@link DeadLetter}, without payload; `undefined` if it is one. */
function letterFlaw(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return describeKind(value);
  for (const [name, isRight] of letterMembers) {
    const member = (value as Partial<Record<string, unknown>>)[name];
    if (!isRight(member)) return describeMember(name, member);
  }
  return undefined;
}

function wrongList(expected: string, got: string): NqError {
  return wrongAnswer('NQ_BACKEND', 'list dead letters', `deadLetters.list must answer ${expected}`, got);
}

/**
 * The dead letters of `driver` as users see them: options and answers are checked, errors are wrapped. A wrong answer to
 * what changes them is `NQ_OUTCOME_UNKNOWN`.
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
  const count = async (method: 'count' | 'replay' | 'remove', ask: () => Promise<unknown>): Promise<number> => {
    const verb = `${method} dead letters`;
    const answer = await call(verb, ask);
    if (isCount(answer)) return answer;
    const code = method === 'count' ? 'NQ_BACKEND' : 'NQ_OUTCOME_UNKNOWN';
    const expected = `deadLetters.${method} must answer a whole number >= 0`;
    throw wrongAnswer(code, verb, expected, describeKind(answer));
  };
  return Object.freeze({
    count: () => count('count', () => letters.count()),
    list: async (options: { readonly limit?: number } = {}) => {
      checkOptions('Cannot list dead letters', options, ['limit']);
      const { limit = 100 } = options;
      checkCount('Cannot list dead letters', 'limit', limit, 0, Infinity);
      const list: unknown = await call('list dead letters', () => letters.list({ limit }));
      if (!Array.isArray(list)) throw wrongList('an array', describeKind(list));
      // Array.from, because map() passes over holes.
      const flaw = Array.from(list, letterFlaw).find((one) => one !== undefined);
      if (flaw !== undefined) throw wrongList('dead letters { event, attempts, reason, deadAt }', flaw);
      return list as readonly DeadLetter[];
    },
    replay: async (ids?: readonly string[]) => {
      checkIds('Cannot replay dead letters', ids);
      return count('replay', () => letters.replay(ids));
    },
    remove: async (ids?: readonly string[]) => {
      checkIds('Cannot remove dead letters', ids);
      return count('remove', () => letters.remove(ids));
    },
  });
}
