import { type Capabilities, defineCapabilities } from '@nq/core';
import type { ResolvedKafkaOptions } from './kafka-options.ts';

/** What a queue promises that was opened with `options`. @param facts whether there is a topic for dead letters. */
export function capabilitiesOf(
  { order, retry, leaseMs, startFrom, maxPayloadBytes }: ResolvedKafkaOptions,
  { deadLetters }: { readonly deadLetters: boolean },
): Capabilities {
  return defineCapabilities({
    order: order === 'none' ? 'none' : 'key',
    // What waits in a retry topic keeps nothing waiting.
    strictRetry: order !== 'none' && retry === undefined,
    ack: 'individual',
    nackDelay: true,
    deadLetter: deadLetters,
    lease: { ms: leaseMs, extend: true },
    // A topic takes what its brokers have room for.
    capacity: 'none',
    size: 'approximate',
    multiInstance: true,
    groups: startFrom,
    durable: 'broker',
    isolation: 'copy',
    definiteTimeout: false,
    fairness: false,
    replay: true,
    maxPayloadBytes,
  });
}
