import type { Clock } from '@nq/core';
import { type FailureKind, KafkaFailure } from './kafka-failure.ts';

/** After a failure it is tried again after so long, in milliseconds. */
const retryMs = 100;

/** How often something is tried, and after which failures. */
export interface Persistence {
  readonly clock: Clock;
  /** How long it is tried, in milliseconds. */
  readonly limitMs: number;
  /** After which failures. @default those that pass when a broker is there again */
  readonly passing?: readonly FailureKind[];
}

/** What `work` resolves, tried again as long as what it fails with may pass. @throws what it failed with at last. */
export async function persistently<Result>(
  { clock, limitMs, passing = ['away', 'unsure'] }: Persistence,
  work: () => Promise<Result>,
): Promise<Result> {
  const deadline = clock.now() + limitMs;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isPassing = error instanceof KafkaFailure && passing.includes(error.kind);
      if (!isPassing || clock.now() + retryMs >= deadline) throw error;
    }
    await new Promise<void>((resolve) => {
      clock.schedule(resolve, retryMs);
    });
  }
}
