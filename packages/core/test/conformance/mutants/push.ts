import type { Mutant } from '../mutant.ts';

/** Wrong about putting events in. */
export const pushMutants: readonly Mutant[] = [];
