import { type Capabilities, type Clock, defineCapabilities, systemClock } from '@nq/core';
import { checkClock, checkCount, checkMs, checkOneOf, checkOptions } from '@nq/core/parts';

/** How a channel is made. Everything has a default; the object is copied. */
export interface ChannelOptions {
  /**
   * How many ready and delayed events it takes; `Infinity` for no bound. With `0` a push waits until the event is taken.
   * Above 100,000, waiting events cost more time in the processor's caches and in garbage collection than they gain.
   *
   * @default 1000
   */
  readonly capacity?: number | undefined;
  /** How long a delivery is ours before the event is handed out again, in milliseconds. @default 30_000 */
  readonly leaseMs?: number | undefined;
  /**
   * `reference`: consumers get the producer's own object, nothing is serialised. `copy`: every hand-out is a fresh copy,
   * what would come out of a broker: inside of `data`, a `Date` has become a string, a `Map` `{}`, and an object of a class
   * a plain one. Only what `encodeEvent()` refuses is refused, with `NQ_PAYLOAD`. It costs 10 to 20 times as much.
   *
   * @default 'reference'
   */
  readonly isolation?: 'reference' | 'copy' | undefined;
  /** The largest event as structured CloudEvents JSON, in bytes. Needs `isolation: 'copy'`. @default 1_048_576 */
  readonly maxPayloadBytes?: number | undefined;
  /**
   * An event that comes back after this many hand-outs becomes a dead letter; while there is no room for one, it is handed
   * out again. For consumers without a dispatcher, which counts by itself. Needs room for dead letters.
   *
   * @default Infinity
   */
  readonly maxAttempts?: number | undefined;
  /** How many dead letters are kept. With `0` the channel does not declare `deadLetter`. @default 1000 */
  readonly deadLetterCapacity?: number | undefined;
  /** Where time comes from. @default systemClock */
  readonly clock?: Clock | undefined;
}

/** {@link ChannelOptions} with every default filled in. */
export type ResolvedChannelOptions = {
  readonly [Name in keyof ChannelOptions]-?: Exclude<ChannelOptions[Name], undefined>;
};

/** The same limit as the default of Kafka's `message.max.bytes`, rounded: an event that fits here fits there. */
const defaultMaxPayloadBytes = 1_048_576;

const action = 'Cannot open a channel';
const known = [
  'capacity',
  'leaseMs',
  'isolation',
  'maxPayloadBytes',
  'maxAttempts',
  'deadLetterCapacity',
  'clock',
] as const satisfies (keyof ChannelOptions)[];

/**
 * `options` with every default filled in.
 *
 * @throws {TypeError} if an option is unknown or of the wrong type. @throws {RangeError} if it is out of range.
 */
export function resolveOptions(options: ChannelOptions): ResolvedChannelOptions {
  checkOptions(action, options, known);
  const {
    capacity = 1000,
    leaseMs = 30_000,
    isolation = 'reference',
    maxPayloadBytes,
    maxAttempts = Infinity,
    deadLetterCapacity = 1000,
    clock = systemClock,
  } = options;
  checkCount(action, 'capacity', capacity, 0, Infinity);
  checkMs(action, 'leaseMs', leaseMs, 1);
  checkOneOf(action, 'isolation', isolation, ['reference', 'copy']);
  checkCount(action, 'maxAttempts', maxAttempts, 1, Infinity);
  checkCount(action, 'deadLetterCapacity', deadLetterCapacity, 0, Infinity);
  if (maxPayloadBytes !== undefined) {
    checkCount(action, 'maxPayloadBytes', maxPayloadBytes, 1, Infinity);
    if (isolation === 'reference') {
      throw new TypeError(`${action}: maxPayloadBytes needs isolation: 'copy', for nothing is serialised without it`);
    }
  }
  if (maxAttempts !== Infinity && deadLetterCapacity === 0) {
    throw new TypeError(
      `${action}: maxAttempts needs a deadLetterCapacity above 0, for there is nowhere to put the event`,
    );
  }
  checkClock(action, clock);
  return {
    capacity,
    leaseMs,
    isolation,
    maxPayloadBytes: isolation === 'copy' ? (maxPayloadBytes ?? defaultMaxPayloadBytes) : Infinity,
    maxAttempts,
    deadLetterCapacity,
    clock,
  };
}

/** What a channel with these options promises. */
export function capabilitiesOf(options: ResolvedChannelOptions): Capabilities {
  const { capacity, leaseMs, isolation, maxPayloadBytes, deadLetterCapacity } = options;
  return defineCapabilities({
    order: 'fifo',
    strictRetry: true,
    ack: 'individual',
    nackDelay: true,
    deadLetter: deadLetterCapacity > 0,
    lease: leaseMs === Infinity ? false : { ms: leaseMs, extend: true },
    capacity: capacity === Infinity ? 'none' : 'hard',
    size: 'exact',
    multiInstance: false,
    groups: false,
    durable: 'none',
    isolation,
    definiteTimeout: true,
    fairness: true,
    replay: false,
    maxPayloadBytes,
  });
}
