import type { Rule } from '../rule.ts';

/** §6: opening, closing, and what is left. */
export const closeRules: readonly Rule[] = [];
