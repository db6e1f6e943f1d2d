import type { Mutant } from '../mutant.ts';

/** Wrong about what outlives a process, a broker, and a group. */
export const durabilityMutants: readonly Mutant[] = [];
