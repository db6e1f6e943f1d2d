/** What came instead of what was expected, in words. Shows numbers, booleans and short strings, never what an object holds. */
export function describe(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'boolean' || typeof value === 'number')
    return `${value}`;
  if (typeof value === 'string')
    return value.length <= 40 ? JSON.stringify(value) : `a string of ${value.length} characters`;
  if (typeof value === 'bigint') return `${value}n`;
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** The same without the text of a string, where that may be a payload. */
export function describeKind(value: unknown): string {
  return typeof value === 'string' ? 'a string' : describe(value);
}

/**
 * Checks a duration in milliseconds. `Infinity` is one.
 *
 * @throws {TypeError} if it is not a number. @throws {RangeError} if it is `NaN` or below `min`.
 */
export function checkMs(action: string, name: string, value: unknown, min = 0): asserts value is number {
  if (typeof value !== 'number') throw new TypeError(`${action}: ${name} must be a number, got ${describe(value)}`);
  if (!(value >= min)) throw new RangeError(`${action}: ${name} must be >= ${min}, got ${value}`);
}

/** Checks a text that may be a secret: what came instead is told by its kind alone. @throws {TypeError} if it is none. */
export function checkText(action: string, name: string, value: unknown): asserts value is string {
  if (typeof value === 'string') return;
  throw new TypeError(`${action}: ${name} must be a string, got ${value === null ? 'null' : typeof value}`);
}

/**
 * Checks a whole number; `Infinity` is one where `max` is `Infinity`.
 *
 * @throws {TypeError} if it is not a number. @throws {RangeError} if it is not whole or out of range.
 */
export function checkCount(
  action: string,
  name: string,
  value: unknown,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): asserts value is number {
  if (typeof value !== 'number') throw new TypeError(`${action}: ${name} must be a number, got ${describe(value)}`);
  const whole = Number.isInteger(value) || (value === Infinity && max === Infinity);
  if (!whole || value < min || value > max) {
    const range = max >= Number.MAX_SAFE_INTEGER ? `>= ${min}` : `from ${min} to ${max}`;
    throw new RangeError(`${action}: ${name} must be a whole number ${range}, got ${value}`);
  }
}

/** @throws {TypeError} if `value` is not a function. */
export function checkFunction(action: string, name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`${action}: ${name} must be a function, got ${describe(value)}`);
}

/** Also refuses what `Array.from()` would take for an empty list. @throws {TypeError} if `value` is not an array. */
export function checkArray(action: string, name: string, value: unknown): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError(`${action}: ${name} must be an array, got ${describeKind(value)}`);
}

/** What came instead is not shown: it may be a URL with a password. @throws {TypeError} if `value` is no object, or an array. */
export function checkObject(action: string, name: string, value: unknown): asserts value is object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw new TypeError(`${action}: ${name} must be an object, got ${describeKind(value)}`);
}

/** Checks the ids of dead letters: `undefined` stands for all. @throws {TypeError} if they are no array of strings. */
export function checkIds(action: string, ids: unknown): asserts ids is readonly string[] | undefined {
  if (ids === undefined || (Array.isArray(ids) && ids.every((id) => typeof id === 'string'))) return;
  throw new TypeError(`${action}: ids must be an array of strings, got ${describe(ids)}`);
}

/**
 * Checks from where events are to be handed out again.
 *
 * @returns it with nothing but what it says: the other member may be there, and `undefined`.
 * @throws {TypeError} if it is neither a time nor a position. @throws {RangeError} if the time is `NaN` or infinite.
 */
export function checkPosition(
  action: string,
  position: unknown,
): { readonly time: number } | { readonly position: string } {
  checkOptions(action, position, ['time', 'position']);
  const { time, position: words } = position as { readonly time?: unknown; readonly position?: unknown };
  if ((time === undefined) === (words === undefined)) {
    throw new TypeError(`${action}: expected one of { time } and { position }`);
  }
  if (words !== undefined) {
    if (typeof words === 'string') return { position: words };
    throw new TypeError(`${action}: position must be a string, got ${describe(words)}`);
  }
  if (typeof time !== 'number') throw new TypeError(`${action}: time must be a number, got ${describe(time)}`);
  if (!Number.isFinite(time)) throw new RangeError(`${action}: time must be finite, got ${time}`);
  return { time };
}

/** @throws {TypeError} if `value` is no clock. */
export function checkClock(action: string, value: unknown): void {
  for (const method of ['now', 'date', 'schedule', 'random']) {
    if (typeof (value as Record<string, unknown> | null | undefined)?.[method] === 'function') continue;
    throw new TypeError(`${action}: clock must be a Clock, got ${describe(value)}`);
  }
}

/** @throws {TypeError} if `value` is not a string. @throws {RangeError} if it is none of `allowed`. */
export function checkOneOf<Value extends string>(
  action: string,
  name: string,
  value: unknown,
  allowed: readonly Value[],
): asserts value is Value {
  if (allowed.includes(value as Value)) return;
  const message = `${action}: ${name} must be one of ${allowed.join(', ')}, got ${describe(value)}`;
  throw typeof value === 'string' ? new RangeError(message) : new TypeError(message);
}

/**
 * Checks that `options` is an object, and has no member but the `known` ones: an option that is misspelt must not
 * be taken for one that was left out.
 *
 * @throws {TypeError} naming the unknown member and those that are known.
 */
export function checkOptions(action: string, options: unknown, known: readonly string[]): void {
  checkObject(action, 'options', options);
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new TypeError(`${action}: unknown option ${JSON.stringify(name)}; known are ${known.join(', ')}`);
    }
  }
}

/** How a delivery is given back. */
interface Nack {
  readonly delayMs: number;
  readonly reason: string;
  readonly deadLetter: boolean;
}

/**
 * The options of a nack with every default filled in.
 *
 * @throws {TypeError} if an option is unknown or of the wrong type. @throws {RangeError} if `delayMs` is negative, `NaN`
 * or infinite.
 */
export function resolveNack(options: { readonly [Name in keyof Nack]?: Nack[Name] | undefined }): Nack {
  checkOptions('Cannot nack', options, ['delayMs', 'reason', 'deadLetter']);
  const { delayMs = 0, reason = '', deadLetter = false } = options;
  checkMs('Cannot nack', 'delayMs', delayMs);
  if (delayMs === Infinity) throw new RangeError('Cannot nack: delayMs must be finite, got Infinity');
  // Not shown: a reason may quote a payload.
  if (typeof reason !== 'string') throw new TypeError(`Cannot nack: reason must be a string, got a ${typeof reason}`);
  if (typeof deadLetter !== 'boolean') {
    throw new TypeError(`Cannot nack: deadLetter must be true or false, got ${describe(deadLetter)}`);
  }
  return { delayMs, reason, deadLetter };
}

/** How long a call may wait, as every waiting method takes it. */
interface Waiting {
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Checks the options of a call that may wait.
 *
 * @throws {TypeError} if an option is unknown or has the wrong type. @throws {RangeError} if `timeoutMs` is negative or `NaN`.
 */
export function checkWaiting(action: string, options: Waiting): void {
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`${action}: options must be an object, got ${describe(options)}`);
  }
  for (const name in options) {
    if (name !== 'timeoutMs' && name !== 'signal') {
      throw new TypeError(`${action}: unknown option ${JSON.stringify(name)}; known are timeoutMs, signal`);
    }
  }
  const { timeoutMs, signal } = options;
  if (timeoutMs !== undefined) checkMs(action, 'timeoutMs', timeoutMs);
  // Not by instanceof: the signal of another realm is one too.
  if (signal !== undefined && (typeof signal?.aborted !== 'boolean' || typeof signal.addEventListener !== 'function')) {
    throw new TypeError(`${action}: signal must be an AbortSignal, got ${describe(signal)}`);
  }
}

/**
 * Checks the options of calls that may wait. Callers often give the same object every time, and looking for unknown
 * members costs as much as storing an event: that is done once for each object, the rest at every call. What is changed
 * in such an object later is refused only if it is a time below 0 or no number, or an aborted signal.
 */
export class WaitingCheck {
  #known: Waiting | undefined;

  /** @throws as {@link checkWaiting}; and `signal.reason` if it is aborted already. */
  begin(action: string, options: Waiting): void {
    if (options !== this.#known) {
      checkWaiting(action, options);
      this.#known = options;
    }
    const { timeoutMs, signal } = options;
    const wrong = (timeoutMs !== undefined && !(timeoutMs >= 0)) || (signal !== undefined && signal.aborted !== false);
    if (!wrong) return;
    checkWaiting(action, options);
    throw signal?.reason;
  }
}
