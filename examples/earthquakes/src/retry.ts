import type { RetryOptions } from '@nq/core';

/** Short delays, so that a run shows redelivery and still ends at once; a service would wait for seconds to minutes. */
export const retry = {
  maxAttempts: 3,
  inPlace: 1,
  inPlaceDelayMs: 10,
  delayMs: 50,
  maxDelayMs: 200,
} as const satisfies RetryOptions;
