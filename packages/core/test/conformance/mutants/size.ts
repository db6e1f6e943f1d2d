import type { Mutant } from '../mutant.ts';

/** Wrong about how many fit, and how many there are. */
export const sizeMutants: readonly Mutant[] = [];
