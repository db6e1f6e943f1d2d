import { checkCount, checkMs, checkOneOf, checkOptions, describe } from './check.ts';

/**
 * What a queue promises, read by users, the dispatcher and the conformance suite (the rules that every queue is tested
 * with) alike. Total: every member is there. True is tested; false is tested too: the operation rejects `NQ_UNSUPPORTED`
 * and changes nothing.
 */
export interface Capabilities {
  /**
   * First deliveries come in the order of the pushes: of all events, of the events of one key, or not at all. With `fifo`, an
   * event that was taken for a pop which ends without it, for its time or its connection is over, comes back to the front:
   * others may have overtaken it meanwhile, although it was never handed out.
   */
  readonly order: 'fifo' | 'key' | 'none';
  /** Whether a returned event precedes later events (of its key, with `order: 'key'`). */
  readonly strictRetry: boolean;
  /** Whether a settlement touches its own delivery alone, or also earlier ones. */
  readonly ack: 'individual' | 'cumulative';
  /** Whether `nack({ delayMs })` is honoured. */
  readonly nackDelay: boolean;
  /** Whether `nack({ deadLetter: true })` and `deadLetters` work. */
  readonly deadLetter: boolean;
  /** How long a delivery is ours in milliseconds, and whether `extend()` works; `false` if it does not end by time. */
  readonly lease: false | { readonly ms: number; readonly extend: boolean };
  /** Whether `capacity` is never exceeded by pushes, or there is no limit. */
  readonly capacity: 'hard' | 'none';
  /** Whether `size()` counts exactly, estimates, or knows nothing. */
  readonly size: 'exact' | 'approximate' | 'none';
  /** Whether several queue objects, also in other processes, can be the same queue. */
  readonly multiInstance: boolean;
  /** Whether several groups each get every event, and from where a new group starts. */
  readonly groups: false | 'earliest' | 'latest';
  /** What an accepted event survives: nothing, the end of this process, or a restart of the broker. */
  readonly durable: 'none' | 'process' | 'broker';
  /** Whether consumers get a copy of an event, or the producer's own object. */
  readonly isolation: 'copy' | 'reference';
  /** Whether a push that runs out of time always has a definite answer, and never `NQ_OUTCOME_UNKNOWN`. */
  readonly definiteTimeout: boolean;
  /** Whether waiting calls are served in the order in which they began to wait. */
  readonly fairness: boolean;
  /** Whether `rewind()` works. */
  readonly replay: boolean;
  /** The largest event as it is written, in bytes; `Infinity` if there is no limit. */
  readonly maxPayloadBytes: number;
}

const action = 'Cannot declare capabilities';
const booleans = [
  'strictRetry',
  'nackDelay',
  'deadLetter',
  'multiInstance',
  'definiteTimeout',
  'fairness',
  'replay',
] as const;
const known = [
  ...booleans,
  'order',
  'ack',
  'lease',
  'capacity',
  'size',
  'groups',
  'durable',
  'isolation',
  'maxPayloadBytes',
] as const satisfies (keyof Capabilities)[];

/**
 * A frozen copy of `capabilities`.
 *
 * @throws {TypeError} if a member is missing, unknown or of the wrong type. @throws {RangeError} if it is out of range.
 */
export function defineCapabilities(capabilities: Capabilities): Capabilities {
  checkOptions(action, capabilities, known);
  const { lease, groups, ...flat } = capabilities;
  for (const name of booleans) {
    if (typeof flat[name] !== 'boolean') {
      throw new TypeError(`${action}: ${name} must be a boolean, got ${describe(flat[name])}`);
    }
  }
  checkOneOf(action, 'order', flat.order, ['fifo', 'key', 'none']);
  checkOneOf(action, 'ack', flat.ack, ['individual', 'cumulative']);
  checkOneOf(action, 'capacity', flat.capacity, ['hard', 'none']);
  checkOneOf(action, 'size', flat.size, ['exact', 'approximate', 'none']);
  checkOneOf(action, 'durable', flat.durable, ['none', 'process', 'broker']);
  checkOneOf(action, 'isolation', flat.isolation, ['copy', 'reference']);
  checkCount(action, 'maxPayloadBytes', flat.maxPayloadBytes, 1, Infinity);
  if (groups !== false) {
    if (typeof groups !== 'string') {
      throw new TypeError(`${action}: groups must be false or one of earliest, latest, got ${describe(groups)}`);
    }
    checkOneOf(action, 'groups', groups, ['earliest', 'latest']);
  }
  if (lease !== false) {
    if (typeof lease !== 'object' || lease === null || typeof lease.extend !== 'boolean') {
      throw new TypeError(`${action}: lease must be false or { ms, extend }, got ${describe(lease)}`);
    }
    checkMs(action, 'lease.ms', lease.ms, 1);
  }
  return Object.freeze({
    order: flat.order,
    strictRetry: flat.strictRetry,
    ack: flat.ack,
    nackDelay: flat.nackDelay,
    deadLetter: flat.deadLetter,
    lease: lease === false ? false : Object.freeze({ ms: lease.ms, extend: lease.extend }),
    capacity: flat.capacity,
    size: flat.size,
    multiInstance: flat.multiInstance,
    groups,
    durable: flat.durable,
    isolation: flat.isolation,
    definiteTimeout: flat.definiteTimeout,
    fairness: flat.fairness,
    replay: flat.replay,
    maxPayloadBytes: flat.maxPayloadBytes,
  });
}

/** Whether what a queue holds is gone when it is closed: nothing else keeps it, and nobody else is the same queue. */
export function keepsNothing({ durable, multiInstance }: Capabilities): boolean {
  return durable === 'none' && !multiInstance;
}
