import type { Rule } from '../rule.ts';

/** §7: what outlives a process, a broker, and a group. */
export const durabilityRules: readonly Rule[] = [];
