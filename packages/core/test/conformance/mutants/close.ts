import type { Mutant } from '../mutant.ts';

/** Wrong about opening, closing, and what is left. */
export const closeMutants: readonly Mutant[] = [];
