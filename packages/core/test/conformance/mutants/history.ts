import type { Mutant } from '../mutant.ts';

/** Wrong about what must hold of everything that has happened. */
export const historyMutants: readonly Mutant[] = [];
