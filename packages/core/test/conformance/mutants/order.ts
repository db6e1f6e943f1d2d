import type { Mutant } from '../mutant.ts';

/** Wrong about in what order events come out. */
export const orderMutants: readonly Mutant[] = [];
