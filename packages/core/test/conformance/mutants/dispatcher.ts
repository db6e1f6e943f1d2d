import type { Mutant } from '../mutant.ts';

/** Wrong about what the dispatcher makes of a queue. */
export const dispatcherMutants: readonly Mutant[] = [];
