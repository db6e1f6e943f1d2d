import { type Capabilities, defineCapabilities } from '@nq/core';
import type { ServerFacts } from './server-facts.ts';

/** What of the options decides what a queue promises. */
export interface PromisedOptions {
  readonly capacity: number;
  readonly leaseMs: number;
  readonly maxPayloadBytes: number;
  /** Where a new group of a stream begins; `undefined` for a list. */
  readonly stream: { readonly startFrom: 'earliest' | 'latest' } | undefined;
}

/** What a queue promises, with these options and on such a server. */
export function capabilitiesOf(
  { capacity, leaseMs, maxPayloadBytes, stream }: PromisedOptions,
  { appendOnly }: Pick<ServerFacts, 'appendOnly'>,
): Capabilities {
  return defineCapabilities({
    order: 'fifo',
    // A list keeps no place for what was taken from it: two events that are returned one after the other change places.
    strictRetry: stream !== undefined,
    ack: 'individual',
    nackDelay: true,
    deadLetter: true,
    lease: { ms: leaseMs, extend: true },
    capacity: capacity === Infinity ? 'none' : 'hard',
    size: 'exact',
    multiInstance: true,
    groups: stream?.startFrom ?? false,
    // A server that is killed loses what it has not written down. What it does not tell, nobody may rely on.
    durable: appendOnly === true ? 'broker' : 'process',
    isolation: 'copy',
    definiteTimeout: false,
    // Producers in other processes do not stand in our line.
    fairness: false,
    replay: stream !== undefined,
    maxPayloadBytes,
  });
}
