import type { Rule } from '../rule.ts';

/** §2: taking events out. */
export const popRules: readonly Rule[] = [];
