import type { Rule } from '../rule.ts';

/** §5: how many fit, and how many there are. */
export const sizeRules: readonly Rule[] = [];
