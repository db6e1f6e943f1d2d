import type { Mutant } from '../mutant.ts';

/** Wrong about acknowledging and giving back, and what a lease is. */
export const settleMutants: readonly Mutant[] = [];
