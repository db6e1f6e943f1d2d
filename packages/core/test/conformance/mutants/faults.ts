import type { Mutant } from '../mutant.ts';

/** Wrong about what happens when the connection or the broker fails. */
export const faultMutants: readonly Mutant[] = [];
