import type { Mutant } from '../mutant.ts';

/** Wrong about taking events out. */
export const popMutants: readonly Mutant[] = [];
