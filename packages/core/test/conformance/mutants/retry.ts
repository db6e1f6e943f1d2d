import type { Mutant } from '../mutant.ts';

/** Wrong about what becomes of events that come back. */
export const retryMutants: readonly Mutant[] = [];
