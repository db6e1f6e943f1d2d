import type { Capabilities } from '../capabilities.ts';
import type { Clock } from '../clock.ts';
import type { createDispatcher } from '../dispatcher.ts';
import type { Namespace, PayloadFactory, Timing } from './harness.ts';
import type { ObservedQueue } from './observed-queue.ts';

/** The type of every event that rules push. */
export const trialType = 'nq.conformance';

/** What a trial is made of. */
export interface TrialParts {
  readonly id: string;
  readonly namespace: Namespace;
  /** Makes another namespace of the rule. The same `name` makes the same id. */
  readonly neighbour: (name: string) => Promise<Namespace>;
  readonly capabilities: Capabilities;
  /** What events carry, if the harness says so. */
  readonly payload: PayloadFactory<unknown> | undefined;
  readonly timing: Timing;
  readonly clock: Clock;
  /** Where the choices of the rule come from: the same seed, the same numbers. */
  readonly random: () => number;
  readonly dispatchers: typeof createDispatcher;
}

/** A rejection, and of what. */
export interface SeenRejection {
  readonly what: string;
  readonly error: unknown;
}

/** Another namespace of a trial. */
export interface Neighbour {
  readonly queue: ObservedQueue<unknown>;
  /** Opens another connection to its queue. */
  open(): Promise<ObservedQueue<unknown>>;
  /** Closes its queues and disposes of it. */
  leave(): Promise<void>;
}

/** A namespace that offers a hook. */
export type Offering<Name extends keyof Namespace> = Namespace & {
  readonly [Member in Name]-?: NonNullable<Namespace[Member]>;
};
