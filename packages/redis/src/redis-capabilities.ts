import { type Capabilities, defineCapabilities } from '@nq/core';
import type { ServerFacts } from './server-facts.ts';

/** What of the options decides what a queue promises. */
export interface PromisedOptions {
  readonly capacity: number;
  readonly leaseMs: number;
  readonly maxPayloadBytes: number;
}

/** What a queue on a list promises, with these options and on such a server. */
export function capabilitiesOf(
  { capacity, leaseMs, maxPayloadBytes }: PromisedOptions,
  { appendOnly }: Pick<ServerFacts, 'appendOnly'>,
): Capabilities {
  return defineCapabilities({
    order: 'fifo',
    // The list keeps no place for what was taken from it: two events that are returned one after the other change places.
    strictRetry: false,
    ack: 'individual',
    nackDelay: true,
    deadLetter: true,
    lease: { ms: leaseMs, extend: true },
    capacity: capacity === Infinity ? 'none' : 'hard',
    size: 'exact',
    multiInstance: true,
    groups: false,
    // A server that is killed loses what it has not written down. What it does not tell, nobody may rely on.
    durable: appendOnly === true ? 'broker' : 'process',
    isolation: 'copy',
    definiteTimeout: false,
    // Producers in other processes do not stand in our line.
    fairness: false,
    replay: false,
    maxPayloadBytes,
  });
}
